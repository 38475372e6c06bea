/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A conversation with a writer program: requests and replies by sequence number, what it says
 * unasked, what it prints on standard error, and its end, wanted or not. Every wait has a deadline;
 * a program that misses one, dies, floods, or breaks the protocol is killed, and from then on every
 * call returns the reason.
 *
 * What the lines mean for the course of a backup is client.c's business.
 */
#ifndef HF_WRITER_EXCHANGE_H
#define HF_WRITER_EXCHANGE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "base/spawn.h"
#include "writer/lines.h"
#include "writer/state.h"

enum { EXCHANGE_PRINTED_MAX = 4096 };

struct exchange {
	struct child child; /* no pid: it has ended */
	struct lines lines;
	size_t n_printed;
	char printed[EXCHANGE_PRINTED_MAX]; /* the last of its standard error */
	json_int_t seq; /* of the last request */
	unsigned unasked; /* lines since the last reply that were none */
	enum writer_state shown; /* as of the last line; 0 before the first */
	struct error failure; /* told unasked, or why it was killed; code OK: none */
};

/* Start the program at `path`. */
CHECKED int exchange_open(const char *path, struct exchange *ret, struct error *err);
/* Close its input and wait until the deadline for it to end, then kill it. Never fails. */
void exchange_close(struct exchange *x, uint64_t deadline_ns);

/*
 * Send `request`, an object with its event's fields ("event" included; seq and timeout_ms are
 * added), and wait for its reply. OK: *ret_reply is a reply without error. A reply with an error
 * gives that error; the program lives on. Everything else that goes wrong ends it.
 */
CHECKED int exchange_call(struct exchange *x, json_t *request, size_t reply_max,
			  uint64_t timeout_ns, json_t **ret_reply, struct error *err);

/* Take in what is there, without waiting. Fails with x->failure once there is one. */
CHECKED int exchange_look(struct exchange *x, struct error *err);

#endif
