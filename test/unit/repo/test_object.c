/* SPDX-License-Identifier: Apache-2.0 */

/* A sealed object opens as what it is, where it is, and whole; or not at all. */
#include "repo/object.h"

#include <string.h>

#include "repo/names.h"
#include "rig.h"
#include "store/mem.h"

static const enum object_kind kinds[] = {OBJECT_INDEX, OBJECT_POINT, OBJECT_MARK};

static struct object_id
put(struct rig *r, enum object_kind kind, const char *text)
{
	struct object_id id;

	rig_ok(r, object_put(r->repo, kind, SLICE(text, strlen(text)), &id, NULL, &r->err));
	return id;
}

static void
expect(struct rig *r, enum object_kind kind, const struct object_id *id, const char *text)
{
	CLEAN(buf_done) struct buf payload = BUF_INIT(1000);

	rig_ok(r, object_get(r->repo, kind, id, &payload, &r->err));
	assert_int_equal(payload.n, strlen(text));
	assert_memory_equal(payload.p, text, payload.n);
}

static int
get(struct rig *r, enum object_kind kind, const struct object_id *id)
{
	CLEAN(buf_done) struct buf payload = BUF_INIT(1000);
	int rc = object_get(r->repo, kind, id, &payload, &r->err);

	if (rc < 0)
		assert_int_equal(payload.n, 0);
	return rc;
}

static void
round_trip(void **state)
{
	struct rig *r = *state;
	CLEAN(buf_done) struct buf payload = BUF_INIT(1000);
	uint64_t stored = 0, size = 0;
	struct object_id id;
	char name[NAME_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		id = put(r, kinds[i], "a payload");
		expect(r, kinds[i], &id, "a payload");
		rig_ok(r, object_put(r->repo, kinds[i], SLICE(NULL, 0), &id, &stored, &r->err));
		expect(r, kinds[i], &id, "");
		name_object(object_folder(kinds[i]), &id, name);
		assert_int_equal(store_stat(r->mem, name, &size, &r->err), 1);
		assert_int_equal(stored, size);
	}
	/* Appended, and bounded by who asks. */
	id = put(r, OBJECT_POINT, "second");
	rig_ok(r, buf_append(&payload, "first ", 6, &r->err));
	rig_ok(r, object_get(r->repo, OBJECT_POINT, &id, &payload, &r->err));
	assert_int_equal(payload.n, 12);
	assert_memory_equal(payload.p, "first second", 12);
	payload.max = payload.n + 3;
	rig_fails(r, object_get(r->repo, OBJECT_POINT, &id, &payload, &r->err), ERR_LIMIT);
	assert_int_equal(payload.n, 12);
}

static void
every_bit(void **state)
{
	struct rig *r = *state;
	char name[NAME_SIZE];
	size_t n;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct object_id id = put(r, kinds[k], "some text, some more text");
		uint8_t *p = store_mem_bytes(r->mem,
					     name_object(object_folder(kinds[k]), &id, name), &n);

		for (size_t i = 0; i < 8 * n; i++) {
			p[i / 8] ^= (uint8_t)(1u << i % 8);
			int rc = get(r, kinds[k], &id);
			/* The version's byte may claim to be newer. */
			assert_true(rc == ERR_CORRUPT || (rc == ERR_VERSION && i / 8 == 8));
			assert_non_null(strstr(r->err.msg, name));
			p[i / 8] ^= (uint8_t)(1u << i % 8);
		}
		rig_ok(r, get(r, kinds[k], &id));
	}
}

static void
every_length(void **state)
{
	struct rig *r = *state;
	char name[NAME_SIZE];
	size_t n;

	struct object_id id = put(r, OBJECT_INDEX, "some text, some more text");
	(void)store_mem_bytes(r->mem, name_object(NAME_INDEX, &id, name), &n);
	CLEAN(free_ptr) uint8_t *copy = rig_copy(r, name, &n);
	while (n-- > 0) {
		CLEAN(buf_done) struct buf payload = BUF_INIT(1000);

		store_mem_truncate(r->mem, name, n);
		rig_fails(r, get(r, OBJECT_INDEX, &id), ERR_CORRUPT);
		/* On a heap block of just this size, so that a sanitizer sees one byte too far. */
		CLEAN(free_ptr) uint8_t *cut = malloc(n + 1);
		memcpy(cut + 1, copy, n);
		rig_fails(r,
			  object_open(r->repo, OBJECT_INDEX, &id, SLICE(cut + 1, n), &payload,
				      &r->err),
			  ERR_CORRUPT);
	}
}

/* Move an object's bytes under another name. */
static void
stand_in(struct rig *r, enum object_kind from, const struct object_id *a, enum object_kind to,
	 const struct object_id *b)
{
	char name[NAME_SIZE];
	size_t n;
	CLEAN(free_ptr) uint8_t *p = rig_copy(r, name_object(object_folder(from), a, name), &n);

	name_object(object_folder(to), b, name);
	assert_in_range(store_remove(r->mem, name, &r->err), 0, 1);
	rig_ok(r, store_put(r->mem, name, SLICE(p, n), &r->err));
}

