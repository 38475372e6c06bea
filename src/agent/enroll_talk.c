/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The dialogue, one line of JSON each:
 *
 *	requester -> agent	{"name": "…", "proof": hex}
 *	agent -> requester	{"name": "…", "proof": hex}	or {"error": "…"}
 *	requester -> agent	{"stored": true}
 *
 * The agent stores the requester only when that last line came: one of both knowing the other is harmless,
 * and enrolling again mends it.
 */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/enroll.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"
#include "crypto/crypto.h"

#define LABEL "EXPORTER-Channel-Binding"

enum { LINE_MAX_BYTES = 2048, CALLER_S = 10, POLL_MS = 200 };

/* Who it is shows afterwards. */
static bool
admit_anybody(void *arg, const uint8_t fingerprint[TLS_FINGERPRINT_SIZE])
{
	(void)arg, (void)fingerprint;
	return true;
}

static int
say(struct tls_conn *c, json_t *line, struct error *err)
{
	CLEAN(json_done) json_t *j = line;
	CLEAN(buf_done) struct buf text = BUF_INIT(LINE_MAX_BYTES);

	if (j == NULL)
		return error_no_memory(err);
	if (json_write(j, &text, err) < 0 || buf_u8(&text, '\n', err) < 0)
		return err->code;
	return tls_write(c, buf_slice(&text), err);
}

static int
hear(struct tls_conn *c, json_t **ret, struct error *err)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(LINE_MAX_BYTES);

	if (tls_read_line(c, &text, err) < 0 ||
	    json_depth_check(buf_slice(&text), 4, "enrolment", err) < 0 ||
	    json_parse(buf_slice(&text), "enrolment", ret, err) < 0)
		return err->code;
	return OK;
}

static json_t *
introduce(const uint8_t proof[ENROLL_PROOF_SIZE])
{
	char hex[2 * ENROLL_PROOF_SIZE + 1], host[256] = "";

	(void)gethostname(host, sizeof(host) - 1);
	return json_pack("{s:s, s:s}", "name", host, "proof",
			 hex_encode(proof, ENROLL_PROOF_SIZE, hex));
}

/* Takes the other's name and checks its proof. ERR_PERMISSION: it does not know the code. */
static int
check(const json_t *line, const uint8_t wanted[ENROLL_PROOF_SIZE], struct peer *peer,
      struct error *err)
{
	uint8_t proof[ENROLL_PROOF_SIZE];
	const char *name, *hex;

	if (json_get_str(line, "name", &name, err) < 0 ||
	    json_get_str(line, "proof", &hex, err) < 0)
		return err->code;
	if (!hex_decode(hex, strlen(hex), proof, sizeof(proof)) ||
	    !crypto_equal(proof, wanted, sizeof(proof)))
		return error_set(err, ERR_PERMISSION, "the other side does not know the code");
	(void)text_printf(peer->name, sizeof(peer->name), "%s", name);
	return OK;
}

/* Both proofs of this connection. */
static int
proofs(struct tls_conn *c, const struct enroll_code *code, const struct tls_identity *own,
       enum enroll_side side, struct peer *peer, uint8_t mine[ENROLL_PROOF_SIZE],
       uint8_t theirs[ENROLL_PROOF_SIZE], struct error *err)
{
	enum enroll_side other = side == ENROLL_AGENT ? ENROLL_REQUESTER : ENROLL_AGENT;
	const uint8_t *self = tls_identity_fingerprint(own);
	const uint8_t *requester = side == ENROLL_REQUESTER ? self : peer->fingerprint;
	const uint8_t *agent = side == ENROLL_AGENT ? self : peer->fingerprint;
	uint8_t binding[32];

	if (!tls_peer(c, peer->fingerprint))
		return error_set(err, ERR_PROTOCOL, "the other side showed no certificate");
	if (tls_binding(c, LABEL, binding, err) < 0 ||
	    enroll_proof(code, side, binding, requester, agent, mine, err) < 0)
		return err->code;
	return enroll_proof(code, other, binding, requester, agent, theirs, err);
}

/* ---- the guest -------------------------------------------------------------------------------- */

