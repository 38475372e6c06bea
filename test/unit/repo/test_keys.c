/* SPDX-License-Identifier: Apache-2.0 */

/* Who may open a repository, and what is said to who may not. */
#include "repo/keys.h"

#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "repo/envelope.h"
#include "repo/names.h"
#include "rig.h"
#include "store/mem.h"

static struct store *store;
static struct secret *master;
static struct object_id repo_id;
static uint8_t config_hash[CRYPTO_HASH_SIZE];
static struct error err;

static int
setup(void **state)
{
	(void)state;
	rig_fill(&repo_id, sizeof(repo_id), 1);
	rig_fill(config_hash, sizeof(config_hash), 2);
	return store_mem_open(&store, &err) < 0 ||
	       secret_random(CRYPTO_KEY_SIZE, &master, &err) < 0;
}

static int
teardown(void **state)
{
	(void)state;
	store_close(store);
	secret_free(master);
	return 0;
}

static struct secret *
secret_of(const char *text)
{
	struct secret *s = NULL;

	assert_int_equal(secret_new(strlen(text), &s, &err), OK);
	memcpy(secret_bytes(s), text, strlen(text));
	return s;
}

/* Key files need no scrypt, so most tests use them. */
static struct object_id
add(const char *text, bool password)
{
	CLEAN(secret_freep) struct secret *s = secret_of(text);
	struct key_source source = {.password = password ? s : NULL,
				    .key_file = password ? NULL : s};
	struct object_id id = {{0}};
	int r = keys_slot_add(store, &repo_id, config_hash, master, &source, text, &id, &err);

	rig_check(&err, r, OK, "keys_slot_add", __FILE__, __LINE__);
	return id;
}

static int
unlock(const char *text, bool password)
{
	CLEAN(secret_freep) struct secret *s = secret_of(text);
	CLEAN(secret_freep) struct secret *found = NULL;
	struct key_source source = {.password = password ? s : NULL,
				    .key_file = password ? NULL : s};
	int r = keys_slot_unlock(store, &repo_id, config_hash, &source, &found, &err);

	if (r == OK)
		assert_memory_equal(secret_view(found), secret_view(master), CRYPTO_KEY_SIZE);
	else
		assert_null(found);
	return r;
}

static uint8_t *
slot_bytes(const struct object_id *id, size_t *ret_n)
{
	char name[NAME_SIZE];
	uint8_t *p = store_mem_bytes(store, name_object(NAME_KEYS, id, name), ret_n);

	assert_non_null(p);
	return p;
}

#define KEY_A "key file A: thirty-two bytes or more"
#define KEY_B "key file B: thirty-two bytes or more"

static void
password_and_key_file(void **state)
{
	(void)state;
	add("correct horse", true);
	add(KEY_A, false);
	assert_int_equal(unlock("correct horse", true), OK);
	assert_int_equal(unlock(KEY_A, false), OK);
	assert_int_equal(unlock("correct horsf", true), ERR_PASSWORD);
	assert_non_null(strstr(err.msg, "password"));
	assert_int_equal(unlock(KEY_B, false), ERR_PASSWORD);
	assert_non_null(strstr(err.msg, "key file"));
	/* A password is not a key file of the same bytes. */
	assert_int_equal(unlock("correct horse", false), ERR_PASSWORD);
}

static void
no_slot_at_all(void **state)
{
	(void)state;
	assert_int_equal(unlock(KEY_A, false), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "no key slot left"));
}

/* Whichever bit of a slot is wrong, it is never called a wrong password. */
static void
damage_is_not_a_wrong_password(void **state)
{
	struct object_id id = add(KEY_A, false);
	size_t n;
	uint8_t *p = slot_bytes(&id, &n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		uint8_t bit = (uint8_t)(1u << i % 8);

		p[i] ^= bit;
		assert_int_equal(unlock(KEY_A, false), ERR_CORRUPT);
		assert_int_equal(unlock(KEY_B, false), ERR_CORRUPT);
		p[i] ^= bit;
	}
	assert_int_equal(unlock(KEY_A, false), OK);
	assert_int_equal(unlock(KEY_B, false), ERR_PASSWORD);
}

static void
cut_short(void **state)
{
	struct object_id id = add(KEY_A, false);
	char name[NAME_SIZE];
	size_t n;

	(void)state;
	(void)slot_bytes(&id, &n);
	name_object(NAME_KEYS, &id, name);
	while (n-- > 0) {
		store_mem_truncate(store, name, n);
		assert_int_equal(unlock(KEY_A, false), ERR_CORRUPT);
	}
}

static void
damage_does_not_keep_out_others(void **state)
{
	struct object_id ids[8];
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		ids[i] = add(i == 3 ? KEY_B : KEY_A, false);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		if (i != 3)
			slot_bytes(&ids[i], &n)[100] ^= 1;
	assert_int_equal(unlock(KEY_B, false), OK);
	assert_int_equal(unlock(KEY_A, false), ERR_CORRUPT);
}

