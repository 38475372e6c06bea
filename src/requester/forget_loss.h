/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What forgetting restore points takes away besides them: moments of databases, which need a backup and all logs
 * from it on. Pure: two lists of restore points are compared, before and after.
 */
#ifndef HF_REQUESTER_FORGET_LOSS_H
#define HF_REQUESTER_FORGET_LOSS_H

#include "base/base.h"
#include "base/error.h"
#include "repo/point.h"
#include "requester/log_point.h"

/* Moments from (and without) one to another that can be restored to before, and not after. Each is named once, on
 * the timeline that it belongs to. */
struct forget_loss {
	char host[LOG_HOST_MAX]; /* "group:NAME", of the newest logs of that database */
	uint32_t timeline;
	uint64_t from, to;
	uint64_t from_time_ns, to_time_ns; /* a server's clock; 0: not known */
};

struct forget_losses {
	size_t n;
	struct forget_loss *all;
};
void forget_losses_done(struct forget_losses *l); /* for CLEAN(), too */

/* `after` has nothing that `before` has not. Points whose record of logs is damaged count for nothing. */
CHECKED int forget_losses_find(const struct point_list *before, const struct point_list *after,
			       struct forget_losses *ret, struct error *err);

#endif
