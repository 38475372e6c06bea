/* SPDX-License-Identifier: Apache-2.0 */

/* From a URL to a connection: what the guest is reached by lives as long as the guest. */
#include "requester/guest_url.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "requester/guest_remote.h"
#include "requester/ssh_url.h"

enum { SUN_PATH_SIZE = 108 };

struct way {
	struct http_place place;
	struct tls_identity *identity;
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
	const struct guest_remote_options remote = {
		.place = &w->place, .name = url, .done = way_free, .done_arg = w};
	int rc = guest_remote_open(&remote, ret, err);
	if (rc == OK)
		(void)STEAL_PTR(w);
	return rc;
}
