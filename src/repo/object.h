/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sealed objects: index objects, restore points, marks. A payload is compressed and sealed under a key
 * of its own; kind, repository and object id are bound in, so that no object can stand in for
 * another. doc/format.md, "Sealed objects".
 */
#ifndef HF_REPO_OBJECT_H
#define HF_REPO_OBJECT_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "repo/format.h"
#include "repo/repo.h"

enum object_kind {
	OBJECT_INDEX = 1,
	OBJECT_POINT = 2,
	OBJECT_MARK = 3,
};

enum { OBJECT_PAYLOAD_MAX = 64 << 20 };

/* "index/", "points/", "marks/" */
const char *object_folder(enum object_kind kind);

/* Store a payload under a fresh random id. */
CHECKED int object_put(struct repo *repo, enum object_kind kind, struct slice payload,
		       struct object_id *ret_id, uint64_t *ret_stored, struct error *err);
/* Fetch, authenticate, unpack: appended to payload (whose maximum bounds it). */
CHECKED int object_get(struct repo *repo, enum object_kind kind, const struct object_id *id,
		       struct buf *payload, struct error *err);
/* All ids of a kind, sorted by id. The array is the caller's. */
CHECKED int object_list(struct repo *repo, enum object_kind kind, struct object_id **ret,
			size_t *ret_n, struct error *err);

/* 1 removed, 0 was gone already. */
CHECKED int object_remove(struct repo *repo, enum object_kind kind, const struct object_id *id,
			  struct error *err);

/* The bytes behind object_put and object_get, without a store: for tests and fuzzing. */
CHECKED int object_seal(struct repo *repo, enum object_kind kind, const struct object_id *id,
			struct slice payload, struct buf *ret, struct error *err);
CHECKED int object_open(struct repo *repo, enum object_kind kind, const struct object_id *id,
			struct slice stored, struct buf *payload, struct error *err);

#endif
