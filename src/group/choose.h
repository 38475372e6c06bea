/* SPDX-License-Identifier: Apache-2.0 */

/* Which copy is backed up, and why. Pure. */
#ifndef HF_GROUP_CHOOSE_H
#define HF_GROUP_CHOOSE_H

#include "group/status.h"

/* What happened before, in this job: a copy that was at fault comes last. */
struct choose_history {
	size_t n;
	struct {
		const char *copy;
		unsigned faults;
	} copies[GROUP_COPIES_MAX];
};

struct choice {
	size_t member; /* index into the view */
	char why[512]; /* "pg2: Healthy, copy queue 0 B, replay queue 16 KiB; pg3 is 4 MiB behind" */
};

/*
 * With the healthiest first: of preferred role, without fault in this job, Healthy before
 * DisconnectedAndHealthy, small queues. Only copies with an agent count. ERR_GROUP_NO_COPY (retryable
 * when a copy is out of the question only for now): the message names each copy and what is against it.
 * ERR_GROUP_BUSY: a backup context is held already (the holder and its age).
 */
CHECKED int choose_copy(const struct group_view *v, const struct choose_history *history,
			struct choice *ret, struct error *err);

#endif
