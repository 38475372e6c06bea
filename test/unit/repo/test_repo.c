/* SPDX-License-Identifier: Apache-2.0 */

/* Making and opening: each thing that can be wrong with the place has its own answer. */
#include "repo/repo.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "base/json.h"
#include "repo/envelope.h"
#include "repo/names.h"
#include "rig.h"
#include "store/fault.h"
#include "store/mem.h"

static int
try_open(struct rig *r)
{
	struct repo *repo = NULL;
	int rc = repo_open(r->store, &r->source, r->cache, &repo, &r->err);

	assert_true((repo != NULL) == (rc == OK));
	repo_close(repo);
	return rc;
}

static void
made_and_opened(void **state)
{
	struct rig *r = *state;
	struct object_id id;
	struct stat st;

	assert_int_equal(strlen(r->repo->id_text), 2 * OBJECT_ID_SIZE);
	assert_int_equal(stat(r->repo->cache_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_non_null(strstr(r->repo->cache_path, r->repo->id_text));
	assert_int_equal(rig_count(r, ""), 2);
	rig_fails(r, repo_init(r->store, &r->source, "again", &id, &r->err), ERR_EXISTS);
	assert_int_equal(rig_count(r, ""), 2);
	rig_ok(r, try_open(r));
}

static void
two_are_never_alike(void **state)
{
	struct rig *r = *state, *other = rig_new(false);

	assert_memory_not_equal(&r->repo->id, &other->repo->id, OBJECT_ID_SIZE);
	assert_memory_not_equal(secret_view(r->repo->keys.master),
				secret_view(other->repo->keys.master), CRYPTO_KEY_SIZE);
	rig_free(other);
}

static void
nothing_there(void **state)
{
	struct rig *r = *state;
	struct store *real = r->store, *empty = NULL;

	rig_ok(r, store_mem_open(&empty, &r->err));
	r->store = empty;
	rig_fails(r, try_open(r), ERR_NO_REPOSITORY);
	r->store = real;
	store_close(empty);
}

static void
wrong_key(void **state)
{
	struct rig *r = *state;

	secret_bytes(r->key)[31] ^= 1;
	rig_fails(r, try_open(r), ERR_PASSWORD);
	secret_bytes(r->key)[31] ^= 1;
	rig_ok(r, try_open(r));
}

static void
every_bit_of_the_configuration(void **state)
{
	struct rig *r = *state;
	size_t n;
	uint8_t *p = store_mem_bytes(r->mem, NAME_CONFIG, &n);

	for (size_t i = 0; i < 8 * n; i++) {
		p[i / 8] ^= (uint8_t)(1u << i % 8);
		rig_fails(r, try_open(r), ERR_CORRUPT);
		p[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	rig_ok(r, try_open(r));
	while (n-- > 0) {
		store_mem_truncate(r->mem, NAME_CONFIG, n);
		rig_fails(r, try_open(r), ERR_CORRUPT);
	}
}

/* With a checksum that is right: the checksum has no key. */
static void
replace_config(struct rig *r, json_t *json)
{
	CLEAN(buf_done) struct buf file = BUF_INIT(4096);

	assert_non_null(json);
	rig_ok(r, envelope_write("holdfast", json, &file, &r->err));
	assert_int_equal(store_remove(r->mem, NAME_CONFIG, &r->err), 1);
	rig_ok(r, store_put(r->mem, NAME_CONFIG, buf_slice(&file), &r->err));
	json_decref(json);
}

static void
altered_on_purpose(void **state)
{
	struct rig *r = *state;
	const char *id = r->repo->id_text;

	replace_config(r, json_pack("{s:i, s:s, s:i}", "version", 1, "id", id, "created", 1));
	rig_fails(r, try_open(r), ERR_CORRUPT);
	assert_non_null(strstr(r->err.msg, "not the one"));
	replace_config(r, json_pack("{s:i, s:s, s:i}", "version", 2, "id", id, "created", 1));
	rig_fails(r, try_open(r), ERR_VERSION);
	/* Newer, whatever else may be different then. */
	replace_config(r, json_pack("{s:i, s:s}", "version", 3, "id", "a new form of id"));
	rig_fails(r, try_open(r), ERR_VERSION);
	replace_config(r, json_pack("{s:i, s:s}", "version", 0, "id", id));
	rig_fails(r, try_open(r), ERR_CORRUPT);
	replace_config(r, json_pack("{s:i, s:s}", "version", 1, "id", "00"));
	rig_fails(r, try_open(r), ERR_CORRUPT);
	replace_config(r, json_pack("{s:i}", "version", 1));
	rig_fails(r, try_open(r), ERR_CORRUPT);
	replace_config(r, json_pack("[]"));
	rig_fails(r, try_open(r), ERR_CORRUPT);
	replace_config(r, json_pack("{s:s, s:s}", "version", "1", "id", id));
	rig_fails(r, try_open(r), ERR_CORRUPT);
}

static void
cache_cannot_be_made(void **state)
{
	struct rig *r = *state;
	struct repo *repo = NULL;

	rig_fails(r, repo_open(r->store, &r->source, "/dev/null", &repo, &r->err), ERR_IO);
	assert_null(repo);
	assert_non_null(strstr(r->err.msg, "/dev/null/"));
	assert_non_null(strstr(r->err.hint, "--cache-dir"));
}

/* Whatever fails while a repository is made: either there is one that opens, or there is none. */
static void
making_fails_half_way(void **state)
{
	static const enum store_fault kinds[] = {STORE_FAULT_ERROR, STORE_FAULT_FULL,
						 STORE_FAULT_LOST_REPLY, STORE_FAULT_SHORT};
	struct rig *r = *state;
	struct store *kept = r->store;
	size_t runs = 0;

	for (size_t k = 0; k < 2 * ARRAY_SIZE(kinds); k++) {
		for (uint64_t n = 1;; n++, runs++) {
			struct store *mem = NULL, *fault = NULL;
			struct object_id id;

			rig_ok(r, store_mem_open(&mem, &r->err));
			rig_ok(r, store_fault_open(mem, &fault, &r->err));
			store_fault_arm(fault, kinds[k / 2], n, k % 2 != 0);
			int rc = repo_init(fault, &r->source, "", &id, &r->err);
			bool fired = store_fault_fired(fault) > 0;
			store_fault_arm(fault, STORE_FAULT_NONE, 0, false);
			r->store = fault;
			int opened = try_open(r);
			r->store = kept;
			if (rc == OK || kinds[k / 2] == STORE_FAULT_LOST_REPLY)
				assert_true(opened == OK || opened == ERR_NO_REPOSITORY);
			else
				rig_fails(r, opened, ERR_NO_REPOSITORY);
			if (rc == OK)
				rig_ok(r, opened);
			assert_true(rc == OK || fired);
			store_close(fault);
			if (!fired)
				break;
		}
	}
	assert_true(runs >= 20);
}

static int
see_no_config(struct store *s, const char *name, uint64_t *ret_size, struct error *err)
{
	(void)s;
	(void)name;
	(void)ret_size;
	(void)err;
	return 0;
}

/* Two make one at the same place at the same time: the second must not take away the first's. */
static void
somebody_was_quicker(void **state)
{
	struct rig *r = *state;
	const struct store_ops *real = r->mem->ops;
	struct store_ops late = *real;
	struct object_id id;

	late.stat = see_no_config;
	r->mem->ops = &late;
	rig_fails(r, repo_init(r->mem, &r->source, "", &id, &r->err), ERR_EXISTS);
	r->mem->ops = real;
	assert_int_equal(rig_count(r, ""), 2); /* nor leave a key behind that opens nothing */
	rig_ok(r, try_open(r));
}

/* What a guest gets is enough to read and write, and no more. */
static void
opened_with_keys_alone(void **state)
{
	struct rig *r = *state;
	CLEAN(secret_freep) struct secret *portable = NULL;
	struct repo *real = r->repo, *guest = NULL;
	struct repo_keys keys;
	struct object_id id, slot;
	struct blob_id blob;

	rig_ok(r, keys_export(&real->keys, &real->id, &portable, &r->err));
	struct slice bytes = SLICE(secret_view(portable), secret_size(portable));
	rig_fails(r, keys_import(SLICE(bytes.p, bytes.n - 1), &id, &keys, &r->err), ERR_PROTOCOL);
	rig_ok(r, keys_import(bytes, &id, &keys, &r->err));
	assert_memory_equal(&id, &real->id, sizeof(id));
	rig_ok(r, repo_open_keys(r->store, &id, &keys, r->cache, &guest, &r->err));
	assert_null(keys.object);
	assert_string_equal(guest->cache_path, real->cache_path);
	rig_fails(r,
		  keys_slot_add(r->store, &id, guest->config_hash, guest->keys.master, &r->source,
				"mine", &slot, &r->err),
		  ERR_PERMISSION);

	r->repo = guest;
	rig_begin(r, NULL);
	blob = rig_put(r, BLOB_DATA, "from a guest", 12);
	rig_end(r);
	rig_shut(r);
	r->repo = real;
	rig_look(r);
	rig_expect(r, &blob, "from a guest", 12);
	rig_shut(r);
	repo_close(guest);
	/* The master is not among the bytes. */
	assert_null(memmem(bytes.p, bytes.n, secret_view(real->keys.master), CRYPTO_KEY_SIZE));
}

static void
close_of_nothing(void **state)
{
	(void)state;
	repo_close(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(made_and_opened, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(two_are_never_alike, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(nothing_there, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(wrong_key, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(every_bit_of_the_configuration, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(altered_on_purpose, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(cache_cannot_be_made, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(making_fails_half_way, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(somebody_was_quicker, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(opened_with_keys_alone, rig_setup, rig_teardown),
		cmocka_unit_test(close_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