static void
none_stands_in_for_another(void **state)
{
	struct rig *r = *state;
	struct object_id a = put(r, OBJECT_POINT, "old"), b = put(r, OBJECT_POINT, "new");
	struct object_id fresh = {{7}};

	stand_in(r, OBJECT_POINT, &a, OBJECT_POINT, &b);
	rig_fails(r, get(r, OBJECT_POINT, &b), ERR_CORRUPT);
	expect(r, OBJECT_POINT, &a, "old");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		stand_in(r, OBJECT_POINT, &a, kinds[i], &fresh);
		rig_fails(r, get(r, kinds[i], &fresh), ERR_CORRUPT);
		if (kinds[i] == OBJECT_POINT)
			continue;
		/* Even of the same id. */
		stand_in(r, OBJECT_POINT, &a, kinds[i], &a);
		rig_fails(r, get(r, kinds[i], &a), ERR_CORRUPT);
	}
}

/* Same master key, another repository: what a copied slot would amount to. */
static void
not_from_another_repository(void **state)
{
	struct rig *r = *state;
	struct object_id id = put(r, OBJECT_POINT, "text");
	struct repo other = *r->repo;
	CLEAN(buf_done) struct buf payload = BUF_INIT(1000);

	other.id.b[3] ^= 1;
	rig_fails(r, object_get(&other, OBJECT_POINT, &id, &payload, &r->err), ERR_CORRUPT);
}

static void
missing(void **state)
{
	struct rig *r = *state;
	struct object_id id = {{1}};

	rig_fails(r, get(r, OBJECT_MARK, &id), ERR_NOT_FOUND);
	assert_int_equal(object_remove(r->repo, OBJECT_MARK, &id, &r->err), 0);
	id = put(r, OBJECT_MARK, "x");
	assert_int_equal(object_remove(r->repo, OBJECT_MARK, &id, &r->err), 1);
	assert_int_equal(object_remove(r->repo, OBJECT_MARK, &id, &r->err), 0);
}

static void
limits(void **state)
{
	struct rig *r = *state;
	struct object_id id;
	uint8_t *big = calloc(1, OBJECT_PAYLOAD_MAX + 1);
	size_t before = rig_count(r, "");

	assert_non_null(big);
	rig_fails(r,
		  object_put(r->repo, OBJECT_INDEX, SLICE(big, OBJECT_PAYLOAD_MAX + 1), &id, NULL,
			     &r->err),
		  ERR_LIMIT);
	assert_int_equal(rig_count(r, ""), before);
	/* What does not compress at all just fits. */
	rig_fill(big, OBJECT_PAYLOAD_MAX, 3);
	rig_ok(r, object_put(r->repo, OBJECT_INDEX, SLICE(big, OBJECT_PAYLOAD_MAX), &id, NULL,
			     &r->err));
	CLEAN(buf_done) struct buf payload = BUF_INIT(OBJECT_PAYLOAD_MAX);
	rig_ok(r, object_get(r->repo, OBJECT_INDEX, &id, &payload, &r->err));
	assert_int_equal(payload.n, OBJECT_PAYLOAD_MAX);
	assert_memory_equal(payload.p, big, OBJECT_PAYLOAD_MAX);
	free(big);
}

static void
listing(void **state)
{
	struct rig *r = *state;
	CLEAN(free_ptr) struct object_id *ids = NULL;
	struct object_id put_ids[200];
	size_t n = 4711;

	rig_ok(r, object_list(r->repo, OBJECT_POINT, &ids, &n, &r->err));
	assert_int_equal(n, 0);
	free(ids);
	for (size_t i = 0; i < ARRAY_SIZE(put_ids); i++)
		put_ids[i] = put(r, OBJECT_POINT, "x");
	(void)put(r, OBJECT_INDEX, "x");
	rig_ok(r, store_put(r->mem, "points/note.txt", SLICE("hello", 5), &r->err));
	rig_ok(r, object_list(r->repo, OBJECT_POINT, &ids, &n, &r->err));
	assert_int_equal(n, ARRAY_SIZE(put_ids));
	for (size_t i = 0; i < n; i++) {
		bool found = false;

		if (i > 0)
			assert_true(memcmp(&ids[i - 1], &ids[i], sizeof(*ids)) < 0);
		for (size_t k = 0; k < n; k++)
			found = found || memcmp(&ids[i], &put_ids[k], sizeof(*ids)) == 0;
		assert_true(found);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(round_trip, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(every_bit, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(every_length, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(none_stands_in_for_another, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(not_from_another_repository, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(missing, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(limits, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(listing, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
