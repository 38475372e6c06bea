/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The writer's end of the writer protocol (doc/writer-protocol.md): reads events, keeps the state
 * machine, calls the writer, answers. A writer program is a struct writer_ops and a main() that
 * calls server_run().
 *
 * One thread. While an event runs nothing else is read, so an operation that waits must watch the
 * request's deadline and whether the requester is still there.
 */
#ifndef HF_WRITER_SERVER_H
#define HF_WRITER_SERVER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

struct writer_request {
	const json_t *body; /* the whole request; fields of each event are in the protocol's text */
	uint64_t deadline_ns; /* boot clock: after it the requester no longer waits */
	int requester_fd; /* poll for no events: POLLHUP or POLLERR once the requester is gone */
};

/*
 * Serve one event. On success add the event's fields to `reply`, an object. On failure leave
 * nothing half done beyond what abort undoes, and say why; the fields added are thrown away.
 */
typedef int writer_event_fn(void *self, const struct writer_request *request, json_t *reply,
			    struct error *err);

/*
 * Look after the application between two events: called when poll_fd is ready, and when the time
 * last asked for in *ret_next_ns (boot clock; UINT64_MAX never) has come, first after each event
 * that succeeded. Must not block. An error is reported to the requester at once and the writer
 * counts as failed; it is not called again before an abort.
 */
typedef int writer_tick_fn(void *self, uint64_t *ret_next_ns, struct error *err);

struct writer_ops {
	const char *name; /* "postgresql" */

	/* Required; called in the order of writer/state.h, never overlapping. */
	writer_event_fn *start; /* take the settings; touch nothing yet */
	writer_event_fn *identify; /* no side effects in the application; fills "metadata" */
	writer_event_fn *prepare_backup; /* check all that can be checked before */
	writer_event_fn *prepare_snapshot; /* enter backup mode; fills "component" */
	writer_event_fn *post_copy; /* leave backup mode; fills "tail" */
	writer_event_fn *backup_complete; /* release what was held for the backup */
	/* Undo everything, whatever was done; may come twice, and when nothing was. Also called
	 * when the requester is gone: then nobody reads the reply. Must end within a few
	 * seconds. */
	writer_event_fn *abort;

	/* Optional: NULL does nothing and succeeds. */
	writer_event_fn *freeze; /* writes stop; on error nothing is frozen */
	writer_event_fn *thaw; /* after each freeze, even a failed one; may come twice */
	writer_event_fn *post_snapshot;
	writer_event_fn *pre_restore; /* may the component be restored there? */
	writer_event_fn *post_restore; /* make what was restored fit to start */
	int (*poll_fd)(void *self); /* wait for input there between events; -1 none */
	writer_tick_fn *tick;
};

/*
 * Serve until the requester closes `in` (OK; abort was called if anything was open) or breaks the
 * protocol (ERR_PROTOCOL, also told to the requester as far as it listens).
 */
CHECKED int server_run(const struct writer_ops *ops, void *self, int in, int out,
		       struct error *err);

#endif
