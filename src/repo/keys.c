/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A slot is a JSON envelope: how to make the wrapping key, and the master key sealed with it together
 * with the hash of holdfast.json. The wrapping key is used for this one sealing only (fresh salt), so
 * nonce 0 is right. Associated data: "holdfast key slot", repository id, slot id.
 */
#include "repo/keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "repo/envelope.h"
#include "repo/names.h"

enum {
	SCRYPT_N = 1 << 16, /* with r = 8: 64 MiB and about 0.15 s; below the mover's ceiling */
	SCRYPT_R = 8,
	SCRYPT_P = 1,
	SLOT_FILE_MAX = 16 << 10,
	SLOT_PLAIN = CRYPTO_HASH_SIZE + CRYPTO_KEY_SIZE,
	SLOT_SEALED = SLOT_PLAIN + CRYPTO_TAG_SIZE,
	SLOTS_MAX = 256,
};

#define PORTABLE_MAGIC "hfk1"
#define AAD_TEXT "holdfast key slot"

struct slot {
	struct key_slot_info info;
	bool password;
	uint64_t n;
	uint32_t r, p;
	uint8_t salt[CRYPTO_SALT_SIZE];
	uint8_t sealed[SLOT_SEALED];
};

int
keys_derive(const struct secret *master, struct repo_keys *ret, struct error *err)
{
	struct repo_keys k = {0};
	const struct slice none = SLICE("", 0);

	if (crypto_derive(master, none, "holdfast blob id", &k.blob_id, err) < 0 ||
	    crypto_derive(master, none, "holdfast chunker", &k.chunker, err) < 0 ||
	    crypto_derive(master, none, "holdfast fingerprint", &k.fingerprint, err) < 0 ||
	    crypto_derive(master, none, "holdfast pack root", &k.pack, err) < 0 ||
	    crypto_derive(master, none, "holdfast object root", &k.object, err) < 0 ||
	    secret_new(CRYPTO_KEY_SIZE, &k.master, err) < 0) {
		keys_done(&k);
		return err->code;
	}
	memcpy(secret_bytes(k.master), secret_view(master), CRYPTO_KEY_SIZE);
	*ret = k;
	return OK;
}

void
keys_done(struct repo_keys *keys)
{
	secret_free(keys->master);
	secret_free(keys->blob_id);
	secret_free(keys->chunker);
	secret_free(keys->fingerprint);
	secret_free(keys->pack);
	secret_free(keys->object);
	*keys = (struct repo_keys){0};
}

/* In the order in which they travel. */
enum { PORTABLE_KEYS = 5 };

static void
portable_order(struct repo_keys *keys, struct secret **ret[PORTABLE_KEYS])
{
	ret[0] = &keys->blob_id;
	ret[1] = &keys->chunker;
	ret[2] = &keys->fingerprint;
	ret[3] = &keys->pack;
	ret[4] = &keys->object;
}

int
keys_export(const struct repo_keys *keys, const struct object_id *repo_id, struct secret **ret,
	    struct error *err)
{
	CLEAN(secret_freep) struct secret *portable = NULL;
	struct repo_keys borrowed = *keys;
	struct secret **order[PORTABLE_KEYS];

	if (secret_new(KEYS_PORTABLE_SIZE, &portable, err) < 0)
		return err->code;
	uint8_t *p = secret_bytes(portable);
	memcpy(p, PORTABLE_MAGIC, 4);
	memcpy(p + 4, repo_id->b, OBJECT_ID_SIZE);
	p += 4 + OBJECT_ID_SIZE;
	portable_order(&borrowed, order);
	for (size_t i = 0; i < PORTABLE_KEYS; i++, p += CRYPTO_KEY_SIZE)
		memcpy(p, secret_view(*order[i]), CRYPTO_KEY_SIZE);
	*ret = STEAL_PTR(portable);
	return OK;
}

