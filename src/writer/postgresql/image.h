/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A backup without backup mode: where all of the cluster is read as it was at one single instant, it
 * is what a power cut would have left, and recovers as after one. What this takes beside the
 * instant is that the server writes as if a power cut could come: data after the log that changes it,
 * and whole pages into the log. What could change between the look at it and the snapshot is looked
 * at again afterwards.
 *
 *	image_begin (is it possible?) -> (the snapshot) -> image_prove
 */
#ifndef HF_POSTGRESQL_IMAGE_H
#define HF_POSTGRESQL_IMAGE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "postgresql/pgconn.h"
#include "postgresql/walrange.h"
#include "writer/postgresql/cluster.h"

enum { IMAGE_WHY_MAX = 256 };

struct image {
	/* Lent; must outlive it. */
	struct pgconn *conn;
	const struct cluster *cluster;

	uint64_t redo_lsn; /* where recovery would have begun at the time of image_begin */
	char redo_log[WALRANGE_NAME_LEN + 1];
	uint64_t held_lsn; /* the log was on disk up to here before the snapshot: it is in it */
	char *facts; /* what must be the same after the snapshot */

	/* From image_prove on. Recovery that ends at stop_lsn or later ends in order: the image has no
	 * log from beyond it. */
	uint64_t stop_lsn;
	uint32_t stop_timeline;
	uint64_t stop_time_ns; /* the server's clock */
};

/* *ret_possible: may an image be made? If not, `why` says it in a clause. Changes nothing. */
CHECKED int image_begin(struct image *im, const struct pgconn_limit *limit, bool *ret_possible,
			char why[IMAGE_WHY_MAX], struct error *err);
/* After the snapshot: it was taken of the server, in the state, that image_begin saw. */
CHECKED int image_prove(struct image *im, const struct pgconn_limit *limit, struct error *err);
/* Where recovery to a later moment may begin and where it may end at the earliest, for the component's
 * metadata: new reference, NULL out of memory. */
json_t *image_range(const struct image *im);
void image_done(struct image *im);

#endif
