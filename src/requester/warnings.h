/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What went not quite as asked, while the work went on. The first WARNINGS_KEPT of each kind,
 * serious or not, are kept for the restore point and handed to the screen; all are counted. Fed by
 * one thread at a time (the mover sees to that).
 */
#ifndef HF_REQUESTER_WARNINGS_H
#define HF_REQUESTER_WARNINGS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "mover/backup.h"

enum { WARNINGS_KEPT = 1000 };

struct warnings {
	mover_warn_fn *show; /* may be NULL */
	void *show_arg;
	uint64_t count;
	uint64_t serious; /* of them: something is missing because of it */
	uint64_t dropped; /* counted, and nothing else */
	json_t *kept; /* array of {"path", "code", "serious", "message"} */
};

CHECKED int warnings_init(struct warnings *w, mover_warn_fn *show, void *show_arg,
			  struct error *err);
void warnings_done(struct warnings *w);

/* A mover_warn_fn; arg is the struct warnings. */
void warnings_add(void *arg, const char *path, enum err code, bool serious, const char *message);

#endif