int
keys_import(struct slice portable, struct object_id *ret_repo_id, struct repo_keys *ret,
	    struct error *err)
{
	struct repo_keys keys = {0};
	struct secret **order[PORTABLE_KEYS];

	if (portable.n != KEYS_PORTABLE_SIZE || memcmp(portable.p, PORTABLE_MAGIC, 4) != 0)
		return error_set(err, ERR_PROTOCOL, "these are not the keys of a repository");
	const uint8_t *p = portable.p + 4 + OBJECT_ID_SIZE;
	portable_order(&keys, order);
	for (size_t i = 0; i < PORTABLE_KEYS; i++, p += CRYPTO_KEY_SIZE) {
		if (secret_new(CRYPTO_KEY_SIZE, order[i], err) < 0) {
			keys_done(&keys);
			return err->code;
		}
		memcpy(secret_bytes(*order[i]), p, CRYPTO_KEY_SIZE);
	}
	memcpy(ret_repo_id->b, portable.p + 4, OBJECT_ID_SIZE);
	*ret = keys;
	return OK;
}

/* The key that wraps the master key: slow from a password, quick from a key file. */
static int
wrapping_key(const struct slot *slot, const struct key_source *source, struct secret **ret,
	     struct error *err)
{
	struct slice salt = SLICE(slot->salt, sizeof(slot->salt));

	if (slot->password)
		return crypto_scrypt(
			SLICE(secret_view(source->password), secret_size(source->password)), salt,
			slot->n, slot->r, slot->p, ret, err);
	return crypto_derive(source->key_file, salt, "holdfast key file", ret, err);
}

static size_t
make_aad(const struct object_id *repo_id, const struct object_id *slot_id, uint8_t aad[64])
{
	size_t n = strlen(AAD_TEXT);

	memcpy(aad, AAD_TEXT, n);
	memcpy(aad + n, repo_id->b, OBJECT_ID_SIZE);
	memcpy(aad + n + OBJECT_ID_SIZE, slot_id->b, OBJECT_ID_SIZE);
	return n + 2 * OBJECT_ID_SIZE;
}

static json_t *
slot_json(const struct slot *s)
{
	char id[2 * OBJECT_ID_SIZE + 1], salt[2 * CRYPTO_SALT_SIZE + 1],
		sealed[2 * SLOT_SEALED + 1];

	return json_pack("{s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:s}", "version",
			 FORMAT_VERSION, "id", hex_encode(s->info.id.b, OBJECT_ID_SIZE, id), "kind",
			 s->info.kind, "label", s->info.label, "created",
			 (json_int_t)s->info.created_ns, "n", (json_int_t)s->n, "r",
			 (json_int_t)s->r, "p", (json_int_t)s->p, "salt",
			 hex_encode(s->salt, sizeof(s->salt), salt), "sealed",
			 hex_encode(s->sealed, sizeof(s->sealed), sealed));
}

static int
seal_slot(struct slot *slot, const struct object_id *repo_id, const uint8_t *config_hash,
	  const struct secret *master, const struct key_source *source, struct error *err)
{
	CLEAN(secret_freep) struct secret *wrap = NULL;
	CLEAN(secret_freep) struct secret *plain = NULL;
	CLEAN(cipher_freep) struct cipher *cipher = NULL;
	uint8_t aad[64];
	size_t aad_n = make_aad(repo_id, &slot->info.id, aad);

	if (wrapping_key(slot, source, &wrap, err) < 0 || cipher_new(wrap, &cipher, err) < 0 ||
	    secret_new(SLOT_PLAIN, &plain, err) < 0)
		return err->code;
	memcpy(secret_bytes(plain), config_hash, CRYPTO_HASH_SIZE);
	memcpy(secret_bytes(plain) + CRYPTO_HASH_SIZE, secret_view(master), CRYPTO_KEY_SIZE);
	return cipher_seal(cipher, 0, SLICE(aad, aad_n), SLICE(secret_view(plain), SLOT_PLAIN),
			   slot->sealed, err);
}

