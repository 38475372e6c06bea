/* SPDX-License-Identifier: Apache-2.0 */

/* What the files of a session share. */
#ifndef HF_AGENT_SESSION_INTERNAL_H
#define HF_AGENT_SESSION_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "agent/session.h"

enum session_state {
	SESSION_NEW,
	SESSION_PREPARED,
	SESSION_CREATED,
	SESSION_MOVED,
	SESSION_FINISHED,
	SESSION_COMPLETE,
	SESSION_FAILED, /* only abort and close are left */
	SESSION_ABORTED,
};

struct session {
	struct session_setup setup;
	struct session_order order;
	struct writers writers;
	const char *provider_name;
	atomic_bool cancelled;

	pthread_mutex_t lock; /* for what any thread may look at: */
	enum session_state state;
	char doing[160]; /* the last phase */
	json_t *shown; /* the writers as of the last step */
};

/* May this call come now? Sets the state to SESSION_FAILED until session_leave() says otherwise. */
CHECKED int session_enter(struct session *s, enum session_state wanted, const char *call,
			  struct error *err);
/* The call that entered went well. */
void session_leave(struct session *s, enum session_state now);

/* ERR_CANCELLED once session_cancel() was called. */
CHECKED int session_cancelled(struct session *s, struct error *err);
void session_phase(struct session *s, const char *format, ...) PRINTF_LIKE(2, 3);
/* Let other threads see the writers as they are now. From the driving thread. */
void session_show_writers(struct session *s);

/* What a root is promised, folders if m is NULL. */
enum consistency session_promised(struct session *s, const struct writers_member *m);

#endif
