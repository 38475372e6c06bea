/* SPDX-License-Identifier: Apache-2.0 */

/*
 * POINT[:PATH], as people write it: which restore point, and what in it.
 *
 *	POINT			everything
 *	POINT:/etc/ssl		a path of the backed up host
 *	POINT:postgresql	what a writer backed up
 *	POINT:postgresql/base	something in it
 *
 * POINT is "latest", an id or the beginning of one.
 */
#ifndef HF_REQUESTER_LOCATE_H
#define HF_REQUESTER_LOCATE_H

#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "repo/point.h"
#include "repo/read.h"
#include "repo/tree.h"

enum { LOCATE_TEXT_MAX = 64 << 10 };

struct location {
	struct point *point;
	const struct point_root *root; /* NULL: no PATH was given, everything is meant */
	char *path; /* below the root, without '/' at either end; "" the root's top folder */

	/* After locate_node: what is there. */
	bool is_folder;
	struct blob_id tree; /* if a folder */
	struct node node; /* if not; or a folder's own entry, unless path is "" */
	struct buf hold; /* the memory of `node` */
};

/* Resolve POINT and the name of the root. ERR_POINT, ERR_AMBIGUOUS, ERR_NOT_FOUND. */
CHECKED int locate_point(struct repo *repo, const char *text, struct location *ret,
			 struct error *err);
/* Look the path up; the location must have a root. ERR_NOT_FOUND. */
CHECKED int locate_node(struct repo_reader *reader, struct location *l, struct error *err);
void locate_done(struct location *l);

#endif
