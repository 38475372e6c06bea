/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Enrolment: two hosts that do not know each other's certificates learn them, proven by a one-time code that
 * an administrator carries from one to the other.
 *
 *	guest$ holdfast agent enroll --listen tls://0.0.0.0:7410	shows a code
 *	requester$ holdfast agent enroll --agent tls://guest:7410 --code CODE
 *	guest$ holdfast agent --listen tls://0.0.0.0:7410
 *
 * The code has 80 random bits. Over a TLS connection on which either side accepts any certificate, each
 * proves that it knows the code by HMAC-SHA-256 under it, over which side it is, a value that only the two
 * ends of this very connection share (RFC 9266's tls-exporter), and both certificates' fingerprints. Whoever
 * sits in between has two connections, and can use no proof of the one on the other; to find the code from a
 * proof he would have to try 2^80. The requester proves first, so a caller without the code learns nothing.
 *
 * The code works once, for some minutes, and for few wrong tries.
 */
#ifndef HF_AGENT_ENROLL_H
#define HF_AGENT_ENROLL_H

#include "agent/peers.h"
#include "base/base.h"
#include "base/error.h"

enum {
	ENROLL_CODE_BYTES = 10,
	ENROLL_CODE_TEXT = 20, /* "XXXX-XXXX-XXXX-XXXX" and zero */
	ENROLL_PROOF_SIZE = 32,
	ENROLL_TRIES = 5,
	ENROLL_MINUTES = 10,
};

struct enroll_code {
	uint8_t bytes[ENROLL_CODE_BYTES];
};

CHECKED int enroll_code_make(struct enroll_code *ret, struct error *err);
/* Crockford's base 32: no I, L, O, U. Returns text. */
char *enroll_code_format(const struct enroll_code *code, char text[ENROLL_CODE_TEXT]);
/* As a person types it: any case, I and L for 1, O for 0, dashes and blanks anywhere. */
CHECKED int enroll_code_parse(const char *text, struct enroll_code *ret, struct error *err);

enum enroll_side { ENROLL_REQUESTER = 1, ENROLL_AGENT };

/* What `side` says to prove that it knows the code. */
CHECKED int enroll_proof(const struct enroll_code *code, enum enroll_side side,
			 const uint8_t binding[32], const uint8_t requester[TLS_FINGERPRINT_SIZE],
			 const uint8_t agent[TLS_FINGERPRINT_SIZE], uint8_t ret[ENROLL_PROOF_SIZE],
			 struct error *err);

/*
 * On the guest: wait on the listening socket until somebody proves the code, and add him as a requester.
 * ERR_TIMEOUT when the deadline (boot clock) passes, ERR_PERMISSION after too many wrong tries,
 * ERR_CANCELLED when *stop is set.
 */
CHECKED int enroll_serve(const char *state_dir, int listener, const struct enroll_code *code,
			 uint64_t deadline_ns, const _Atomic bool *stop, struct peer *ret,
			 struct error *err);
/* On the requester: over a connected socket to the agent that is found under `host`; adds it. */
CHECKED int enroll_ask(const char *state_dir, int fd, const char *host,
		       const struct enroll_code *code, uint64_t deadline_ns, struct peer *ret,
		       struct error *err);

#endif