int
keys_slot_add(struct store *store, const struct object_id *repo_id,
	      const uint8_t config_hash[CRYPTO_HASH_SIZE], const struct secret *master,
	      const struct key_source *source, const char *label, struct object_id *ret_id,
	      struct error *err)
{
	struct slot slot = {.password = source->password != NULL};
	CLEAN(json_done) json_t *json = NULL;
	CLEAN(buf_done) struct buf file = BUF_INIT(SLOT_FILE_MAX);
	struct error ignored = ERROR_INIT;
	char name[NAME_SIZE];

	if (master == NULL)
		return error_set(err, ERR_PERMISSION,
				 "only who opened the repository with a password or key file may "
				 "add keys");
	slot.info.kind = slot.password ? "password" : "key-file";
	slot.info.created_ns = clock_wall_ns();
	if (strlen(label) >= sizeof(slot.info.label))
		return error_set(err, ERR_LIMIT, "a key's label has at most %zu bytes",
				 sizeof(slot.info.label) - 1);
	memcpy(slot.info.label, label, strlen(label) + 1);
	if (slot.password) {
		slot.n = SCRYPT_N;
		slot.r = SCRYPT_R;
		slot.p = SCRYPT_P;
	}
	if (crypto_random(slot.info.id.b, OBJECT_ID_SIZE, err) < 0 ||
	    crypto_random(slot.salt, sizeof(slot.salt), err) < 0 ||
	    seal_slot(&slot, repo_id, config_hash, master, source, err) < 0)
		return error_prefix(err, "make a key slot");
	json = slot_json(&slot);
	if (json == NULL)
		return error_set(err, ERR_USAGE, "the key's label is not valid UTF-8");
	if (envelope_write("key", json, &file, err) < 0)
		return error_prefix(err, "store a key slot");
	if (store_put(store, name_object(NAME_KEYS, &slot.info.id, name), buf_slice(&file), err) <
	    0) {
		/* Perhaps it is there all the same; a key that was said not to be made must not be. */
		(void)!store_remove(store, name, &ignored);
		return error_prefix(err, "store a key slot");
	}
	*ret_id = slot.info.id;
	return OK;
}

static int
get_hex(const json_t *j, const char *key, void *p, size_t n, struct error *err)
{
	const char *text;

	if (json_get_str(j, key, &text, err) < 0)
		return err->code;
	if (!hex_decode(text, strlen(text), p, n))
		return error_set(err, ERR_CORRUPT, "field '%s' is not %zu hexadecimal bytes", key,
				 n);
	return OK;
}

static int
parse_slot_fields(const json_t *j, struct slot *s, struct error *err)
{
	const char *kind, *label;
	uint64_t version, r, p;

	if (json_get_u64(j, "version", &version, err) < 0)
		return err->code;
	if (version > FORMAT_VERSION)
		return error_set(err, ERR_VERSION, "the key slot has format version %" PRIu64,
				 version);
	if (json_get_str(j, "kind", &kind, err) < 0 || json_get_str(j, "label", &label, err) < 0 ||
	    json_get_u64(j, "created", &s->info.created_ns, err) < 0 ||
	    json_get_u64(j, "n", &s->n, err) < 0 || json_get_u64(j, "r", &r, err) < 0 ||
	    json_get_u64(j, "p", &p, err) < 0 ||
	    get_hex(j, "id", s->info.id.b, OBJECT_ID_SIZE, err) < 0 ||
	    get_hex(j, "salt", s->salt, sizeof(s->salt), err) < 0 ||
	    get_hex(j, "sealed", s->sealed, sizeof(s->sealed), err) < 0)
		return err->code;
	if (r > UINT32_MAX || p > UINT32_MAX || strlen(label) >= sizeof(s->info.label))
		return error_set(err, ERR_CORRUPT, "a field is out of range");
	s->r = (uint32_t)r;
	s->p = (uint32_t)p;
	memcpy(s->info.label, label, strlen(label) + 1);
	s->password = strcmp(kind, "password") == 0;
	if (!s->password && strcmp(kind, "key-file") != 0)
		return error_set(err, ERR_VERSION, "key slots of kind '%s' are not known", kind);
	s->info.kind = s->password ? "password" : "key-file";
	return OK;
}

