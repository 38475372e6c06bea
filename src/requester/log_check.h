/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Do restore points of type log have what they say? Each log file from the first position to the last is
 * there; and, if they are read, each record in them is what the server would accept. That what is stored is
 * not damaged is for repo/verify.h; this is about what it means.
 */
#ifndef HF_REQUESTER_LOG_CHECK_H
#define HF_REQUESTER_LOG_CHECK_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "repo/point.h"
#include "repo/repo.h"

struct log_check {
	struct repo *repo;
	const struct point *only; /* NULL: all there are */
	bool read;
	struct progress *progress; /* cancelled: ends; may be NULL */
	/* object: "points/…"; as of verify_repository(). */
	void (*problem)(void *arg, const char *object, const char *message);
	void *problem_arg;
};

/* Problems are told and counted, and are no failure. */
CHECKED int log_check_run(const struct log_check *check, uint64_t *ret_problems, struct error *err);

#endif