/* The hash of holdfast.json is sealed in the slot: another file in its place, and no slot opens. */
static void
altered_configuration(void **state)
{
	(void)state;
	add(KEY_A, false);
	config_hash[7] ^= 1;
	assert_int_equal(unlock(KEY_A, false), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, NAME_CONFIG));
	assert_int_equal(unlock(KEY_B, false), ERR_PASSWORD);
	config_hash[7] ^= 1;
	assert_int_equal(unlock(KEY_A, false), OK);
}

static void
slot_of_another_repository(void **state)
{
	(void)state;
	add(KEY_A, false);
	repo_id.b[0] ^= 1;
	assert_int_equal(unlock(KEY_A, false), ERR_PASSWORD);
	repo_id.b[0] ^= 1;
}

static void
slot_under_another_name(void **state)
{
	struct object_id id = add(KEY_A, false), other = {{1}};
	char name[NAME_SIZE];
	size_t n;
	const uint8_t *p = slot_bytes(&id, &n);

	(void)state;
	assert_int_equal(store_put(store, name_object(NAME_KEYS, &other, name), SLICE(p, n), &err),
			 OK);
	name_object(NAME_KEYS, &id, name);
	assert_int_equal(store_remove(store, name, &err), 1);
	assert_int_equal(unlock(KEY_A, false), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "another slot's name"));
}

/* A slot with a right checksum that whoever may write to the store could have made. */
static void
put_hostile(uint8_t number, const char *kind, json_int_t version, json_int_t n, json_int_t r,
	    json_int_t p)
{
	struct object_id id = {{number}};
	CLEAN(buf_done) struct buf file = BUF_INIT(16 << 10);
	char hex[2 * OBJECT_ID_SIZE + 1], salt[2 * CRYPTO_SALT_SIZE + 1], sealed[161],
		name[NAME_SIZE];
	CLEAN(json_done) json_t *j = NULL;

	memset(salt, '0', sizeof(salt));
	salt[sizeof(salt) - 1] = 0;
	memset(sealed, '0', sizeof(sealed));
	sealed[sizeof(sealed) - 1] = 0;
	j = json_pack("{s:I, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:s}", "version", version,
		      "id", hex_encode(id.b, sizeof(id.b), hex), "kind", kind, "label", "",
		      "created", (json_int_t)1, "n", n, "r", r, "p", p, "salt", salt, "sealed",
		      sealed);
	assert_non_null(j);
	assert_int_equal(envelope_write("key", j, &file, &err), OK);
	assert_int_equal(
		store_put(store, name_object(NAME_KEYS, &id, name), buf_slice(&file), &err), OK);
}

static void
hostile_parameters(void **state)
{
	(void)state;
	put_hostile(1, "password", 1, (json_int_t)1 << 40, 8, 1);
	put_hostile(2, "password", 1, 1 << 16, 8, (json_int_t)UINT32_MAX + 2);
	put_hostile(3, "password", 1, 1000, 8, 1);
	put_hostile(4, "password", 1, 0, 0, 0);
	put_hostile(5, "password", 1, 1 << 20, 16, 1); /* 2 GiB */
	assert_int_equal(unlock("pass", true), ERR_CORRUPT);
	/* ... and the one who has a good slot gets in all the same. */
	add("pass", true);
	assert_int_equal(unlock("pass", true), OK);
	assert_int_equal(unlock("other", true), ERR_CORRUPT);
}

static void
newer_slots(void **state)
{
	(void)state;
	put_hostile(1, "password", 2, 1 << 16, 8, 1);
	assert_int_equal(unlock("pass", true), ERR_VERSION);
	put_hostile(2, "retina", 1, 1 << 16, 8, 1);
	assert_int_equal(unlock("pass", true), ERR_VERSION);
	add(KEY_A, false);
	assert_int_equal(unlock(KEY_A, false), OK);
}

static void
last_slot_stays(void **state)
{
	struct object_id a = add(KEY_A, false), b = add(KEY_B, false), absent = {{9}};
	size_t n;

	(void)state;
	assert_int_equal(keys_slot_remove(store, &absent, &err), ERR_NOT_FOUND);
	/* A damaged slot is none. */
	uint8_t *p = slot_bytes(&b, &n);
	p[60] ^= 1;
	assert_int_equal(keys_slot_remove(store, &a, &err), ERR_BAD_STATE);
	p[60] ^= 1;
	assert_int_equal(keys_slot_remove(store, &a, &err), OK);
	assert_int_equal(keys_slot_remove(store, &b, &err), ERR_BAD_STATE);
	assert_int_equal(unlock(KEY_B, false), OK);
	assert_int_equal(unlock(KEY_A, false), ERR_PASSWORD);
	a = add(KEY_A, false);
	slot_bytes(&b, &n)[60] ^= 1;
	assert_int_equal(keys_slot_remove(store, &b, &err), OK);
}

