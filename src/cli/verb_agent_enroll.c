/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast agent enroll */
#include <netdb.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/enroll.h"
#include "agent/listen_address.h"
#include "base/clock.h"
#include "base/hex.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/show.h"
#include "cli/signals.h"
#include "cli/table.h"

enum { ASK_S = 30 };

static const char *
state_dir(const struct cli *cli)
{
	return settings_text(cli->settings, OPTION_AGENT_STATE_DIR);
}

static char *
fingerprint_text(const struct peer *peer, char text[2 * TLS_FINGERPRINT_SIZE + 1])
{
	return hex_encode(peer->fingerprint, TLS_FINGERPRINT_SIZE, text);
}

static void
report(const struct cli *cli, const char *what, const struct peer *peer)
{
	char hex[2 * TLS_FINGERPRINT_SIZE + 1];

	if (cli->json)
		out_json(json_pack("{s:s, s:s, s:s, s:s}", "type", "enrolled", "name", peer->name,
				   "role", peer->agent ? "agent" : "requester", "fingerprint",
				   fingerprint_text(peer, hex)));
	else
		out_text("%s '%s', certificate %s\n", what, peer->name,
			 fingerprint_text(peer, hex));
}

/* ---- sockets --------------------------------------------------------------------------------- */

static int
resolve(const char *where, bool passive, struct listen_address *address, struct addrinfo **ret,
	struct error *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				       .ai_flags = passive ? AI_PASSIVE : 0};
	int r;

	if (listen_address_parse(where, address, err) < 0)
		return err->code;
	if (address->path[0] != '\0')
		return error_set(err, ERR_USAGE,
				 "only TLS needs certificates: give tls://HOST:PORT");
	r = getaddrinfo(address->host[0] != '\0' ? address->host : NULL, address->port, &hints,
			ret);
	if (r != 0)
		return error_set(err, ERR_USAGE, "'%s': %s", address->host, gai_strerror(r));
	return OK;
}

static int
open_socket(const char *where, bool passive, struct listen_address *address, int *ret,
	    struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	struct addrinfo *list = NULL;
	int on = 1, r = -1;

	if (resolve(where, passive, address, &list, err) < 0)
		return err->code;
	for (const struct addrinfo *a = list; a != NULL && r < 0; a = a->ai_next) {
		fd_close(&fd);
		fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			continue;
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		r = passive ? bind(fd, a->ai_addr, a->ai_addrlen)
			    : connect(fd, a->ai_addr, a->ai_addrlen);
	}
	if (r == 0 && passive)
		r = listen(fd, 16);
	freeaddrinfo(list);
	if (r < 0) {
		bool taken = passive && errno == EADDRINUSE;

		(void)error_sys(err, ERR_IO, "%s '%s'", passive ? "listen on" : "connect to",
				where);
		/* The agent that runs has it; whoever enrols may come in by another door. */
		if (taken)
			error_hint(err, "the agent runs already? Enrol on another port, such as "
					"tls://0.0.0.0:7411; backups use the agent's as before");
		return err->code;
	}
	*ret = STEAL_FD(fd);
	return OK;
}

/* ---- the two ends ---------------------------------------------------------------------------- */

static int
serve(struct cli *cli, const char *where, struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	CLEAN(tls_identity_freep) struct tls_identity *own = NULL;
	static _Atomic bool stop;
	struct listen_address address;
	struct enroll_code code;
	struct peer peer = {.name = ""};
	char text[ENROLL_CODE_TEXT], hex[2 * TLS_FINGERPRINT_SIZE + 1];
	int r;

	if (peers_identity(state_dir(cli), &own, err) < 0 || enroll_code_make(&code, err) < 0 ||
	    open_socket(where, true, &address, &fd, err) < 0)
		return err->code;
	(void)hex_encode(tls_identity_fingerprint(own), TLS_FINGERPRINT_SIZE, hex);
	(void)enroll_code_format(&code, text);
	if (cli->json)
		out_json(json_pack("{s:s, s:s, s:s, s:i}", "type", "code", "code", text,
				   "fingerprint", hex, "minutes", ENROLL_MINUTES));
	else
		out_text("On the requester, within %d minutes:\n\n"
			 "    holdfast agent enroll --agent tls://THIS-HOST:%s --code %s\n\n"
			 "This host's certificate: %s\n",
			 ENROLL_MINUTES, address.port, text, hex);
	out_flush();
	signals_watch(&stop);
	r = enroll_serve(state_dir(cli), fd, &code,
			 clock_boot_ns() + ENROLL_MINUTES * 60 * NS_PER_S, &stop, &peer, err);
	signals_watch(NULL);
	if (r == OK)
		report(cli, "Enrolled requester", &peer);
	return r;
}

