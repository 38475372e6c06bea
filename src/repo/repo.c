/* SPDX-License-Identifier: Apache-2.0 */

/* Making and opening repositories. Order matters in repo_init: holdfast.json comes last. */
#include "repo/repo.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/json.h"
#include "repo/envelope.h"
#include "repo/names.h"

enum { CONFIG_FILE_MAX = 16 << 10 };

static int
make_config(const struct object_id *id, struct buf *file, struct error *err)
{
	char hex[2 * OBJECT_ID_SIZE + 1];
	CLEAN(json_done)
	json_t *json = json_pack("{s:i, s:s, s:I}", "version", FORMAT_VERSION, "id",
				 hex_encode(id->b, sizeof(id->b), hex), "created",
				 (json_int_t)clock_wall_ns());

	if (json == NULL)
		return error_no_memory(err);
	return envelope_write("holdfast", json, file, err);
}

/*
 * What was stored is of no use, and would keep the next try from an empty folder. The first one may
 * be there although storing it failed; unless it is there because somebody else was quicker: then it
 * is theirs.
 */
static void
take_back(struct store *store, const struct object_id *slot, enum err why)
{
	struct error ignored = ERROR_INIT;
	char name[NAME_SIZE];

	if (why == ERR_EXISTS || store_remove(store, NAME_CONFIG, &ignored) >= 0)
		(void)!store_remove(store, name_object(NAME_KEYS, slot, name), &ignored);
}

int
repo_init(struct store *store, const struct key_source *source, const char *label,
	  struct object_id *ret_id, struct error *err)
{
	CLEAN(secret_freep) struct secret *master = NULL;
	CLEAN(buf_done) struct buf config = BUF_INIT(CONFIG_FILE_MAX);
	uint8_t hash[CRYPTO_HASH_SIZE];
	struct object_id id, slot;
	uint64_t size;

	int r = store_stat(store, NAME_CONFIG, &size, err);
	if (r < 0)
		return err->code;
	if (r == 1)
		return error_set(err, ERR_EXISTS, "there is a repository here already");
	if (crypto_random(id.b, sizeof(id.b), err) < 0 ||
	    secret_random(CRYPTO_KEY_SIZE, &master, err) < 0 ||
	    make_config(&id, &config, err) < 0 ||
	    crypto_sha256(buf_slice(&config), hash, err) < 0 ||
	    keys_slot_add(store, &id, hash, master, source, label, &slot, err) < 0)
		return err->code;
	if (store_put(store, NAME_CONFIG, buf_slice(&config), err) < 0) {
		take_back(store, &slot, err->code);
		return error_prefix(err, "store '" NAME_CONFIG "'");
	}
	*ret_id = id;
	return OK;
}

/* Version before everything else: a newer repository must be called newer, not damaged. */
static int
read_config(struct store *store, struct object_id *ret_id, uint8_t hash[CRYPTO_HASH_SIZE],
	    struct error *err)
{
	CLEAN(buf_done) struct buf file = BUF_INIT(CONFIG_FILE_MAX);
	CLEAN(json_done) json_t *json = NULL;
	uint64_t version;
	const char *hex;

	if (store_get(store, NAME_CONFIG, &file, err) < 0) {
		if (err->code == ERR_NOT_FOUND)
			return error_set(err, ERR_NO_REPOSITORY, "no '" NAME_CONFIG "' here");
		return error_prefix(err, "read '" NAME_CONFIG "'");
	}
	if (envelope_read("holdfast", buf_slice(&file), &json, err) < 0)
		return error_prefix(err, "'" NAME_CONFIG "'");
	if (json_get_u64(json, "version", &version, err) < 0 ||
	    json_get_str(json, "id", &hex, err) < 0)
		return error_set(err, ERR_CORRUPT, "'" NAME_CONFIG "' lacks a field");
	if (version > FORMAT_VERSION)
		return error_set(err, ERR_VERSION,
				 "the repository has format version %" PRIu64
				 ", this program knows %d",
				 version, FORMAT_VERSION);
	if (version == 0 || !hex_decode(hex, strlen(hex), ret_id->b, sizeof(ret_id->b)))
		return error_set(err, ERR_CORRUPT, "'" NAME_CONFIG "' has an impossible field");
	return crypto_sha256(buf_slice(&file), hash, err);
}

static int
make_cache(struct repo *repo, const char *cache_root, struct error *err)
{
	if (asprintf(&repo->cache_path, "%s/%s", cache_root, repo->id_text) < 0) {
		repo->cache_path = NULL;
		return error_no_memory(err);
	}
	if (fs_mkdirs(AT_FDCWD, repo->cache_path, 0700, err) < 0) {
		error_prefix(err, "make the cache folder '%s'", repo->cache_path);
		return error_hint(err, "Give a folder that can be written, with --cache-dir or "
				       "HOLDFAST_CACHE_DIR.");
	}
	return OK;
}

int
repo_open(struct store *store, const struct key_source *source, const char *cache_root,
	  struct repo **ret, struct error *err)
{
	CLEAN(repo_closep) struct repo *repo = calloc(1, sizeof(*repo));
	CLEAN(secret_freep) struct secret *master = NULL;
	uint8_t hash[CRYPTO_HASH_SIZE];

	if (repo == NULL)
		return error_no_memory(err);
	repo->store = store;
	if (read_config(store, &repo->id, hash, err) < 0)
		return err->code;
	hex_encode(repo->id.b, sizeof(repo->id.b), repo->id_text);
	memcpy(repo->config_hash, hash, sizeof(hash));
	if (keys_slot_unlock(store, &repo->id, hash, source, &master, err) < 0 ||
	    keys_derive(master, &repo->keys, err) < 0 || make_cache(repo, cache_root, err) < 0)
		return err->code;
	*ret = STEAL_PTR(repo);
	return OK;
}

int
repo_open_keys(struct store *store, const struct object_id *id, struct repo_keys *keys,
	       const char *cache_root, struct repo **ret, struct error *err)
{
	CLEAN(repo_closep) struct repo *repo = calloc(1, sizeof(*repo));

	if (repo == NULL) {
		keys_done(keys);
		return error_no_memory(err);
	}
	repo->keys = *keys;
	*keys = (struct repo_keys){0};
	repo->store = store;
	repo->id = *id;
	hex_encode(id->b, sizeof(id->b), repo->id_text);
	if (make_cache(repo, cache_root, err) < 0)
		return err->code;
	*ret = STEAL_PTR(repo);
	return OK;
}

void
repo_close(struct repo *repo)
{
	if (repo == NULL)
		return;
	keys_done(&repo->keys);
	free(repo->cache_path);
	free(repo);
}

void
repo_closep(struct repo **repo)
{
	repo_close(*repo);
}
