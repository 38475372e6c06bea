/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Content-defined chunking (gear hash) with a table drawn from the repository's key, so that chunk
 * lengths do not betray which known file is stored. Normalised: a stricter mask before the wanted
 * size and a looser one after it keep lengths near the average.
 */
#ifndef HF_REPO_CHUNKER_H
#define HF_REPO_CHUNKER_H

#include "base/base.h"
#include "base/error.h"
#include "crypto/crypto.h"

enum {
	CHUNK_MIN = 64 << 10,
	CHUNK_AVERAGE = 256 << 10,
	CHUNK_MAX = 1 << 20,
};

struct chunker {
	uint64_t gear[256];
};

CHECKED int chunker_init(struct chunker *c, const struct secret *key, struct error *err);

/*
 * The length of the first chunk of p[0..n): between CHUNK_MIN and CHUNK_MAX, or n if the data ends
 * before. Unless the data ends there, n must be at least CHUNK_MAX for the cut to depend on content
 * alone. Pure; any number of threads may use one chunker.
 */
size_t chunker_cut(const struct chunker *c, const uint8_t *p, size_t n);

#endif
