/* SPDX-License-Identifier: Apache-2.0 */

/* The mover of a job, and who listens to it: shared by service_move.c (the thread that moves) and
 * service_stream.c (the loop's thread, which tells and fetches). */
#ifndef HF_AGENT_SERVICE_MOVE_H
#define HF_AGENT_SERVICE_MOVE_H

#include "agent/service_internal.h"
#include "mover/progress.h"
#include "store/outbox.h"

enum { MOVE_LINES_MAX = 4096 };

struct move {
	struct job *job;
	json_t *asked; /* Order */
	struct progress progress; /* of the mover; anybody may read it */
	uint64_t begun_ns;
	struct outbox *outbox; /* NULL: the repository is reached from here */

	/* The loop's: */
	json_t *lines[MOVE_LINES_MAX]; /* a ring */
	uint64_t last_seq; /* of the newest line; the first is 1 */
	struct request *stream; /* who listens; NULL: nobody */
	uint64_t told_seq; /* the newest that it was told */
	uint64_t lost_ns; /* when the stream was lost, boot clock; 0: it was not */
	struct event *tick;
	bool done;
	json_t *result; /* one of the two, once it is done */
	json_t *error;
	struct requests waiting; /* StoreExchange, for an operation */
	/* Outbox to loop: there may be something. */
	struct service_post ready_post;
	_Atomic bool ready_posted;
};

/* In the job's thread. A line for the stream; takes it over. */
void service_move_say(struct move *m, json_t *line);

#endif
