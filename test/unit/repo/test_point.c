/* SPDX-License-Identifier: Apache-2.0 */

/* Restore points: kept as they were given, found by what people type, and never half believed. */
#include "repo/point.h"

#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "repo/names.h"
#include "repo/object.h"
#include "rig.h"
#include "store/mem.h"

#define TREE "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static json_t *
record(uint64_t start)
{
	json_t *j = json_pack(
		"{s:I, s:I, s:s, s:s, s:b, s:[{s:s, s:s}, {s:s, s:s, s:{s:s}}], s:[s]}", "start",
		(json_int_t)start, "end", (json_int_t)start + 5, "host", "alpha", "consistency",
		"application", "incomplete", 1, "roots", "name", "", "tree", TREE, "name",
		"postgresql:main", "tree", TREE, "component", "port", "5432", "tags", "weekly");

	assert_non_null(j);
	return j;
}

static struct object_id
put(struct rig *r, uint64_t start)
{
	json_t *j = record(start);
	struct object_id id;

	rig_ok(r, point_write(r->repo, j, &id, &r->err));
	json_decref(j);
	return id;
}

static struct object_id
put_log(struct rig *r, uint64_t start)
{
	CLEAN(json_done) json_t *j = record(start);
	struct point *p = NULL;
	struct object_id id;

	assert_int_equal(json_object_set_new(j, "type", json_string("log")), 0);
	rig_ok(r, point_write(r->repo, j, &id, &r->err));
	rig_ok(r, point_read(r->repo, &id, &p, &r->err));
	assert_true(point_is_log(p));
	assert_string_equal(point_type(p), "log");
	point_free(p);
	return id;
}

static void
round_trip(void **state)
{
	struct rig *r = *state;
	struct object_id id = put(r, 1000);
	CLEAN(point_freep) struct point *p = NULL;
	char hex[2 * OBJECT_ID_SIZE + 1];
	struct blob_id tree;

	assert_true(hex_decode(TREE, strlen(TREE), tree.b, sizeof(tree.b)));
	rig_ok(r, point_read(r->repo, &id, &p, &r->err));
	assert_memory_equal(&p->id, &id, sizeof(id));
	assert_string_equal(p->id_text, hex_encode(id.b, sizeof(id.b), hex));
	assert_int_equal(p->start_ns, 1000);
	assert_int_equal(p->end_ns, 1005);
	assert_string_equal(p->host, "alpha");
	assert_int_equal(p->consistency, CONSISTENCY_APPLICATION);
	assert_string_equal(point_consistency_name(p->consistency), "application");
	assert_true(p->incomplete);
	assert_int_equal(p->n_roots, 2);
	assert_memory_equal(&p->roots[0].tree, &tree, sizeof(tree));
	assert_null(p->roots[0].component);
	const struct point_root *root = point_find_root(p, "postgresql:main");
	assert_ptr_equal(root, &p->roots[1]);
	assert_string_equal(json_string_value(json_object_get(root->component, "port")), "5432");
	assert_ptr_equal(point_find_root(p, ""), &p->roots[0]);
	assert_null(point_find_root(p, "postgresql"));
	/* What the engine does not know is kept. */
	assert_string_equal(json_string_value(json_array_get(json_object_get(p->json, "tags"), 0)),
			    "weekly");
	point_free(NULL);
}

/* Each is record(1) with one field changed or taken away. */
static void
impossible_records(void **state)
{
	struct {
		const char *key;
		json_t *value; /* NULL: taken away */
	} changes[] = {
		{"start", NULL},
		{"start", json_integer(-1)},
		{"start", json_string("1")},
		{"end", NULL},
		{"host", NULL},
		{"host", json_integer(1)},
		{"consistency", NULL},
		{"consistency", json_string("perfect")},
		{"incomplete", json_string("no")},
		{"roots", NULL},
		{"roots", json_object()},
		{"roots", json_pack("[i]", 1)},
		{"roots", json_pack("[{s:s}]", "name", "x")},
		{"roots", json_pack("[{s:s}]", "tree", TREE)},
		{"roots", json_pack("[{s:s, s:s}]", "name", "x", "tree", "0011")},
		{"roots", json_pack("[{s:i, s:s}]", "name", 1, "tree", TREE)},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		CLEAN(buf_done) struct buf text = BUF_INIT(1 << 20);
		json_t *j = record(1);
		struct object_id id = {{7}};
		struct point *p = NULL;

		if (changes[i].value == NULL)
			json_object_del(j, changes[i].key);
		else
			json_object_set_new(j, changes[i].key, changes[i].value);
		assert_true(point_write(r->repo, j, &id, &r->err) < 0);
		assert_int_equal(id.b[0], 7);
		assert_int_equal(rig_count(r, NAME_POINTS), 0);
		/* ... and from somebody who did not check before writing. */
		rig_ok(r, json_write(j, &text, &r->err));
		rig_ok(r, object_put(r->repo, OBJECT_POINT, buf_slice(&text), &id, NULL, &r->err));
		rig_fails(r, point_read(r->repo, &id, &p, &r->err), ERR_CORRUPT);
		assert_null(p);
		assert_int_equal(point_remove(r->repo, &id, &r->err), 1);
		json_decref(j);
	}
}