static int
talk_to_caller(struct tls_context *context, int fd, const struct tls_identity *own,
	       const struct enroll_code *code, struct peer *peer, struct error *err)
{
	CLEAN(tls_closep) struct tls_conn *c = NULL;
	CLEAN(json_done) json_t *line = NULL;
	CLEAN(json_done) json_t *last = NULL;
	uint8_t mine[ENROLL_PROOF_SIZE], theirs[ENROLL_PROOF_SIZE];
	bool stored = false;

	if (tls_open(context, fd, clock_boot_ns() + CALLER_S * NS_PER_S, &c, err) < 0 ||
	    proofs(c, code, own, ENROLL_AGENT, peer, mine, theirs, err) < 0 ||
	    hear(c, &line, err) < 0)
		return err->code;
	if (check(line, theirs, peer, err) < 0) {
		(void)!say(c, json_pack("{s:s}", "error", "this is not the code, or it was used"),
			   NULL);
		return err->code;
	}
	if (say(c, introduce(mine), err) < 0 || hear(c, &last, err) < 0 ||
	    json_opt_bool(last, "stored", false, &stored, err) < 0)
		return err->code;
	if (!stored)
		return error_set(err, ERR_PROTOCOL,
				 "the requester did not keep this host's certificate");
	peer->requester = true;
	return OK;
}

static int
next_caller(int listener, uint64_t deadline_ns, const _Atomic bool *stop, int *ret,
	    struct error *err)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};

	for (;;) {
		int left = clock_left_ms(deadline_ns);

		if (stop != NULL && *stop)
			return error_set(err, ERR_CANCELLED, "stopped on request");
		if (left == 0)
			return error_set(err, ERR_TIMEOUT, "nobody used the code in time");
		if (poll(&p, 1, MIN(left, POLL_MS)) <= 0)
			continue;
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0) {
			*ret = fd;
			return OK;
		}
	}
}

int
enroll_serve(const char *state_dir, int listener, const struct enroll_code *code,
	     uint64_t deadline_ns, const _Atomic bool *stop, struct peer *ret, struct error *err)
{
	CLEAN(tls_identity_freep) struct tls_identity *own = NULL;
	CLEAN(tls_context_freep) struct tls_context *context = NULL;
	unsigned wrong = 0;

	if (peers_identity(state_dir, &own, err) < 0 ||
	    tls_context_new(own, TLS_SERVER, admit_anybody, NULL, &context, err) < 0)
		return err->code;
	for (;;) {
		CLEAN(fd_close) int fd = -1;
		struct peer peer = {.name = ""};
		struct error own_err = ERROR_INIT;
		int r;

		if (next_caller(listener, deadline_ns, stop, &fd, err) < 0)
			return err->code;
		r = talk_to_caller(context, fd, own, code, &peer, &own_err);
		if (r == OK) {
			if (peers_add(state_dir, &peer, err) < 0)
				return err->code;
			*ret = peer;
			return OK;
		}
		/* Only who got as far as a proof has tried; scanners must not use up the tries. */
		if (r == ERR_PERMISSION && ++wrong >= ENROLL_TRIES)
			return error_set(err, ERR_PERMISSION, "%u callers did not know the code",
					 wrong);
	}
}

/* ---- the requester ------------------------------------------------------------------------------ */

int
enroll_ask(const char *state_dir, int fd, const char *host, const struct enroll_code *code,
	   uint64_t deadline_ns, struct peer *ret, struct error *err)
{
	CLEAN(tls_identity_freep) struct tls_identity *own = NULL;
	CLEAN(tls_context_freep) struct tls_context *context = NULL;
	CLEAN(tls_closep) struct tls_conn *c = NULL;
	CLEAN(json_done) json_t *line = NULL;
	uint8_t mine[ENROLL_PROOF_SIZE], theirs[ENROLL_PROOF_SIZE];
	struct peer peer = {.agent = true};
	const char *refused;

	if (peers_identity(state_dir, &own, err) < 0 ||
	    tls_context_new(own, TLS_CLIENT, admit_anybody, NULL, &context, err) < 0 ||
	    tls_open(context, fd, deadline_ns, &c, err) < 0 ||
	    proofs(c, code, own, ENROLL_REQUESTER, &peer, mine, theirs, err) < 0 ||
	    say(c, introduce(mine), err) < 0 || hear(c, &line, err) < 0 ||
	    json_opt_str(line, "error", NULL, &refused, err) < 0)
		return err->code;
	if (refused != NULL)
		return error_set(err, ERR_PERMISSION, "the guest says: %.200s", refused);
	if (check(line, theirs, &peer, err) < 0)
		return error_prefix(err, "this is not the host that showed the code");
	(void)text_printf(peer.host, sizeof(peer.host), "%s", host);
	if (peers_add(state_dir, &peer, err) < 0)
		return err->code;
	*ret = peer;
	return say(c, json_pack("{s:b}", "stored", 1), err);
}