static int
parse_slot(struct slice file, const char *name, struct slot *ret, struct error *err)
{
	CLEAN(json_done) json_t *json = NULL;
	struct slot s = {0};
	struct object_id named;

	if (envelope_read("key", file, &json, err) < 0)
		return err->code;
	if (parse_slot_fields(json, &s, err) < 0) {
		if (err->code == ERR_PROTOCOL)
			err->code = ERR_CORRUPT;
		return err->code;
	}
	if (!name_parse_object(NAME_KEYS, name, &named) ||
	    memcmp(&named, &s.info.id, sizeof(named)) != 0)
		return error_set(err, ERR_CORRUPT, "the key slot lies under another slot's name");
	*ret = s;
	return OK;
}

int
keys_slot_check(struct store *store, struct slice data, const char *name, struct key_slot_info *ret,
		struct error *err)
{
	struct slot slot;

	(void)store;
	if (parse_slot(data, name, &slot, err) < 0)
		return error_prefix(err, "%s", name);
	*ret = slot.info;
	return OK;
}

/* All slot names, before any is opened: the store's listing callback must not call the store. */
struct names {
	size_t n;
	char names[SLOTS_MAX][NAME_SIZE];
};

static int
collect_name(void *arg, const struct store_entry *entry, struct error *err)
{
	struct names *names = arg;
	struct object_id id;

	if (!name_parse_object(NAME_KEYS, entry->name, &id))
		return OK;
	if (names->n == SLOTS_MAX)
		return error_set(err, ERR_LIMIT, "more than %d key slots", SLOTS_MAX);
	(void)snprintf(names->names[names->n++], NAME_SIZE, "%s", entry->name);
	return OK;
}

static int
read_slot(struct store *store, const char *name, struct slot *ret, struct error *err)
{
	CLEAN(buf_done) struct buf file = BUF_INIT(SLOT_FILE_MAX);

	if (store_get(store, name, &file, err) < 0 ||
	    parse_slot(buf_slice(&file), name, ret, err) < 0)
		return error_prefix(err, "%s", name);
	return OK;
}

/* 1 opened, 0 another password, < 0 error. */
static int
open_slot(const struct slot *slot, const struct object_id *repo_id, const uint8_t *config_hash,
	  const struct key_source *source, struct secret **ret_master, struct error *err)
{
	CLEAN(secret_freep) struct secret *wrap = NULL;
	CLEAN(secret_freep) struct secret *plain = NULL;
	CLEAN(cipher_freep) struct cipher *cipher = NULL;
	CLEAN(secret_freep) struct secret *master = NULL;
	uint8_t aad[64];
	size_t aad_n = make_aad(repo_id, &slot->info.id, aad);

	if (wrapping_key(slot, source, &wrap, err) < 0 || cipher_new(wrap, &cipher, err) < 0 ||
	    secret_new(SLOT_PLAIN, &plain, err) < 0 ||
	    secret_new(CRYPTO_KEY_SIZE, &master, err) < 0)
		return err->code;
	if (cipher_open(cipher, 0, SLICE(aad, aad_n), SLICE(slot->sealed, SLOT_SEALED),
			secret_bytes(plain), err) < 0)
		return err->code == ERR_CORRUPT ? 0 : err->code;
	if (memcmp(secret_view(plain), config_hash, CRYPTO_HASH_SIZE) != 0)
		return error_set(err, ERR_CORRUPT,
				 "'" NAME_CONFIG "' is not the one that this key "
				 "slot was made for");
	memcpy(secret_bytes(master), secret_view(plain) + CRYPTO_HASH_SIZE, CRYPTO_KEY_SIZE);
	*ret_master = STEAL_PTR(master);
	return 1;
}