static void
too_many_roots(void **state)
{
	struct rig *r = *state;
	json_t *j = record(1), *roots = json_array();
	struct object_id id;

	for (size_t i = 0; i < POINT_ROOTS_MAX; i++)
		json_array_append_new(roots, json_pack("{s:s, s:s}", "name", "x", "tree", TREE));
	json_object_set(j, "roots", roots);
	rig_ok(r, point_write(r->repo, j, &id, &r->err));
	json_array_append_new(roots, json_pack("{s:s, s:s}", "name", "x", "tree", TREE));
	assert_true(point_write(r->repo, j, &id, &r->err) < 0);
	json_decref(roots);
	json_decref(j);
}

static int
resolve(struct rig *r, const char *text, const struct object_id *expected)
{
	struct point *p = NULL;
	int rc = point_resolve(r->repo, text, &p, &r->err);

	if (rc == OK)
		assert_memory_equal(&p->id, expected, sizeof(*expected));
	else
		assert_null(p);
	point_free(p);
	return rc;
}

static void
resolving(void **state)
{
	enum { POINTS = 300 };
	struct rig *r = *state;
	struct object_id ids[POINTS];
	size_t ambiguous = 0, newest = 0;

	rig_fails(r, resolve(r, "latest", NULL), ERR_POINT);
	rig_fails(r, resolve(r, "00", NULL), ERR_POINT);
	for (size_t i = 0; i < POINTS; i++) {
		ids[i] = put(r, 1000 + i * 7919 % POINTS);
		if (i * 7919 % POINTS == POINTS - 1)
			newest = i;
	}
	rig_ok(r, resolve(r, "latest", &ids[newest]));
	/* Newer, but nothing that could be restored by itself. */
	struct object_id logs = put_log(r, 5000);
	rig_ok(r, resolve(r, "latest", &ids[newest]));
	assert_int_equal(point_remove(r->repo, &logs, &r->err), 1);
	for (size_t i = 0; i < POINTS; i++) {
		char hex[2 * OBJECT_ID_SIZE + 1];

		hex_encode(ids[i].b, OBJECT_ID_SIZE, hex);
		rig_ok(r, resolve(r, hex, &ids[i]));
		/* The shortest prefix that no other has, and the one below. */
		size_t len = 1;
		for (size_t k = 0; k < POINTS; k++) {
			char other[2 * OBJECT_ID_SIZE + 1];
			size_t same = 0;

			hex_encode(ids[k].b, OBJECT_ID_SIZE, other);
			while (k != i && other[same] == hex[same])
				same++;
			len = MAX(len, same + 1);
		}
		hex[MAX(len, (size_t)2)] = 0;
		rig_ok(r, resolve(r, hex, &ids[i]));
		if (len > 2) {
			hex[len - 1] = 0;
			rig_fails(r, resolve(r, hex, NULL), ERR_AMBIGUOUS);
			ambiguous++;
		}
	}
	assert_true(ambiguous > 50);
}

static void
what_is_no_name(void **state)
{
	static const char *const texts[] = {"",   "0",   "Latest", "AB",      "0x",
					    "g0", "00 ", "../00",  TREE "00", "latest "};
	struct rig *r = *state;

	(void)put(r, 1);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		rig_fails(r, resolve(r, texts[i], NULL), ERR_POINT);
}

static void
listing(void **state)
{
	struct rig *r = *state;
	struct point_list l;
	char name[NAME_SIZE];
	size_t n;

	rig_ok(r, point_list_read(r->repo, &l, &r->err));
	assert_int_equal(l.n, 0);
	point_list_done(&l);
	for (uint64_t i = 0; i < 50; i++)
		(void)put(r, 1000 + i * 37 % 50);
	rig_ok(r, store_put(r->mem, "points/readme", SLICE("x", 1), &r->err));
	rig_ok(r, point_list_read(r->repo, &l, &r->err));
	assert_int_equal(l.n, 50);
	for (size_t i = 0; i < l.n; i++)
		assert_int_equal(l.points[i]->start_ns, 1000 + i);
	struct object_id id = l.points[30]->id;
	point_list_done(&l);
	point_list_done(&l);

	/* A damaged one is named, and can be removed by its id; until then nothing is left out. */
	store_mem_bytes(r->mem, name_object(NAME_POINTS, &id, name), &n)[40] ^= 1;
	rig_fails(r, point_list_read(r->repo, &l, &r->err), ERR_CORRUPT);
	assert_int_equal(l.n, 0);
	assert_non_null(strstr(r->err.msg, name));
	rig_fails(r, resolve(r, "latest", NULL), ERR_CORRUPT);
	assert_int_equal(point_remove(r->repo, &id, &r->err), 1);
	assert_int_equal(point_remove(r->repo, &id, &r->err), 0);
	rig_ok(r, point_list_read(r->repo, &l, &r->err));
	assert_int_equal(l.n, 49);
	point_list_done(&l);
}

static void
consistency_names(void **state)
{
	(void)state;
	assert_string_equal(point_consistency_name(CONSISTENCY_NONE), "none");
	assert_string_equal(point_consistency_name(CONSISTENCY_CRASH), "crash");
	assert_string_equal(point_consistency_name((enum consistency)0), "unknown");
	assert_true(CONSISTENCY_APPLICATION > CONSISTENCY_CRASH &&
		    CONSISTENCY_CRASH > CONSISTENCY_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(round_trip, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(impossible_records, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(too_many_roots, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(resolving, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(what_is_no_name, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(listing, rig_setup, rig_teardown),
		cmocka_unit_test(consistency_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
