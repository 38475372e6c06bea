/* SPDX-License-Identifier: Apache-2.0 */

/* File maps that nobody vouches for: a walk either covers the file exactly or fails. */
#include <string.h>

#include "repo/map.h"
#include "repo/map_internal.h"
#include "repo/tree.h"
#include "rig.h"

static struct error err;

/* A hand-written blob or content. */
struct hand {
	struct buf b;
};

static struct hand
hand(const char *head, size_t n)
{
	struct hand h = {.b = BUF_INIT(1 << 20)};

	assert_int_equal(buf_append(&h.b, head, n, &err), OK);
	return h;
}

static void
varint(struct hand *h, uint64_t v)
{
	assert_int_equal(buf_varint(&h->b, v, &err), OK);
}

static void
ids(struct hand *h, const struct blob_id *id, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(buf_append(&h->b, id, sizeof(*id), &err), OK);
}

static struct blob_id
put(struct rig *r, struct hand *h)
{
	rig_begin(r, NULL);
	struct blob_id id = rig_put(r, BLOB_META, h->b.p, h->b.n);
	rig_end(r);
	rig_look(r);
	buf_done(&h->b);
	return id;
}

/* ---- region leaves --------------------------------------------------------------------------- */

/* 'G', version, shift, length, blobs, runs given as triples (pages, source, first), fingerprints. */
static struct hand
leaf_of(uint8_t shift, uint32_t length, uint64_t n_blobs, const uint64_t *runs, size_t n_runs,
	size_t fingerprints)
{
	struct hand h = hand("G\1", 2);
	const struct blob_id id = {{1}};

	assert_int_equal(buf_u8(&h.b, shift, &err) | buf_le32(&h.b, length, &err), OK);
	varint(&h, n_blobs);
	ids(&h, &id, MIN(n_blobs, (uint64_t)300));
	for (size_t i = 0; i < n_runs; i++) {
		varint(&h, runs[3 * i]);
		varint(&h, runs[3 * i + 1]);
		if (runs[3 * i + 1] != 0)
			varint(&h, runs[3 * i + 2]);
	}
	for (size_t i = 0; i < fingerprints; i++)
		assert_int_equal(buf_append(&h.b, &id, 16, &err), OK);
	return h;
}

static int
parse(uint8_t shift, uint32_t length, uint64_t n_blobs, const uint64_t *runs, size_t n_runs,
      size_t fingerprints)
{
	struct hand h = leaf_of(shift, length, n_blobs, runs, n_runs, fingerprints);
	struct region *g = malloc(sizeof(*g));
	int rc;

	assert_non_null(g);
	rc = map_region_parse(buf_slice(&h.b), g, &err);
	for (size_t i = 0; rc == OK && i < g->n_pages; i++)
		if (g->pages[i].blob != PAGE_HOLE) {
			assert_true(g->pages[i].blob < g->n_blobs);
			assert_true(((uint64_t)g->pages[i].page + 1) << g->page_shift <= BLOB_MAX);
		}
	free(g);
	buf_done(&h.b);
	return rc;
}

static void
regions(void **state)
{
	const uint64_t good[] = {2, 1, 0, 1, 0, 0, 1, 2, 127};
	const uint64_t last[] = {4, 1, 124}, beyond[] = {4, 1, 125},
		       huge[] = {4, 1, UINT64_C(1) << 51};
	const uint64_t wrap[] = {4, 1, UINT64_MAX}, wrap_more[] = {4, 1, UINT64_MAX - 2};
	const uint64_t none[] = {0, 0, 0}, many[] = {5, 0, 0}, most[] = {UINT64_MAX, 0, 0};
	const uint64_t stranger[] = {4, 2, 0}, far[] = {4, UINT64_MAX, 0}, short_of[] = {3, 0, 0};

	(void)state;
	assert_int_equal(parse(13, 4 * 8192, 2, good, 3, 3), OK);
	assert_int_equal(parse(13, 3 * 8192 + 1, 2, good, 3, 3), OK);
	assert_int_equal(parse(13, 4 * 8192, 1, last, 1, 4), OK);
	assert_int_equal(parse(13, 4 * 8192, 1, beyond, 1, 4), ERR_CORRUPT);
	assert_int_equal(parse(13, 4 * 8192, 1, huge, 1, 4), ERR_CORRUPT);
	assert_int_equal(parse(13, 4 * 8192, 1, wrap, 1, 4), ERR_CORRUPT);
	assert_int_equal(parse(13, 4 * 8192, 1, wrap_more, 1, 4), ERR_CORRUPT);
	assert_int_equal(parse(13, 4 * 8192, 1, none, 1, 4), ERR_CORRUPT);
	assert_int_equal(parse(13, 4 * 8192, 1, many, 1, 0), ERR_CORRUPT);
	assert_int_equal(parse(13, 4 * 8192, 1, most, 1, 0), ERR_CORRUPT);
	assert_int_equal(parse(13, 4 * 8192, 1, stranger, 1, 4), ERR_CORRUPT);
	assert_int_equal(parse(13, 4 * 8192, 1, far, 1, 4), ERR_CORRUPT);
	assert_int_equal(parse(13, 4 * 8192, 1, short_of, 1, 0), ERR_CORRUPT);
	assert_int_equal(parse(13, 4 * 8192, 2, good, 3, 2), ERR_CORRUPT);
	assert_int_equal(parse(13, 4 * 8192, 2, good, 3, 4), ERR_CORRUPT);
	assert_int_equal(parse(11, 4 * 2048, 2, good, 3, 3), ERR_CORRUPT);
	assert_int_equal(parse(17, 4 << 17, 2, good, 3, 3), ERR_CORRUPT);
	assert_int_equal(parse(13, 0, 2, good, 0, 0), ERR_CORRUPT);
	assert_int_equal(parse(13, REGION_SIZE + 1, 2, good, 3, 3), ERR_CORRUPT);
	assert_int_equal(parse(13, 4 * 8192, REGION_PAGES_MAX + 1, good, 3, 3), ERR_CORRUPT);
	assert_int_equal(parse(13, 4 * 8192, UINT64_MAX, good, 3, 3), ERR_CORRUPT);
}