static int
ask(struct cli *cli, const char *where, struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	const char *text = invocation_value(cli->inv, FLAG_CODE);
	struct listen_address address;
	struct enroll_code code;
	struct peer peer = {.name = ""};

	if (text == NULL)
		return error_set(err, ERR_USAGE, "--agent needs the guest's --code");
	if (enroll_code_parse(text, &code, err) < 0 ||
	    open_socket(where, false, &address, &fd, err) < 0 ||
	    enroll_ask(state_dir(cli), fd, address.host, &code, clock_boot_ns() + ASK_S * NS_PER_S,
		       &peer, err) < 0)
		return err->code;
	report(cli, "Enrolled agent", &peer);
	return OK;
}

/* ---- who is known ----------------------------------------------------------------------------- */

struct listing {
	const struct cli *cli;
	struct table table;
};

static int
list_one(void *arg, const struct peer *peer, struct error *err)
{
	struct listing *l = arg;
	char hex[2 * TLS_FINGERPRINT_SIZE + 1], since[32];

	(void)err;
	(void)fingerprint_text(peer, hex);
	(void)clock_format_utc(peer->since_ns, since);
	if (l->cli->json) {
		out_json(json_pack("{s:s, s:s, s:s, s:b, s:b, s:s, s:s}", "type", "peer", "name",
				   peer->name, "host", peer->host, "requester",
				   peer->requester ? 1 : 0, "agent", peer->agent ? 1 : 0,
				   "fingerprint", hex, "since", since));
		return OK;
	}
	table_cell(&l->table, "%s", peer->name);
	table_cell(&l->table, "%s%s%s", peer->requester ? "requester" : "",
		   peer->requester && peer->agent ? ", " : "", peer->agent ? "agent" : "");
	table_cell(&l->table, "%s", peer->host);
	table_cell(&l->table, "%.16s", hex);
	table_cell(&l->table, "%s", since);
	return OK;
}

static int
list(struct cli *cli, struct error *err)
{
	struct listing l = {.cli = cli};
	int r;

	table_init(&l.table, "lllll");
	table_cell(&l.table, "NAME");
	table_cell(&l.table, "IS");
	table_cell(&l.table, "HOST");
	table_cell(&l.table, "CERTIFICATE");
	table_cell(&l.table, "SINCE");
	r = peers_each(state_dir(cli), list_one, &l, err);
	if (r == OK && !cli->json)
		r = table_print(&l.table, err);
	table_done(&l.table);
	return r;
}

static int
forget_peer(struct cli *cli, const char *name, struct error *err)
{
	size_t n = 0;

	if (peers_remove(state_dir(cli), name, &n, err) < 0)
		return err->code;
	if (n == 0) {
		(void)error_set(err, ERR_NOT_FOUND, "nobody called '%s' is enrolled", name);
		return error_hint(err, "see 'holdfast agent enroll --list'");
	}
	if (cli->json)
		out_json(json_pack("{s:s, s:s, s:I}", "type", "revoked", "name", name, "count",
				   (json_int_t)n));
	else
		out_text("Revoked '%s'\n", name);
	return OK;
}

int
verb_agent_enroll(struct cli *cli, struct error *err)
{
	const struct invocation *inv = cli->inv;
	const char *agent = invocation_value(inv, FLAG_AGENT);
	const char *name = invocation_value(inv, FLAG_REVOKE);
	const char *where = invocation_value(inv, FLAG_LISTEN);
	int asked = (agent != NULL) + (name != NULL) + (where != NULL) +
		    invocation_has(inv, FLAG_LIST_PEERS);

	if (asked != 1) {
		(void)error_set(err, ERR_USAGE, "give one of --listen, --agent, --list, --revoke");
		return error_hint(err, "see 'holdfast help agent enroll'");
	}
	if (agent != NULL)
		return ask(cli, agent, err);
	if (name != NULL)
		return forget_peer(cli, name, err);
	return where != NULL ? serve(cli, where, err) : list(cli, err);
}
