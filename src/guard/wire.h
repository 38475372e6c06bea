/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the agent and its guard say to each other: one message is one packet on a SOCK_SEQPACKET pair.
 *
 * Each kind of message has one size. Both ends are of one installation and on one machine, so messages
 * are structs as they lie in memory; the version is checked in each, and wire_check vouches for
 * everything that C takes for granted: sizes, terminating zeroes, truth values.
 *
 *	agent -> guard	HELLO (with a pidfd of the agent) first; then requests in any order, each with a
 *			number of its own
 *	guard -> agent	for each request one answer of the same number, in any order; EVENT (number 0)
 *
 * An answer carries a struct wire_error instead of its body if it has an error code.
 */
#ifndef HF_GUARD_WIRE_H
#define HF_GUARD_WIRE_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "guard/lease.h"
#include "guard/report.h"
#include "provider/settings.h"
#include "provider/snapshot.h"

enum {
	WIRE_MAGIC = 0x64724148,
	WIRE_VERSION = 1,
	WIRE_TOKEN_SIZE = 16,
};

enum wire_kind {
	WIRE_HELLO = 1,
	WIRE_PING,
	WIRE_BEGIN,
	WIRE_ADD,
	WIRE_WRITER, /* with a pidfd */
	WIRE_FREEZE,
	WIRE_SNAPSHOT,
	WIRE_THAWED,
	WIRE_EXPOSE,
	WIRE_KEEP,
	WIRE_FINISH,
	WIRE_ABORT,
	WIRE_LOOK, /* the lease of this key */
	WIRE_NEXT, /* the first open lease with an epoch above that of the key */
	WIRE_MEMBER, /* the n-th snapshot of a lease */
	WIRE_RELEASE, /* by hand; only the key's set counts */
	WIRE_SETTLE, /* answered when all that ended is undone */
	WIRE_STOP, /* end all, undo, and exit */
	WIRE_EVENT,
	WIRE_KINDS,
};

struct wire_hello {
	char state_dir[SNAPSHOT_PATH_MAX];
	struct provider_settings settings;
	uint8_t token[WIRE_TOKEN_SIZE]; /* the agent's: the same for each of its guards */
};

struct wire_begin {
	uint64_t ttl_ns;
	char job[GUARD_JOB_MAX];
};

struct wire_add {
	char provider[SNAPSHOT_PROVIDER_MAX];
	char source[SNAPSHOT_PATH_MAX];
};

struct wire_error {
	int32_t sys;
	char msg[512];
	char hint[256];
};

struct wire_head {
	uint32_t magic;
	uint16_t version;
	uint16_t kind;
	uint64_t number;
	int32_t code; /* of an answer: OK or enum err */
	uint32_t answer; /* 1: an answer, 0: a request or an event */
	struct lease_key key;
};

struct wire_message {
	struct wire_head head;
	union {
		struct wire_hello hello;
		struct wire_begin begin;
		struct wire_add add;
		uint64_t value; /* a cap, a time to live, an index; a number of snapshots */
		struct wire_error error;
		struct guard_moment moment;
		struct guard_verdict verdict;
		struct guard_lease lease;
		struct guard_event event;
		struct snapshot snapshot;
	} body;
};

/* How long the message is that this head begins; 0: there is no such message. */
size_t wire_size(const struct wire_head *head);
/* Whether the n bytes that were received are a message. ERR_PROTOCOL. */
CHECKED int wire_check(const struct wire_message *m, size_t n, struct error *err);

/* A message without a body yet, all zero. */
void wire_init(struct wire_message *m, enum wire_kind kind, uint64_t number,
	       const struct lease_key *key);
/* Make it the answer to itself that says why not. */
void wire_set_error(struct wire_message *m, const struct error *e);
/* The error that an answer carries; returns its code. */
CHECKED int wire_get_error(const struct wire_message *m, struct error *err);
/* Copy text into a field, cut to its size. */
void wire_text(char *field, size_t size, const char *text);

/*
 * Send a message, with a descriptor unless it is -1. 1: sent, 0: there is no room now (only if `wait` is
 * false), ERR_IO: the other end is gone.
 */
CHECKED int wire_send(int socket, const struct wire_message *m, int fd, bool wait,
		      struct error *err);
/* Receive and check one. 1: there is one, *ret_fd its descriptor or -1; 0: none now, or the other
 * end has closed (*ret_closed). ERR_PROTOCOL, ERR_IO. Never waits. */
CHECKED int wire_receive(int socket, struct wire_message *m, int *ret_fd, bool *ret_closed,
			 struct error *err);

#endif
