/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A repository: a store whose keys have been unlocked, plus its local cache. Made once by
 * repo_init(), opened by whoever holds a password or key file. What can be done with it lies in
 * handles by capability: repo_reader (repo/read.h), repo_writer (repo/write.h), repo_pruner
 * (repo/prune.h), so that a reader cannot write and a writer cannot delete.
 *
 * struct repo itself is immutable after opening and may be used by all threads.
 */
#ifndef HF_REPO_REPO_H
#define HF_REPO_REPO_H

#include "base/base.h"
#include "base/error.h"
#include "repo/format.h"
#include "repo/keys.h"
#include "store/store.h"

struct repo {
	struct store *store; /* borrowed: outlives the repo */
	struct object_id id;
	char id_text[2 * OBJECT_ID_SIZE + 1];
	struct repo_keys keys;
	uint8_t config_hash
		[CRYPTO_HASH_SIZE]; /* of holdfast.json; new key slots seal it in. Zero without
						  the master key */
	char *cache_path; /* this repository's own folder in the local cache, exists */
};

/*
 * Turn an empty store into a repository with one key slot made from `source`. ERR_EXISTS if there is
 * one already. holdfast.json is written last: before that there is no repository.
 */
CHECKED int repo_init(struct store *store, const struct key_source *source, const char *label,
		      struct object_id *ret_id, struct error *err);

/*
 * Unlock. `cache_root` is the folder under which each repository has its own cache folder (created
 * 0700 as needed). ERR_NO_REPOSITORY, ERR_VERSION, ERR_PASSWORD, ERR_CORRUPT say what is wrong.
 */
CHECKED int repo_open(struct store *store, const struct key_source *source, const char *cache_root,
		      struct repo **ret, struct error *err);
/*
 * Open with keys that somebody else unlocked (keys_import); they are taken over, also on failure. For a
 * host that takes part in a backup: it reads and adds data, but opens no key slots and makes none. Nothing
 * is read from the store: that the keys are this repository's shows when something is.
 */
CHECKED int repo_open_keys(struct store *store, const struct object_id *id, struct repo_keys *keys,
			   const char *cache_root, struct repo **ret, struct error *err);
void repo_close(struct repo *repo); /* wipes the keys; NULL is fine */
void repo_closep(struct repo **repo);

#endif
