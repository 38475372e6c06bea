/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Key slots: the repository's one random master key, wrapped once for each password or key file that
 * may open it, each in an object keys/ID. Adding and removing slots rewrites no data.
 *
 * From the master key one key for each use is derived (HKDF); nothing is ever sealed with the master
 * key itself.
 */
#ifndef HF_REPO_KEYS_H
#define HF_REPO_KEYS_H

#include "base/base.h"
#include "base/error.h"
#include "crypto/crypto.h"
#include "repo/format.h"
#include "store/store.h"

/* What opens a slot; exactly one of the two is set. */
struct key_source {
	struct secret *password; /* borrowed */
	struct secret *key_file; /* borrowed; the file's content, at least 32 bytes */
};

/* Keys in use while a repository is open. Without the master, which only whoever opened a slot has,
 * everything can be read and written, but no key slot made. */
struct repo_keys {
	struct secret *master; /* may be NULL */
	struct secret *blob_id; /* HMAC of blob contents */
	struct secret *chunker; /* seeds the chunker's table */
	struct secret *fingerprint; /* GMAC of pages */
	struct secret *pack; /* HKDF root of each pack's own key */
	struct secret *object; /* HKDF root of each sealed object's own key */
};

struct key_slot_info {
	struct object_id id;
	const char *kind; /* "password" or "key-file" */
	char label[128]; /* what its maker called it */
	uint64_t created_ns; /* wall clock */
};

typedef int key_slot_fn(void *arg, const struct key_slot_info *slot, struct error *err);

CHECKED int keys_derive(const struct secret *master, struct repo_keys *ret, struct error *err);
void keys_done(struct repo_keys *keys);

/*
 * All but the master as bytes, for a host that takes part in one backup: KEYS_PORTABLE_SIZE of them,
 * which name the repository they are for. Whoever has them can read and add data of this repository for
 * as long as it lives, so they travel over an authenticated, encrypted connection only, and are never
 * written down.
 */
enum { KEYS_PORTABLE_SIZE = 4 + OBJECT_ID_SIZE + 5 * CRYPTO_KEY_SIZE };
CHECKED int keys_export(const struct repo_keys *keys, const struct object_id *repo_id,
			struct secret **ret, struct error *err);
/* ERR_PROTOCOL if these are not such bytes. They stay the caller's to wipe. */
CHECKED int keys_import(struct slice portable, struct object_id *ret_repo_id, struct repo_keys *ret,
			struct error *err);

/* Store a new slot that wraps `master` (NULL: ERR_PERMISSION). config_hash is the SHA-256 of holdfast.json's bytes, sealed in
 * with it: who changes that file makes every slot refuse. */
CHECKED int keys_slot_add(struct store *store, const struct object_id *repo_id,
			  const uint8_t config_hash[CRYPTO_HASH_SIZE], const struct secret *master,
			  const struct key_source *source, const char *label,
			  struct object_id *ret_id, struct error *err);
/* Try every slot of the source's kind. ERR_PASSWORD if none opens and none is damaged. */
CHECKED int keys_slot_unlock(struct store *store, const struct object_id *repo_id,
			     const uint8_t config_hash[CRYPTO_HASH_SIZE],
			     const struct key_source *source, struct secret **ret_master,
			     struct error *err);
CHECKED int keys_slot_list(struct store *store, key_slot_fn *each, void *arg, struct error *err);
/* The last slot is never removed (ERR_BAD_STATE). */
CHECKED int keys_slot_remove(struct store *store, const struct object_id *id, struct error *err);
/* The unkeyed checksum of every slot, for verify. */
CHECKED int keys_slot_check(struct store *store, struct slice data, const char *name,
			    struct key_slot_info *ret, struct error *err);

#endif
