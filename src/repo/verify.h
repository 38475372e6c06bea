/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Is the repository whole? Three depths:
 *
 *	STRUCTURE	keys, every index object, restore point and mark opens; every pack that an index
 *			lists is there with its size; everything restore points need is in the index
 *	STORED		and every stored byte is authenticated (frames, tables), nothing unpacked
 *	DATA		and every frame unpacks, and every blob has the content its id says
 *
 * Problems do not end the run: each is reported, and the result is ERR_CORRUPT if there was any.
 * Always works on a fresh index: the local cache is not believed.
 */
#ifndef HF_REPO_VERIFY_H
#define HF_REPO_VERIFY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "repo/point.h"
#include "repo/repo.h"

enum verify_level {
	VERIFY_STRUCTURE = 1,
	VERIFY_STORED,
	VERIFY_DATA,
};

struct verify_stats {
	_Atomic uint64_t packs_done, packs_total;
	_Atomic uint64_t bytes_done, bytes_total; /* stored bytes read, of those to read */
	_Atomic uint64_t blobs_checked;
	_Atomic uint64_t problems;
	uint64_t points, index_objects, keys;
	uint64_t unlisted_packs; /* complete, but in no index: left by an interrupted backup */
};

struct verify_options {
	enum verify_level level;
	unsigned workers; /* 0: as many as keep every core busy */
	/* Check just this point and the packs it needs, and keys and index; NULL: all. */
	const struct point *only;
	const _Atomic bool *cancelled; /* may be NULL */
	/* One problem. `object` names what is damaged ("packs/ab/…", "points/…"). Serialised. */
	void (*problem)(void *arg, const char *object, const char *message);
	void *problem_arg;
};

/* *stats is updated while running (another thread may read it), and holds the result. */
CHECKED int verify_repository(struct repo *repo, const struct verify_options *options,
			      struct verify_stats *stats, struct error *err);

#endif
