/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The one promise that AES-GCM needs: no key is ever used twice with one nonce. A key comes from the
 * salt in a header, a nonce is a frame's number; so over several sinks, packs and sessions no salt may
 * come again, and within a pack no number. And equal plaintexts must not show.
 */
#include <stdio.h>
#include <string.h>

#include "repo/index.h"
#include "repo/names.h"
#include "repo/object.h"
#include "repo/pack.h"
#include "rig.h"
#include "scenario.h"

enum { SALTS_MAX = 4096 };

struct salts {
	size_t n;
	uint8_t salts[SALTS_MAX][CRYPTO_SALT_SIZE];
	size_t packs, frames;
	struct rig *r;
};

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, CRYPTO_SALT_SIZE);
}

struct numbers {
	uint32_t next;
	uint32_t last_offset;
};

/* Frame numbers in the table are those that were sealed with: reading proves that, so here it is enough
 * that they count up. */
static int
see_frame(void *arg, const struct blob_id *id, const struct blob_loc *loc, struct error *err)
{
	struct numbers *n = arg;

	(void)id;
	(void)err;
	if (loc->frame_offset == n->last_offset) {
		assert_int_equal(loc->frame + 1, n->next);
	} else {
		assert_int_equal(loc->frame, n->next);
		n->next++;
		n->last_offset = loc->frame_offset;
	}
	return OK;
}

static int
see_pack(void *arg, const struct store_entry *entry, struct error *err)
{
	CLEAN(buf_done) struct buf table = BUF_INIT(PACK_TABLE_MAX + 4096);
	struct salts *s = arg;
	struct numbers numbers = {0};
	struct pack_id id;
	uint64_t size;
	uint8_t class;

	assert_true(name_parse_pack(entry->name, &id));
	assert_in_range(s->n, 0, SALTS_MAX - 1);
	if (store_read(s->r->mem, entry->name, 32, s->salts[s->n++], CRYPTO_SALT_SIZE, err) < 0 ||
	    pack_read_table(s->r->repo, &id, &class, &size, &table, err) < 0)
		return err->code;
	s->packs++;
	int rc = pack_table_walk(buf_slice(&table), &id, class, see_frame, &numbers, NULL, err);
	s->frames += numbers.next;
	return rc;
}

static int
see_object(void *arg, const struct store_entry *entry, struct error *err)
{
	struct salts *s = arg;

	assert_in_range(s->n, 0, SALTS_MAX - 1);
	return store_read(s->r->mem, entry->name, 16, s->salts[s->n++], CRYPTO_SALT_SIZE, err);
}

static void
no_pair_comes_twice(void **state)
{
	struct rig *r = *state;
	struct salts *s = calloc(1, sizeof(*s));
	struct object_id id;

	assert_non_null(s);
	s->r = r;
	for (uint64_t seed = 0; seed < 20; seed++)
		rig_ok(r, scenario_backup(r->repo, seed, &id, &r->err));
	/* One pack of many frames. */
	rig_begin(r, NULL);
	for (uint64_t i = 0; i < 40; i++) {
		CLEAN(free_ptr) uint8_t *region = calloc(1, REGION_SIZE);

		memcpy(region, &i, sizeof(i));
		(void)rig_put(r, BLOB_PAGES, region, REGION_SIZE);
	}
	rig_end(r);
	rig_ok(r, store_list(r->mem, NAME_PACKS, see_pack, s, &r->err));
	rig_ok(r, store_list(r->mem, NAME_INDEX, see_object, s, &r->err));
	rig_ok(r, store_list(r->mem, NAME_POINTS, see_object, s, &r->err));
	assert_true(s->packs > 60);
	assert_true(s->frames >= s->packs + 39);
	assert_int_equal(s->n, s->packs + rig_count(r, NAME_INDEX) + 20);
	qsort(s->salts, s->n, CRYPTO_SALT_SIZE, compare);
	for (size_t i = 1; i < s->n; i++)
		assert_memory_not_equal(s->salts[i - 1], s->salts[i], CRYPTO_SALT_SIZE);
	free(s);
}

/* The same content stored three times over (its packs being hidden in between, as marked packs are):
 * the same frames, the same lengths, and no 16 bytes alike. */
static void
equal_plaintexts_do_not_show(void **state)
{
	struct rig *r = *state;
	uint8_t *copies[3];
	size_t n = 0;

	for (size_t i = 0; i < 3; i++) {
		uint8_t content[4096];
		struct pack_id *packs;
		size_t hidden;

		rig_begin(r, NULL);
		rig_ok(r, repo_index_packs(r->index, &packs, &hidden, &r->err));
		repo_index_hide(r->index, packs, hidden);
		for (uint64_t k = 0; k < 50; k++)
			(void)rig_put(r, BLOB_DATA, content, rig_sample(k, content));
		rig_end(r);
		assert_int_equal(rig_count(r, NAME_PACKS), i + 1);
	}
	for (size_t i = 0; i < 3; i++) {
		char name[STORE_NAME_MAX + 1];
		size_t size;

		rig_name(r, NAME_PACKS, i, name);
		copies[i] = rig_copy(r, name, &size);
		assert_true(i == 0 || size == n);
		n = size;
	}
	for (size_t a = 0; a < 3; a++)
		for (size_t b = 0; b < a; b++)
			for (size_t at = 16; at + 32 <= n; at += 16)
				assert_memory_not_equal(copies[a] + at, copies[b] + at, 16);
	for (size_t i = 0; i < 3; i++)
		free(copies[i]);
}

static void
equal_objects_do_not_show(void **state)
{
	struct rig *r = *state;
	static const uint8_t payload[4096];
	CLEAN(buf_done) struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20);
	struct object_id id = {{1}};

	rig_ok(r, object_seal(r->repo, OBJECT_POINT, &id, SLICE(payload, sizeof(payload)), &a,
			      &r->err));
	rig_ok(r, object_seal(r->repo, OBJECT_POINT, &id, SLICE(payload, sizeof(payload)), &b,
			      &r->err));
	assert_int_equal(a.n, b.n);
	for (size_t at = 16; at + 16 <= a.n; at += 16)
		assert_memory_not_equal(a.p + at, b.p + at, 16);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_pair_comes_twice, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(equal_plaintexts_do_not_show, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(equal_objects_do_not_show, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
