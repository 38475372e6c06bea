/* SPDX-License-Identifier: Apache-2.0 */

/* What the steps of a verification share: verify.c (structure) and verify_packs.c (stored bytes). */
#ifndef HF_REPO_VERIFY_INTERNAL_H
#define HF_REPO_VERIFY_INTERNAL_H

#include <pthread.h>

#include "crypto/crypto.h"
#include "repo/verify.h"

/* A pack that is to be there. */
struct listed_pack {
	struct pack_id id;
	uint8_t class;
	bool wanted; /* to be read */
	bool seen; /* the store has it, with so many bytes: */
	uint64_t size_found;
	uint64_t size;
	uint8_t table_hash[CRYPTO_HASH_SIZE]; /* of the table as the index has it */
};

struct verify {
	struct repo *repo; /* with a cache folder of this run alone */
	const struct verify_options *options;
	struct verify_stats *stats;
	pthread_mutex_t lock; /* the problem callback */
	struct listed_pack *packs; /* sorted by id; from verify_packs() on by size */
	size_t n_packs, cap_packs;
};

void verify_problem(struct verify *v, const char *object, const char *message);
bool verify_cancelled(const struct verify *v);
/* Read every wanted pack, on several threads; the last step, it sorts them anew. Problems are
 * reported; < 0 only when it cannot go on. */
CHECKED int verify_packs(struct verify *v, struct error *err);

#endif