int
keys_slot_unlock(struct store *store, const struct object_id *repo_id,
		 const uint8_t config_hash[CRYPTO_HASH_SIZE], const struct key_source *source,
		 struct secret **ret_master, struct error *err)
{
	CLEAN(free_ptr) struct names *names = calloc(1, sizeof(*names));
	struct error damaged = ERROR_INIT;

	if (names == NULL)
		return error_no_memory(err);
	if (store_list(store, NAME_KEYS, collect_name, names, err) < 0)
		return error_prefix(err, "list the key slots");
	for (size_t i = 0; i < names->n; i++) {
		struct slot slot;

		/* A damaged slot must not keep out who holds another; it is told if none opens. */
		if (read_slot(store, names->names[i], &slot, err) < 0) {
			damaged = *err;
			continue;
		}
		if (slot.password != (source->password != NULL))
			continue;
		int r = open_slot(&slot, repo_id, config_hash, source, ret_master, err);
		/* Whoever may write to the store could have put in impossible parameters. */
		if (r == ERR_LIMIT) {
			error_prefix(err, "%s", names->names[i]);
			damaged = *err;
			damaged.code = ERR_CORRUPT;
			continue;
		}
		if (r != 0)
			return r < 0 ? error_prefix(err, "%s", names->names[i]) : OK;
	}
	if (damaged.code != OK) {
		*err = damaged;
		return err->code;
	}
	if (names->n == 0)
		return error_set(err, ERR_CORRUPT, "the repository has no key slot left");
	return error_set(err, ERR_PASSWORD, "no key slot opens with this %s",
			 source->password != NULL ? "password" : "key file");
}

int
keys_slot_list(struct store *store, key_slot_fn *each, void *arg, struct error *err)
{
	CLEAN(free_ptr) struct names *names = calloc(1, sizeof(*names));

	if (names == NULL)
		return error_no_memory(err);
	if (store_list(store, NAME_KEYS, collect_name, names, err) < 0)
		return error_prefix(err, "list the key slots");
	for (size_t i = 0; i < names->n; i++) {
		struct slot slot;
		int r;

		if (read_slot(store, names->names[i], &slot, err) < 0)
			return err->code;
		r = each(arg, &slot.info, err);
		if (r < 0)
			return r;
	}
	return OK;
}

int
keys_slot_remove(struct store *store, const struct object_id *id, struct error *err)
{
	CLEAN(free_ptr) struct names *names = calloc(1, sizeof(*names));
	bool found = false, another = false;
	char name[NAME_SIZE];

	if (names == NULL)
		return error_no_memory(err);
	if (store_list(store, NAME_KEYS, collect_name, names, err) < 0)
		return error_prefix(err, "list the key slots");
	name_object(NAME_KEYS, id, name);
	for (size_t i = 0; i < names->n; i++) {
		struct slot slot;

		if (strcmp(names->names[i], name) == 0)
			found = true;
		else if (read_slot(store, names->names[i], &slot, err) == OK)
			another = true;
		else if (err->code != ERR_CORRUPT && err->code != ERR_VERSION &&
			 err->code != ERR_NOT_FOUND)
			return err->code;
	}
	if (!found)
		return error_set(err, ERR_NOT_FOUND, "no such key slot");
	/* Damaged slots do not count: they open nothing. */
	if (!another) {
		error_set(err, ERR_BAD_STATE,
			  "this is the last key slot: without it nobody could open "
			  "the repository again");
		return error_hint(err, "Add another key first ('holdfast key add').");
	}
	return store_remove(store, name, err) < 0 ? err->code : OK;
}
