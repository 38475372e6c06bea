/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who may talk to whom over TLS: this host's identity (a certificate and its key, STATE_DIR/tls/own.pem, 0600)
 * and the peers it knows by the fingerprint of their certificates (STATE_DIR/tls/peers/FINGERPRINT.json).
 * Written by `holdfast agent enroll`; read at every handshake, so that what is revoked is out at once.
 */
#ifndef HF_AGENT_PEERS_H
#define HF_AGENT_PEERS_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "crypto/tls.h"

enum { PEERS_NAME_MAX = 256 };

struct peer {
	uint8_t fingerprint[TLS_FINGERPRINT_SIZE];
	char name[PEERS_NAME_MAX]; /* as it called itself, or as it was called */
	bool requester; /* it may ask this host's agent for backups */
	bool agent; /* this host may ask it */
	char host[PEERS_NAME_MAX]; /* of an agent: what stands in tls://HOST:PORT; else "" */
	uint64_t since_ns; /* wall clock */
};

/* This host's own; made at first use. */
CHECKED int peers_identity(const char *state_dir, struct tls_identity **ret, struct error *err);

/* 1 found, 0 not. */
CHECKED int peers_find(const char *state_dir, const uint8_t fingerprint[TLS_FINGERPRINT_SIZE],
		       struct peer *ret, struct error *err);
/* The agent that was enrolled under this host name: 1 found, 0 not. The newest, if there are several. */
CHECKED int peers_find_agent(const char *state_dir, const char *host, struct peer *ret,
			     struct error *err);
/* Add, or add a role to one that is known. */
CHECKED int peers_add(const char *state_dir, const struct peer *peer, struct error *err);
/* By name, host, or the beginning (8 digits at least) of its fingerprint. *ret_n: how many were removed. */
CHECKED int peers_remove(const char *state_dir, const char *name, size_t *ret_n, struct error *err);

/* Stops at the first call that does not return OK, and returns that. */
typedef int peers_each_fn(void *arg, const struct peer *peer, struct error *err);
CHECKED int peers_each(const char *state_dir, peers_each_fn *each, void *arg, struct error *err);

#endif
