/* SPDX-License-Identifier: Apache-2.0 */

/* What the files of the remote guest share. Nobody else includes this. */
#ifndef HF_REQUESTER_GUEST_REMOTE_INTERNAL_H
#define HF_REQUESTER_GUEST_REMOTE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "requester/crew.h"
#include "requester/guest_remote.h"

enum {
	REMOTE_REPLY_MAX = 8 << 20,
	REMOTE_NOTES_MAX = 16,
	REMOTE_NOTE_MAX = 400,
};

/* One connection, and whether it is broken at the moment. */
struct remote_link {
	struct http *http;
	bool down;
};

struct remote {
	struct guest base;
	const struct http_place *place;
	char name[256];
	char host[256]; /* what it calls itself */
	unsigned connections;
	const char *store, *key_file; /* of the guest's own; NULL: the data comes here */
	struct eventlog *events;
	void (*note)(void *arg, const char *text);
	void *note_arg;
	void (*done)(void *arg);
	void *done_arg;
	struct remote_link control, keeper, stream;
	struct remote_link data[CREW_MAX];

	char job[UUID_TEXT_SIZE];
	char set[UUID_TEXT_SIZE]; /* "": none yet */
	uint64_t epoch;
	json_t *missing; /* paths that are not there, until they are told */
	_Atomic uint64_t ttl_ns; /* 0: there is no lease */
	_Atomic uint64_t lease_end_ns; /* boot clock here: when it ends unless it is kept */
	_Atomic uint64_t kept_wall_ns; /* when the last keep-alive that arrived was sent */
	_Atomic bool cancelled;
	_Atomic bool finishing; /* a keep-alive that finds the lease ended is none the worse */
	bool blamed; /* the agent knows what the job was given up for */
	bool skipped; /* the driving thread's: nothing is moved, the finish says so */
	_Atomic bool closing; /* the data connections are to end */

	pthread_mutex_t keep_lock; /* of the connection for keep-alives */
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake; /* cancelled, or closing */
	pthread_t driver;
	bool outage; /* a connection broke, and none that broke has come back */
	uint64_t down_ns, told_ns; /* since when; when that was last said */
	/* For the driving thread to say. */
	char notes[REMOTE_NOTES_MAX][REMOTE_NOTE_MAX];
	size_t n_notes;
	struct error ended; /* the lease is over: why */
};

/* How one call is made. */
struct remote_call {
	const char *function;
	json_t *args; /* borrowed; the fields that name the job are added; NULL: none */
	bool names_set; /* SetId and Epoch, too */
	bool order; /* takes long: has a name, and is asked for again until it is done */
	bool once; /* not tried again */
	uint64_t attempt_ns; /* for one try; 0: until silence */
};

int guest_remote_open_links(struct remote *r, struct error *err);
/* Call until there is an answer, or the lease is over. */
CHECKED int guest_remote_ask(struct remote *r, struct remote_link *link,
			     const struct remote_call *call, json_t **ret, struct error *err);
/* How long a connection may be silent while an answer is due at once. */
uint64_t guest_remote_patience(const struct remote *r);
/* After a failure: 1 try again (having waited a little), else what is final. */
CHECKED int guest_remote_again(struct remote *r, struct remote_link *link, const char *function,
			       unsigned tries, struct error *err);
/* It works (again). */
void guest_remote_up(struct remote *r, struct remote_link *link);
/* The HTTP status and body of a failure, as an error. */
enum err guest_remote_refused(struct remote *r, const char *function, unsigned status,
			      struct slice body, struct error *err);
/* In the driving thread: say what other threads have noted. */
void guest_remote_say_notes(struct remote *r);
/* OK, or why the lease is over. */
CHECKED int guest_remote_check(struct remote *r, struct error *err);
/* {"JobId"…}: new reference. */
json_t *guest_remote_identity(const struct remote *r, bool with_set);

CHECKED int guest_remote_move(struct guest *g, const struct guest_move *move,
			      struct task_result *ret, struct error *err);

static inline struct remote *
remote_of(struct guest *g)
{
	return CONTAINER_OF(g, struct remote, base);
}

#endif