struct seen {
	size_t n;
	struct key_slot_info slots[4];
};

static int
see(void *arg, const struct key_slot_info *slot, struct error *e)
{
	struct seen *s = arg;

	(void)e;
	assert_in_range(s->n, 0, 3);
	s->slots[s->n++] = *slot;
	return OK;
}

static int
stop(void *arg, const struct key_slot_info *slot, struct error *e)
{
	(void)slot;
	(*(int *)arg)++;
	return error_set(e, ERR_CANCELLED, "enough");
}

static void
listing(void **state)
{
	struct seen seen = {0};
	char name[NAME_SIZE];
	int calls = 0;
	size_t n;

	(void)state;
	struct object_id a = add(KEY_A, false), b = add("pass", true);
	assert_int_equal(store_put(store, "keys/readme", SLICE("x", 1), &err), OK);
	assert_int_equal(keys_slot_list(store, see, &seen, &err), OK);
	assert_int_equal(seen.n, 2);
	for (size_t i = 0; i < 2; i++) {
		bool is_a = memcmp(&seen.slots[i].id, &a, sizeof(a)) == 0;

		assert_true(is_a || memcmp(&seen.slots[i].id, &b, sizeof(b)) == 0);
		assert_string_equal(seen.slots[i].kind, is_a ? "key-file" : "password");
		assert_string_equal(seen.slots[i].label, is_a ? KEY_A : "pass");
		assert_true(seen.slots[i].created_ns > UINT64_C(1700000000) * 1000000000);
	}
	assert_int_equal(keys_slot_list(store, stop, &calls, &err), ERR_CANCELLED);
	assert_int_equal(calls, 1);

	struct key_slot_info info;
	uint8_t *p = slot_bytes(&a, &n);
	name_object(NAME_KEYS, &a, name);
	assert_int_equal(keys_slot_check(store, SLICE(p, n), name, &info, &err), OK);
	assert_string_equal(info.label, KEY_A);
	p[n / 2] ^= 4;
	assert_int_equal(keys_slot_check(store, SLICE(p, n), name, &info, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, name));
}

static void
labels(void **state)
{
	CLEAN(secret_freep) struct secret *s = secret_of(KEY_A);
	struct key_source source = {.key_file = s};
	char label[129];
	struct object_id id;

	(void)state;
	memset(label, 'x', sizeof(label));
	label[128] = 0;
	assert_int_equal(
		keys_slot_add(store, &repo_id, config_hash, master, &source, label, &id, &err),
		ERR_LIMIT);
	label[127] = 0;
	assert_int_equal(
		keys_slot_add(store, &repo_id, config_hash, master, &source, label, &id, &err), OK);
	assert_int_equal(
		keys_slot_add(store, &repo_id, config_hash, master, &source, "\xff", &id, &err),
		ERR_USAGE);
}

static void
derived_keys_differ(void **state)
{
	struct repo_keys k, again;
	struct secret **all = &k.master, **twin = &again.master;
	const size_t n = sizeof(k) / sizeof(k.master);

	(void)state;
	assert_int_equal(keys_derive(master, &k, &err), OK);
	assert_int_equal(keys_derive(master, &again, &err), OK);
	assert_memory_equal(secret_view(k.master), secret_view(master), CRYPTO_KEY_SIZE);
	for (size_t i = 0; i < n; i++) {
		assert_memory_equal(secret_view(all[i]), secret_view(twin[i]), CRYPTO_KEY_SIZE);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(secret_view(all[i]), secret_view(all[j]),
						CRYPTO_KEY_SIZE);
	}
	keys_done(&k);
	keys_done(&again);
	assert_null(k.pack);
	keys_done(&k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(password_and_key_file, setup, teardown),
		cmocka_unit_test_setup_teardown(no_slot_at_all, setup, teardown),
		cmocka_unit_test_setup_teardown(damage_is_not_a_wrong_password, setup, teardown),
		cmocka_unit_test_setup_teardown(cut_short, setup, teardown),
		cmocka_unit_test_setup_teardown(damage_does_not_keep_out_others, setup, teardown),
		cmocka_unit_test_setup_teardown(altered_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(slot_of_another_repository, setup, teardown),
		cmocka_unit_test_setup_teardown(slot_under_another_name, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_parameters, setup, teardown),
		cmocka_unit_test_setup_teardown(newer_slots, setup, teardown),
		cmocka_unit_test_setup_teardown(last_slot_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(listing, setup, teardown),
		cmocka_unit_test_setup_teardown(labels, setup, teardown),
		cmocka_unit_test_setup_teardown(derived_keys_differ, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
