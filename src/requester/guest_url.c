/* SPDX-License-Identifier: Apache-2.0 */

/* From a URL to a connection: what the guest is reached by lives as long as the guest. */
#include "requester/guest_url.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/peers.h"
#include "base/text.h"
#include "requester/guest_remote.h"
#include "requester/ssh_url.h"

enum { HOST_SIZE = 256, SUN_PATH_SIZE = 108 };

struct way {
	struct http_place place;
	struct tls_identity *identity;
	uint8_t fingerprint[TLS_FINGERPRINT_SIZE]; /* of the agent we mean */
	char host[HOST_SIZE];
	char *path;
	struct ssh_guest *ssh;
};

static void
way_free(void *arg)
{
	struct way *w = arg;
	struct error ignored = ERROR_INIT;

	if (w == NULL)
		return;
	if (w->ssh != NULL)
		(void)!ssh_guest_stop(w->ssh, &ignored);
	tls_identity_free(w->identity);
	free(w->path);
	free(w);
}

static void
way_freep(struct way **w)
{
	way_free(*w);
}

static int
by_unix(struct way *w, const char *path, struct error *err)
{
	if (path[0] == '\0' || strlen(path) >= SUN_PATH_SIZE)
		return error_set(err, ERR_USAGE, "'%s' cannot be the path of a socket", path);
	w->path = strdup(path);
	if (w->path == NULL)
		return error_no_memory(err);
	w->place.unix_path = w->path;
	return OK;
}

/* The certificate that was seen when it was enrolled, and no other. */
static bool
is_the_one(void *arg, const uint8_t fingerprint[TLS_FINGERPRINT_SIZE])
{
	const struct way *w = arg;

	return memcmp(fingerprint, w->fingerprint, TLS_FINGERPRINT_SIZE) == 0;
}

/* HOST, HOST:PORT, [ADDRESS], [ADDRESS]:PORT */
static int
take_apart(const char *text, char host[HOST_SIZE], unsigned *ret_port, struct error *err)
{
	const char *from = text[0] == '[' ? text + 1 : text;
	size_t n = text[0] == '[' ? strcspn(from, "]") : strcspn(from, ":");
	const char *rest = from + n + (text[0] == '[' && from[n] == ']');
	unsigned long port = GUEST_URL_PORT;
	char *end = NULL;

	if (rest[0] == ':') {
		port = strtoul(rest + 1, &end, 10);
		if (rest[1] < '0' || rest[1] > '9')
			port = 0;
		rest = end;
	}
	if (n == 0 || n >= HOST_SIZE || strcspn(from, "/@?# ") < n || rest[0] != '\0' ||
	    port == 0 || port > UINT16_MAX) {
		error_set(err, ERR_USAGE, "'tls://%s' is not of the form tls://HOST:PORT", text);
		return error_hint(err, "write an IPv6 address in brackets");
	}
	memcpy(host, from, n);
	host[n] = '\0';
	*ret_port = (unsigned)port;
	return OK;
}

static int
by_tls(struct way *w, const char *text, const char *state_dir, struct error *err)
{
	struct peer peer;
	int r;

	if (take_apart(text, w->host, &w->place.port, err) < 0)
		return err->code;
	r = peers_find_agent(state_dir, w->host, &peer, err);
	if (r < 0)
		return r;
	if (r == 0) {
		error_set(err, ERR_AGENT_TRUST, "no agent was enrolled as '%s'", w->host);
		return error_hint(err, "Run 'holdfast agent enroll' on that host and on this one.");
	}
	if (peers_identity(state_dir, &w->identity, err) < 0)
		return err->code;
	memcpy(w->fingerprint, peer.fingerprint, sizeof(w->fingerprint));
	w->place.host = w->host;
	w->place.identity = w->identity;
	w->place.admit = is_the_one;
	w->place.admit_arg = w;
	return OK;
}

static int
by_ssh(struct way *w, const char *url, const struct ssh_options *options, struct error *err)
{
	struct ssh_options own = *options;

	own.url = url;
	if (ssh_guest_start(&own, &w->ssh, err) < 0)
		return err->code;
	w->place.unix_path = ssh_guest_socket(w->ssh);
	return OK;
}

static int
find_way(struct way *w, const char *url, const struct guest_url_options *options, struct error *err)
{
	if (strncmp(url, "unix:", 5) == 0)
		return by_unix(w, url + 5, err);
	if (strncmp(url, "tls://", 6) == 0)
		return by_tls(w, url + 6, options->state_dir, err);
	if (ssh_url_is(url))
		return by_ssh(w, url, &options->ssh, err);
	error_set(err, ERR_USAGE, "'%s' does not say where an agent is", url);
	return error_hint(err, "give unix:PATH, tls://HOST:PORT or ssh://[USER@]HOST");
}

int
guest_url_open(const char *url, const struct guest_url_options *options, struct guest **ret,
	       struct error *err)
{
	CLEAN(way_freep) struct way *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return error_no_memory(err);
	if (find_way(w, url, options, err) < 0)
		return err->code;
	const struct guest_remote_options remote = {.place = &w->place,
						    .name = url,
						    .events = options->events,
						    .store = options->store,
						    .key_file = options->key_file,
						    .note = options->note,
						    .note_arg = options->note_arg,
						    .hello_ns = options->hello_ns,
						    .done = way_free,
						    .done_arg = w};
	int rc = guest_remote_open(&remote, ret, err);
	if (rc == OK)
		(void)STEAL_PTR(w);
	return rc;
}
