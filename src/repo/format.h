/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Constants and ids of the repository format; doc/format.md says what every byte means. A change
 * here that old readers would not understand needs a new FORMAT_VERSION.
 */
#ifndef HF_REPO_FORMAT_H
#define HF_REPO_FORMAT_H

#include <stdbool.h>
#include <string.h>

#include "base/base.h"

enum {
	FORMAT_VERSION = 1,

	BLOB_ID_SIZE = 32,
	PACK_ID_SIZE = 16,
	OBJECT_ID_SIZE = 16, /* restore points, index objects, marks, key slots, repositories */

	BLOB_MAX = 1 << 20, /* no blob is longer */
	FRAME_PLAIN_MAX = 4 << 20, /* nor any frame, unpacked */
	FRAME_STORED_MAX = FRAME_PLAIN_MAX + 1024,
	PACK_SIZE_MAX = 1 << 30,
	PACK_BLOBS_MAX = 1 << 16,

	SEGMENT_SIZE = 64 << 20, /* of a file, covered by one map node */
	REGION_SIZE = 1 << 20, /* of a paged file, covered by one region leaf */
	REGION_PAGES_MAX = 256, /* at 4 KiB pages */
	SEGMENT_REGIONS = SEGMENT_SIZE / REGION_SIZE,
};

/* What is stored with what: data of files; pages of databases and images; trees and maps. */
enum blob_class {
	BLOB_DATA = 1,
	BLOB_PAGES = 2,
	BLOB_META = 3,
};

struct blob_id {
	uint8_t b[BLOB_ID_SIZE];
};

struct pack_id {
	uint8_t b[PACK_ID_SIZE];
};

struct object_id {
	uint8_t b[OBJECT_ID_SIZE];
};

/* All zero: in maps, "a hole". HMAC-SHA-256 never gives it. */
static inline bool
blob_id_is_hole(const struct blob_id *id)
{
	static const struct blob_id hole;

	return memcmp(id, &hole, sizeof(hole)) == 0;
}

static inline bool
blob_id_equal(const struct blob_id *a, const struct blob_id *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

#endif
