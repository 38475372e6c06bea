/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The repositories in test/golden: one for each version of the format that was ever released, made once
 * and read for ever. golden_make() writes what this version of the program writes; golden_check() reads
 * one back and compares all of it with what golden.c computes, with rig_fill() and rig_random().
 */
#ifndef HF_TEST_UNIT_REPO_GOLDEN_H
#define HF_TEST_UNIT_REPO_GOLDEN_H

#include "base/error.h"
#include "repo/repo.h"
#include "store/store.h"

/* The two keys that open it: a password, and a key file of 32 bytes. */
#define GOLDEN_PASSWORD "golden"
CHECKED int golden_key(bool password, struct secret **ret, struct key_source *ret_source,
		       struct error *err);

/* Fill an empty store. cache_root: a folder for the cache. */
CHECKED int golden_make(struct store *store, const char *cache_root, struct error *err);
/* ERR_INTERNAL says what is not as it was. */
CHECKED int golden_check(struct repo *repo, struct error *err);

#endif