static void
every_length_and_bit_of_a_region(void **state)
{
	const uint64_t runs[] = {2, 1, 0, 1, 0, 0, 1, 2, 127};
	struct hand h = leaf_of(13, 4 * 8192, 2, runs, 3, 3);
	struct region *g = malloc(sizeof(*g));

	(void)state;
	assert_non_null(g);
	for (size_t n = 0; n < h.b.n; n++) {
		CLEAN(free_ptr) uint8_t *cut = malloc(n + 1);

		memcpy(cut + 1, h.b.p, n);
		assert_int_equal(map_region_parse(SLICE(cut + 1, n), g, &err), ERR_CORRUPT);
	}
	for (size_t bit = 0; bit < 8 * h.b.n; bit++) {
		h.b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		int rc = map_region_parse(buf_slice(&h.b), g, &err);
		assert_true(rc == OK || rc == ERR_CORRUPT);
		h.b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	free(g);
	buf_done(&h.b);
}

/* ---- contents and segments ------------------------------------------------------------------- */

static int
ignore(void *arg, const struct map_piece *piece, struct error *e)
{
	(void)e;
	assert_true(piece->file_offset + piece->length <= *(const uint64_t *)arg);
	return OK;
}

static int
ignore_blob(void *arg, const struct blob_id *id, bool meta, struct error *e)
{
	(void)arg;
	(void)id;
	(void)meta;
	(void)e;
	return OK;
}

/* All three readers of maps; the walk's answer. */
static int
walk(struct rig *r, struct hand *content, uint64_t size)
{
	CLEAN(map_old_closep) struct map_old *m = NULL;
	struct region *g = malloc(sizeof(*g));
	struct blob_id id;
	int rc = map_walk(r->reader, buf_slice(&content->b), size, 0, ignore, &size, &r->err);

	assert_non_null(g);
	assert_int_equal(
		map_blobs(r->reader, buf_slice(&content->b), size, ignore_blob, NULL, &r->err), rc);
	if (map_old_open(r->reader, buf_slice(&content->b), size, &m, &r->err) == OK)
		for (uint64_t i = 0; i < 70; i++)
			assert_in_range(map_old_region(m, i, g, &id, &r->err) + 100, 0, 101);
	free(g);
	buf_done(&content->b);
	return rc;
}

/* Inline chunks given as (length << 1 | hole). */
static int
walk_inline(struct rig *r, uint64_t count, const uint64_t *heads, size_t n, uint64_t size)
{
	struct hand h = hand("\1", 1);
	const struct blob_id id = {{9}};

	varint(&h, count);
	for (size_t i = 0; i < n; i++) {
		varint(&h, heads[i]);
		if ((heads[i] & 1) == 0)
			ids(&h, &id, 1);
	}
	return walk(r, &h, size);
}

static void
inline_contents(void **state)
{
	const uint64_t a[] = {100 << 1, 50 << 1 | 1}, zero[] = {0}, hole_of_none[] = {1};
	const uint64_t large[] = {(BLOB_MAX + 1) << 1}, whole[] = {BLOB_MAX << 1},
		       all[] = {UINT64_MAX};
	struct rig *r = *state;

	rig_look(r);
	rig_ok(r, walk_inline(r, 2, a, 2, 150));
	rig_fails(r, walk_inline(r, 2, a, 2, 149), ERR_CORRUPT);
	rig_fails(r, walk_inline(r, 2, a, 2, 151), ERR_CORRUPT);
	rig_fails(r, walk_inline(r, 1, a, 2, 100), ERR_CORRUPT);
	rig_fails(r, walk_inline(r, 3, a, 2, 150), ERR_CORRUPT);
	rig_fails(r, walk_inline(r, UINT64_MAX, a, 2, 150), ERR_CORRUPT);
	rig_fails(r, walk_inline(r, 1, zero, 1, 0), ERR_CORRUPT);
	rig_fails(r, walk_inline(r, 1, hole_of_none, 1, 1), ERR_CORRUPT);
	rig_ok(r, walk_inline(r, 1, whole, 1, BLOB_MAX));
	rig_fails(r, walk_inline(r, 1, large, 1, BLOB_MAX + 1), ERR_CORRUPT);
	rig_fails(r, walk_inline(r, 1, all, 1, 1 << 20), ERR_CORRUPT);
	rig_ok(r, walk_inline(r, 0, NULL, 0, 0));
	struct hand unknown = hand("\3\1", 2);
	rig_fails(r, walk(r, &unknown, 1), ERR_CORRUPT);
	struct hand nothing = hand("", 0);
	rig_fails(r, walk(r, &nothing, 1), ERR_CORRUPT);
}

/* A content of segments: depth, count as claimed, `n` times the id. */
static int
walk_segments(struct rig *r, uint8_t depth, uint64_t count, const struct blob_id *id, size_t n,
	      uint64_t size)
{
	struct hand h = hand("\2", 1);

	assert_int_equal(buf_u8(&h.b, depth, &err), OK);
	varint(&h, count);
	ids(&h, id, n);
	return walk(r, &h, size);
}

static void
segment_contents(void **state)
{
	const struct blob_id hole = {{0}}, absent = {{7}};
	struct rig *r = *state;

	rig_look(r);
	rig_ok(r, walk_segments(r, 0, 1, &hole, 1, 1));
	rig_ok(r, walk_segments(r, 0, 2, &hole, 2, UINT64_C(2) * SEGMENT_SIZE));
	rig_fails(r, walk_segments(r, 0, 2, &hole, 2, SEGMENT_SIZE), ERR_CORRUPT);
	rig_fails(r, walk_segments(r, 0, 1, &hole, 1, SEGMENT_SIZE + UINT64_C(1)), ERR_CORRUPT);
	rig_fails(r, walk_segments(r, 0, 2, &hole, 1, 1), ERR_CORRUPT);
	rig_fails(r, walk_segments(r, 0, 0, &hole, 1, 1), ERR_CORRUPT);
	rig_fails(r, walk_segments(r, 0, UINT64_MAX / 32 + 1, &hole, 1, 1), ERR_CORRUPT);
	rig_fails(r, walk_segments(r, MAP_DEPTH_MAX + 1, 1, &hole, 1, 1), ERR_CORRUPT);
	rig_fails(r, walk_segments(r, 255, 1, &hole, 1, 1), ERR_CORRUPT);
	rig_fails(r, walk_segments(r, 0, 1, &absent, 1, 1), ERR_CORRUPT);
	rig_fails(r, walk_segments(r, 3, 1, &absent, 1, 1), ERR_CORRUPT);
	rig_ok(r, walk_segments(r, 3, 1, &hole, 1, 1));
}

static void
lists(void **state)
{
	const struct blob_id hole = {{0}};
	struct rig *r = *state;
	static const struct {
		const char *head;
		size_t n_head, n_ids;
		int expected;
	} cases[] = {
		{"S\1", 2, 2, OK},           {"S\1", 2, 1, ERR_CORRUPT},
		{"S\1", 2, 3, ERR_CORRUPT},  {"S\1", 2, 1024, ERR_CORRUPT},
		{"S\1", 2, 0, ERR_CORRUPT},  {"S\2", 2, 2, ERR_CORRUPT},
		{"T\1", 2, 2, ERR_CORRUPT},  {"S", 1, 0, ERR_CORRUPT},
		{"S\1x", 3, 2, ERR_CORRUPT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct hand h = hand(cases[i].head, cases[i].n_head);

		ids(&h, &hole, cases[i].n_ids);
		struct blob_id id = put(r, &h);
		int rc = walk_segments(r, 1, 1, &id, 1, SEGMENT_SIZE + UINT64_C(1));
		rig_check(&r->err, rc, cases[i].expected, cases[i].head, __FILE__, __LINE__);
		/* One level too high or too low. */
		rig_fails(r, walk_segments(r, 0, 1, &id, 1, SEGMENT_SIZE), ERR_CORRUPT);
		if (cases[i].expected == OK)
			rig_fails(r, walk_segments(r, 2, 1, &id, 1, SEGMENT_SIZE + UINT64_C(1)),
				  ERR_CORRUPT);
	}
}

static void
segments(void **state)
{
	const uint64_t runs[] = {1, 1, 0};
	struct hand leaf = leaf_of(13, 8000, 1, runs, 1, 1);
	struct rig *r = *state;
	const struct blob_id hole = {{0}}, region = put(r, &leaf);
	static const struct {
		const char *head;
		size_t n_head;
		uint64_t count;
		size_t n_ids;
		uint64_t size;
		int expected;
	} cases[] = {
		{"R\1", 2, 1, 1, 8000, OK},
		{"R\1", 2, 1, 1, 8001, ERR_CORRUPT}, /* not the leaf's length */
		{"R\1", 2, 2, 1, 8000, ERR_CORRUPT},
		{"R\1", 2, 2, 2, 8000, ERR_CORRUPT},
		{"R\1", 2, 0, 0, 8000, ERR_CORRUPT},
		{"R\1", 2, UINT64_MAX, 1, 8000, ERR_CORRUPT},
		{"R\2", 2, 1, 1, 8000, ERR_CORRUPT},
		{"R", 1, 1, 0, 8000, ERR_CORRUPT},
		{"X\1", 2, 1, 1, 8000, ERR_CORRUPT},
		{"C\1", 2, 1, 1, 8000, ERR_CORRUPT},
		{"C\1", 2, UINT64_MAX, 0, 8000, ERR_CORRUPT},
		{"C\1", 2, 0, 0, 8000, ERR_CORRUPT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct hand h = hand(cases[i].head, cases[i].n_head);

		varint(&h, cases[i].count);
		ids(&h, &region, cases[i].n_ids);
		struct blob_id id = put(r, &h);
		int rc = walk_segments(r, 0, 1, &id, 1, cases[i].size);
		rig_check(&r->err, rc, cases[i].expected, cases[i].head, __FILE__, __LINE__);
	}
	/* A list of regions where one region is a hole; and a folder in place of a region. */
	struct hand h = hand("R\1\1", 3);
	ids(&h, &hole, 1);
	struct blob_id id = put(r, &h);
	rig_ok(r, walk_segments(r, 0, 1, &id, 1, 8000));
	h = hand("R\1\1", 3);
	ids(&h, &id, 1);
	id = put(r, &h);
	rig_fails(r, walk_segments(r, 0, 1, &id, 1, 8000), ERR_CORRUPT);
}

/* For who reads the previous map region by region, as for who walks it. */
static void
old_region_of_the_wrong_length(void **state)
{
	const uint64_t runs[] = {1, 1, 0};
	struct hand leaf = leaf_of(13, 8000, 1, runs, 1, 1), h = hand("R\1\1", 3),
		    c = hand("\2\0\1", 3);
	struct rig *r = *state;
	struct region *g = malloc(sizeof(*g));
	struct map_old *m = NULL;
	struct blob_id id = put(r, &leaf);

	assert_non_null(g);
	ids(&h, &id, 1);
	id = put(r, &h);
	ids(&c, &id, 1);
	rig_ok(r, map_old_open(r->reader, buf_slice(&c.b), 8000, &m, &r->err));
	assert_int_equal(map_old_region(m, 0, g, &id, &r->err), 1);
	map_old_close(STEAL_PTR(m));
	rig_ok(r, map_old_open(r->reader, buf_slice(&c.b), 8001, &m, &r->err));
	assert_int_equal(map_old_region(m, 0, g, &id, &r->err), ERR_CORRUPT);
	map_old_close(m);
	buf_done(&c.b);
	free(g);
}

static int
stop(void *arg, const struct map_piece *piece, struct error *e)
{
	(void)piece;
	(*(int *)arg)++;
	return error_set(e, ERR_CANCELLED, "enough");
}

static void
walk_ends_when_told(void **state)
{
	struct rig *r = *state;
	struct hand h = hand("\1", 1);
	int calls = 0;

	rig_look(r);
	varint(&h, 2);
	varint(&h, UINT64_C(10) << 40 | 1);
	varint(&h, 10 << 1 | 1);
	rig_fails(r,
		  map_walk(r->reader, buf_slice(&h.b), (UINT64_C(5) << 40) + 10, 0, stop, &calls,
			   &r->err),
		  ERR_CANCELLED);
	assert_int_equal(calls, 1);
	buf_done(&h.b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(regions),
		cmocka_unit_test(every_length_and_bit_of_a_region),
		cmocka_unit_test_setup_teardown(inline_contents, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(segment_contents, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(lists, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(segments, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(old_region_of_the_wrong_length, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(walk_ends_when_told, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
