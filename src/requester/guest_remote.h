/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A guest that is reached through its agent (doc/api.md). Each kind of traffic has connections of its
 * own: orders, keep-alives (which never wait behind bulk data), the stream of MoveData, and the data
 * itself (requester/crew.h).
 *
 * A connection that is lost is opened anew for as long as the lease lives, and what was asked is asked
 * again: the agent knows orders by name, operations by number. What happens to connections is
 * told by guest->say, from the thread that drives. When no keep-alive has arrived for the time to live
 * the lease counts as ended, whatever the agent may say later.
 */
#ifndef HF_REQUESTER_GUEST_REMOTE_H
#define HF_REQUESTER_GUEST_REMOTE_H

#include <jansson.h>

#include "base/base.h"
#include "base/error.h"
#include "requester/guest.h"
#include "requester/http.h"

struct eventlog;

struct guest_remote_options {
	const struct http_place *place; /* outlives the guest */
	const char *name; /* of the guest, for people */
	unsigned connections; /* for data; 0: 4 */
	/* The guest stores by itself, into the same repository: where it finds that, and the key file
	 * there that opens it. NULL: the data comes here. Both outlive the guest. */
	const char *store, *key_file;
	struct eventlog *events; /* of the requester; NULL: none is kept */
	/* What happens to connections, besides guest->say: as a line of its own. In the driving thread.
	 * May be NULL. */
	void (*note)(void *arg, const char *text);
	void *note_arg;
	uint64_t hello_ns; /* until it has said hello; 0: three tries of 15 s */
	/* Called by close(), last: what the place needs. May be NULL. */
	void (*done)(void *arg);
	void *done_arg;
};

/* Says hello: there is an agent, of a version that we know. On failure `done` is not called. */
CHECKED int guest_remote_open(const struct guest_remote_options *options, struct guest **ret,
			      struct error *err);

/* What it calls itself; "" for a guest of this process. */
const char *guest_remote_host(struct guest *g);

/*
 * Any function of the agent by its name in doc/api.md: for listings. args is taken over, and may be NULL. Not
 * for a guest of this process (ERR_BAD_STATE).
 */
CHECKED int guest_remote_call(struct guest *g, const char *function, json_t *args, json_t **ret,
			      struct error *err);

#endif
