/* SPDX-License-Identifier: Apache-2.0 */

/*
 * File maps, written and walked: whatever the shape of a file, its pieces come in order, without gap
 * and without overlap, and say what was put.
 */
#include "repo/map.h"

#include <string.h>

#include "repo/map_internal.h"
#include "repo/tree.h"
#include "rig.h"

/* ---- collecting a walk ----------------------------------------------------------------------- */

enum { PIECES_MAX = 20000 };

struct pieces {
	uint64_t from, next; /* where the next piece must begin; from: none ends before it */
	size_t n;
	struct map_piece *list;
};

static int
collect(void *arg, const struct map_piece *p, struct error *err)
{
	struct pieces *all = arg;

	(void)err;
	assert_true(p->length > 0);
	assert_true(p->file_offset + p->length > all->from);
	if (all->n == 0)
		assert_true(p->file_offset <= all->from);
	else
		assert_true(p->file_offset == all->next);
	assert_true(!p->hole || (p->fingerprints == NULL && p->page_size == 0));
	assert_true(p->page_size == 0 || p->fingerprints != NULL);
	all->next = p->file_offset + p->length;
	assert_in_range(all->n, 0, PIECES_MAX - 1);
	all->list[all->n++] = *p;
	return OK;
}

static void
walk_from(struct rig *r, struct slice content, uint64_t size, uint64_t from, struct pieces *all)
{
	all->n = 0;
	all->from = from;
	if (all->list == NULL)
		all->list = calloc(PIECES_MAX, sizeof(*all->list));
	assert_non_null(all->list);
	rig_ok(r, map_walk(r->reader, content, size, from, collect, all, &r->err));
	assert_true(from >= size || (all->n > 0 && all->next == size));
}

/* The same pieces, whatever place the walk begins at; and a file of another size has none. */
static void
walk_whole(struct rig *r, struct slice content, uint64_t size, struct pieces *all)
{
	struct pieces part = {0};
	uint64_t seed = size;

	walk_from(r, content, size, 0, all);
	for (size_t i = 0; i < 30; i++) {
		uint64_t from = i < all->n ? all->list[i].file_offset + i % 3
					   : rig_random(&seed) % size;
		size_t skipped = 0;

		walk_from(r, content, size, from, &part);
		while (skipped < all->n &&
		       all->list[skipped].file_offset + all->list[skipped].length <= from)
			skipped++;
		assert_int_equal(part.n, all->n - skipped);
		for (size_t k = 0; k < part.n; k++)
			assert_int_equal(part.list[k].file_offset,
					 all->list[skipped + k].file_offset);
	}
	rig_ok(r, map_walk(r->reader, content, size, size, collect, &part, &r->err));
	free(STEAL_PTR(part.list));
	/* A hole at the end is as long as the file says. */
	if (all->list[all->n - 1].hole)
		return;
	part.list = calloc(PIECES_MAX, sizeof(*part.list));
	part.n = 0;
	part.from = 0;
	assert_true(map_walk(r->reader, content, size - 1, 0, collect, &part, &r->err) ==
		    ERR_CORRUPT);
	part.n = 0;
	assert_true(map_walk(r->reader, content, size + 1, 0, collect, &part, &r->err) ==
		    ERR_CORRUPT);
	free(part.list);
}

static struct blob_id
id_of(uint64_t number)
{
	struct blob_id id;

	rig_fill(&id, sizeof(id), number + 99);
	return id;
}

/* ---- chunks ---------------------------------------------------------------------------------- */

/* Chunks with every fourth one a hole: lengths that add up to the segment's. */
static size_t
random_chunks(uint64_t length, uint64_t seed, uint64_t usual, struct map_chunk *chunks)
{
	uint64_t state = seed, left = length;
	size_t n = 0;

	while (left > 0) {
		chunks[n].length = MIN(left, 1 + rig_random(&state) % usual);
		if (n % 4 == 3)
			chunks[n].id = (struct blob_id){0};
		else
			chunks[n].id = id_of(seed * 100000 + n);
		left -= chunks[n].length;
		n++;
		assert_true(n <= MAP_SEGMENT_CHUNKS_MAX);
	}
	return n;
}

static void
expect_chunks(const struct pieces *all, size_t first, const struct map_chunk *chunks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct map_piece *p = &all->list[first + i];

		assert_int_equal(p->length, chunks[i].length);
		assert_int_equal(p->hole, blob_id_is_hole(&chunks[i].id));
		assert_int_equal(p->blob_offset, 0);
		if (!p->hole)
			assert_memory_equal(&p->blob, &chunks[i].id, sizeof(p->blob));
	}
}

static void
inline_chunks(void **state)
{
	struct rig *r = *state;
	struct pieces all = {0};

	rig_look(r);
	for (size_t n = 1; n <= MAP_INLINE_CHUNKS; n++) {
		struct map_chunk chunks[MAP_INLINE_CHUNKS];
		CLEAN(buf_done) struct buf content = BUF_INIT(NODE_CONTENT_MAX);
		uint64_t size = 0;

		for (size_t i = 0; i < n; i++) {
			chunks[i] = (struct map_chunk){.length = 1 + i * 1000, .id = id_of(i)};
			if (i % 3 == 2)
				chunks[i] = (struct map_chunk){.length = UINT64_C(3) << 40};
			size += chunks[i].length;
		}
		if (n == 1)
			chunks[0].length = size = BLOB_MAX;
		struct map_segment s = {.length = size, .n_chunks = n, .chunks = chunks};
		rig_ok(r, map_encode_inline(&s, &content, &r->err));
		assert_true(content.n < NODE_CONTENT_MAX);
		walk_whole(r, buf_slice(&content), size, &all);
		if (n < 3)
			expect_chunks(&all, 0, chunks, n);
		/* Holes come in pieces that fit 32 bits. */
		else
			assert_int_equal(all.n, n + (n / 3) * ((3 << 9) - 1));
	}
	free(all.list);
}

static void
chunk_segments(void **state)
{
	enum { SEGMENTS = 5 };
	struct rig *r = *state;
	struct map_chunk *chunks[SEGMENTS];
	size_t counts[SEGMENTS], total = 0;
	struct blob_id ids[SEGMENTS];
	CLEAN(buf_done) struct buf content = BUF_INIT(NODE_CONTENT_MAX);
	const uint64_t size = (SEGMENTS - 1) * (uint64_t)SEGMENT_SIZE + 12345;
	struct pieces all = {0};

	rig_begin(r, NULL);
	for (size_t i = 0; i < SEGMENTS; i++) {
		uint64_t length = i + 1 < SEGMENTS ? SEGMENT_SIZE : 12345;

		chunks[i] = calloc(MAP_SEGMENT_CHUNKS_MAX + 1, sizeof(**chunks));
		assert_non_null(chunks[i]);
		counts[i] = random_chunks(length, i, i + 1 < SEGMENTS ? 600000 : 700, chunks[i]);
		if (i == 2) { /* all one hole */
			chunks[i][0] = (struct map_chunk){.length = length};
			counts[i] = 1;
		}
		struct map_segment s = {
			.length = length, .n_chunks = counts[i], .chunks = chunks[i]};
		rig_ok(r, map_put_segment(r->sink, &s, &ids[i], &r->err));
		assert_int_equal(blob_id_is_hole(&ids[i]), i == 2);
		total += counts[i];
	}
	rig_ok(r, map_encode_segments(r->sink, ids, SEGMENTS, &content, &r->err));
	rig_end(r);
	rig_look(r);
	walk_whole(r, buf_slice(&content), size, &all);
	assert_int_equal(all.n, total);
	for (size_t i = 0, first = 0; i < SEGMENTS; first += counts[i++]) {
		expect_chunks(&all, first, chunks[i], counts[i]);
		free(chunks[i]);
	}
	free(all.list);
}

static void
too_many_chunks(void **state)
{
	struct rig *r = *state;
	struct map_chunk *chunks = calloc(MAP_SEGMENT_CHUNKS_MAX + 1, sizeof(*chunks));
	struct blob_id id;

	assert_non_null(chunks);
	for (size_t i = 0; i <= MAP_SEGMENT_CHUNKS_MAX; i++)
		chunks[i] = (struct map_chunk){.length = 1, .id = id_of(i)};
	struct map_segment s = {.length = MAP_SEGMENT_CHUNKS_MAX,
				.n_chunks = MAP_SEGMENT_CHUNKS_MAX};
	s.chunks = chunks;
	rig_begin(r, NULL);
	rig_ok(r, map_put_segment(r->sink, &s, &id, &r->err));
	s.n_chunks++;
	rig_fails(r, map_put_segment(r->sink, &s, &id, &r->err), ERR_INTERNAL);
	free(chunks);
}

/* ---- regions --------------------------------------------------------------------------------- */

/* Runs of pages in some blobs, with holes; the fingerprint of page i is its number. */
static void
random_region(uint32_t length, uint8_t shift, uint64_t seed, struct region *g)
{
	uint64_t state = seed;

	memset(g, 0, sizeof(*g));
	g->length = length;
	g->page_shift = shift;
	g->n_pages = (uint16_t)((length + (1u << shift) - 1) >> shift);
	g->n_blobs = (uint16_t)(1 + rig_random(&state) % REGION_BLOBS_MAX);
	for (size_t i = 0; i < g->n_blobs; i++)
		g->blobs[i] = id_of(seed * 1000 + i);
	for (size_t i = 0; i < g->n_pages;) {
		size_t run = 1 + rig_random(&state) % 9;
		bool hole = rig_random(&state) % 4 == 0;
		uint16_t blob = hole ? PAGE_HOLE : (uint16_t)(rig_random(&state) % g->n_blobs);
		uint16_t page = (uint16_t)(rig_random(&state) % ((BLOB_MAX >> shift) - 8));

		for (; run > 0 && i < g->n_pages; run--, i++, page++) {
			g->pages[i] = (struct region_page){.blob = blob, .page = page};
			if (blob != PAGE_HOLE)
				memset(g->fingerprints[i], (int)(1 + i % 255), 16);
		}
	}
	/* Not all holes. */
	g->pages[0] = (struct region_page){.blob = 0, .page = 0};
	memset(g->fingerprints[0], 1, 16);
}

static void
same_region(const struct region *a, const struct region *b)
{
	assert_int_equal(a->length, b->length);
	assert_int_equal(a->page_shift, b->page_shift);
	assert_int_equal(a->n_pages, b->n_pages);
	assert_int_equal(a->n_blobs, b->n_blobs);
	assert_memory_equal(a->blobs, b->blobs, a->n_blobs * sizeof(*a->blobs));
	assert_memory_equal(a->fingerprints, b->fingerprints,
			    a->n_pages * sizeof(*a->fingerprints));
	for (size_t i = 0; i < a->n_pages; i++) {
		assert_int_equal(a->pages[i].blob, b->pages[i].blob);
		if (a->pages[i].blob != PAGE_HOLE)
			assert_int_equal(a->pages[i].page, b->pages[i].page);
	}
}

static void
region_leaves(void **state)
{
	struct rig *r = *state;
	struct region *g = malloc(sizeof(*g)), *back = malloc(sizeof(*back));
	uint64_t seed = 1;

	assert_true(g != NULL && back != NULL);
	for (uint8_t shift = 12; shift <= 16; shift++) {
		for (size_t i = 0; i < 20; i++) {
			uint32_t length = i < 2 ? REGION_SIZE - (uint32_t)i
						: 1 + (uint32_t)(rig_random(&seed) % REGION_SIZE);
			struct blob_id id;
			struct slice leaf;

			random_region(length, shift, rig_random(&seed) % 1000, g);
			rig_begin(r, NULL);
			rig_ok(r, map_put_region(r->sink, g, &id, &r->err));
			rig_end(r);
			rig_look(r);
			rig_ok(r, repo_reader_blob(r->reader, &id, &leaf, &r->err));
			memset(back, 0xee, sizeof(*back));
			rig_ok(r, map_region_parse(leaf, back, &r->err));
			same_region(g, back);
		}
	}
	for (size_t i = 0; i < g->n_pages; i++)
		g->pages[i].blob = PAGE_HOLE;
	struct blob_id id = id_of(1);
	rig_begin(r, NULL);
	rig_ok(r, map_put_region(r->sink, g, &id, &r->err));
	assert_true(blob_id_is_hole(&id));
	free(g);
	free(back);
}

/* A paged file: its segments' ids, and the regions as they were put (NULL: a hole). */
struct paged {
	uint64_t size;
	size_t n_regions;
	struct region **regions;
	struct blob_id *leaves;
	struct buf content;
};

static void
make_paged(struct rig *r, uint64_t size, uint64_t seed, struct paged *f)
{
	struct blob_id segments[MAP_INLINE_SEGMENTS * 2];
	size_t n_segments = 0;

	f->size = size;
	f->n_regions = (size + REGION_SIZE - 1) / REGION_SIZE;
	f->regions = calloc(f->n_regions, sizeof(*f->regions));
	f->leaves = calloc(f->n_regions, sizeof(*f->leaves));
	f->content = BUF_INIT(NODE_CONTENT_MAX);
	rig_begin(r, NULL);
	for (size_t i = 0; i < f->n_regions; i++) {
		if (i % 5 == 4 || (i / SEGMENT_REGIONS == 1 && size > 3 * (uint64_t)SEGMENT_SIZE))
			continue; /* the whole of segment 1 is a hole */
		f->regions[i] = malloc(sizeof(**f->regions));
		random_region(
			(uint32_t)MIN((uint64_t)REGION_SIZE, size - i * (uint64_t)REGION_SIZE), 13,
			seed + i, f->regions[i]);
		rig_ok(r, map_put_region(r->sink, f->regions[i], &f->leaves[i], &r->err));
	}
	for (size_t i = 0; i < f->n_regions; i += SEGMENT_REGIONS) {
		size_t n = MIN((size_t)SEGMENT_REGIONS, f->n_regions - i);
		struct map_segment s = {
			.length = MIN((uint64_t)SEGMENT_SIZE, size - i * (uint64_t)REGION_SIZE),
			.paged = true,
			.n_regions = n,
			.regions = f->leaves + i};

		assert_true(n_segments < ARRAY_SIZE(segments));
		rig_ok(r, map_put_segment(r->sink, &s, &segments[n_segments++], &r->err));
	}
	rig_ok(r, map_encode_segments(r->sink, segments, n_segments, &f->content, &r->err));
	rig_end(r);
	rig_look(r);
}

static void
free_paged(struct paged *f)
{
	for (size_t i = 0; i < f->n_regions; i++)
		free(f->regions[i]);
	free(f->regions);
	free(f->leaves);
	buf_done(&f->content);
}

/* Page by page: what the walk says of each is what was put. */
static void
expect_pages(const struct pieces *all, const struct paged *f)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct map_piece *p = &all->list[i];

		for (uint64_t at = p->file_offset; at < p->file_offset + p->length; at += 8192) {
			const struct region *g = f->regions[at / REGION_SIZE];
			size_t page = at % REGION_SIZE / 8192;

			if (p->hole) {
				assert_true(g == NULL || g->pages[page].blob == PAGE_HOLE);
				continue;
			}
			assert_non_null(g);
			assert_int_equal(p->page_size, 8192);
			assert_memory_equal(&p->blob, &g->blobs[g->pages[page].blob],
					    sizeof(p->blob));
			assert_int_equal(p->blob_offset + (at - p->file_offset),
					 g->pages[page].page * 8192u);
		}
	}
}

/* Fingerprints are valid during the call only. */
static int
check_fingerprints(void *arg, const struct map_piece *p, struct error *err)
{
	const struct paged *f = arg;

	(void)err;
	for (size_t i = 0; !p->hole && i * 8192 < p->length; i++) {
		uint64_t at = p->file_offset + i * 8192;

		assert_memory_equal(
			p->fingerprints + 16 * i,
			f->regions[at / REGION_SIZE]->fingerprints[at % REGION_SIZE / 8192], 16);
	}
	return OK;
}

static void
expect_old(struct rig *r, const struct paged *f)
{
	CLEAN(map_old_closep) struct map_old *m = NULL;
	struct region *g = malloc(sizeof(*g));
	uint64_t seed = 4;
	struct blob_id id;

	assert_non_null(g);
	rig_ok(r, map_old_open(r->reader, buf_slice(&f->content), f->size, &m, &r->err));
	for (size_t i = 0; i < 2 * f->n_regions; i++) {
		uint64_t number = i < f->n_regions ? i : rig_random(&seed) % f->n_regions;
		uint32_t length = (uint32_t)MIN((uint64_t)REGION_SIZE,
						f->size - number * (uint64_t)REGION_SIZE);

		rig_check(&r->err, map_old_region(m, number, g, &id, &r->err), 1, "map_old_region",
			  __FILE__, __LINE__);
		assert_memory_equal(&id, &f->leaves[number], sizeof(id));
		assert_int_equal(g->length, length);
		if (f->regions[number] != NULL) {
			same_region(g, f->regions[number]);
			continue;
		}
		for (size_t k = 0; k < g->n_pages; k++)
			assert_int_equal(g->pages[k].blob, PAGE_HOLE);
	}
	assert_int_equal(map_old_region(m, f->n_regions, g, &id, &r->err), 0);
	assert_int_equal(map_old_region(m, UINT64_MAX / REGION_SIZE, g, &id, &r->err), 0);
	free(g);
}

static void
paged_files(void **state)
{
	static const uint64_t sizes[] = {
		1,
		8192,
		REGION_SIZE,
		REGION_SIZE + 1,
		3 * REGION_SIZE - 8191,
		SEGMENT_SIZE,
		SEGMENT_SIZE + UINT64_C(1),
		UINT64_C(5) * SEGMENT_SIZE + 7 * REGION_SIZE + 4097,
		UINT64_C(40) * SEGMENT_SIZE + 12345, /* more segments than fit inline */
	};
	struct rig *r = *state;
	struct pieces all = {0};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct paged f = {0};

		/* The largest would take long to fill: only its first segments and its end count. */
		make_paged(r, sizes[i], 1000 * i, &f);
		all.n = 0;
		all.from = 0;
		if (sizes[i] < UINT64_C(10) * SEGMENT_SIZE) {
			walk_whole(r, buf_slice(&f.content), sizes[i], &all);
			expect_pages(&all, &f);
		}
		rig_ok(r, map_walk(r->reader, buf_slice(&f.content), sizes[i], 0,
				   check_fingerprints, &f, &r->err));
		expect_old(r, &f);
		free_paged(&f);
	}
	free(all.list);
}

static void
not_paged_before(void **state)
{
	struct rig *r = *state;
	CLEAN(buf_done) struct buf content = BUF_INIT(NODE_CONTENT_MAX);
	struct map_chunk chunk = {.length = 1000, .id = id_of(1)};
	struct map_segment s = {.length = 1000, .n_chunks = 1, .chunks = &chunk};
	struct region *g = malloc(sizeof(*g));
	struct map_old *m = NULL;
	struct blob_id id;

	assert_non_null(g);
	rig_begin(r, NULL);
	rig_ok(r, map_encode_inline(&s, &content, &r->err));
	rig_ok(r, map_put_segment(r->sink, &s, &id, &r->err));
	rig_end(r);
	rig_look(r);
	rig_ok(r, map_old_open(r->reader, buf_slice(&content), 1000, &m, &r->err));
	assert_int_equal(map_old_region(m, 0, g, &id, &r->err), 0);
	map_old_close(STEAL_PTR(m));
	buf_reset(&content);
	rig_ok(r, map_encode_segments(r->sink, &id, 1, &content, &r->err));
	rig_ok(r, map_old_open(r->reader, buf_slice(&content), 1000, &m, &r->err));
	assert_int_equal(map_old_region(m, 0, g, &id, &r->err), 0);
	map_old_close(STEAL_PTR(m));
	/* An empty file. */
	rig_ok(r, map_old_open(r->reader, SLICE(NULL, 0), 0, &m, &r->err));
	assert_int_equal(map_old_region(m, 0, g, &id, &r->err), 0);
	map_old_close(STEAL_PTR(m));
	map_old_close(NULL);
	free(g);
}

/* ---- depth ----------------------------------------------------------------------------------- */

static int
count_ids(void *arg, const struct blob_id *id, bool meta, struct error *err)
{
	size_t *counts = arg;

	(void)err;
	assert_false(blob_id_is_hole(id));
	counts[meta]++;
	return OK;
}

/* Lists of lists: a file of many terabytes in which little is. */
static void
deep_maps(void **state)
{
	static const size_t counts[] = {MAP_INLINE_SEGMENTS,
					MAP_INLINE_SEGMENTS + 1,
					MAP_LIST_IDS,
					MAP_LIST_IDS + 1,
					MAP_INLINE_SEGMENTS * MAP_LIST_IDS,
					MAP_INLINE_SEGMENTS * MAP_LIST_IDS + 1,
					40 * MAP_INLINE_SEGMENTS * MAP_LIST_IDS};
	struct rig *r = *state;
	struct map_chunk chunk = {.length = BLOB_MAX, .id = id_of(5)};
	struct map_chunk chunks[2] = {chunk, {.length = SEGMENT_SIZE - BLOB_MAX}};
	struct map_segment s = {.length = SEGMENT_SIZE, .n_chunks = 2, .chunks = chunks};
	struct pieces all = {0};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		size_t n = counts[i], kinds[2] = {0}, blobs = 0;
		struct blob_id *ids = calloc(n, sizeof(*ids));
		CLEAN(buf_done) struct buf content = BUF_INIT(NODE_CONTENT_MAX);
		const size_t full[3] = {0, n / 2, n - 1};
		const uint64_t size = (uint64_t)n * SEGMENT_SIZE;

		assert_non_null(ids);
		rig_begin(r, NULL);
		for (size_t k = 0; k < 3; k++)
			rig_ok(r, map_put_segment(r->sink, &s, &ids[full[k]], &r->err));
		rig_ok(r, map_encode_segments(r->sink, ids, n, &content, &r->err));
		rig_end(r);
		rig_look(r);
		/* Too many pieces to keep for the largest. */
		if (size >> 31 < PIECES_MAX)
			walk_whole(r, buf_slice(&content), size, &all);
		for (size_t k = 0; k < 3; k++) {
			struct pieces part = {.list = calloc(PIECES_MAX, sizeof(*part.list))};
			uint64_t from = (uint64_t)full[k] * SEGMENT_SIZE;

			if (size - from < (uint64_t)PIECES_MAX << 31) {
				walk_from(r, buf_slice(&content), size, from, &part);
				assert_false(part.list[0].hole);
				assert_int_equal(part.list[0].file_offset, from);
				assert_memory_equal(&part.list[0].blob, &chunk.id,
						    sizeof(chunk.id));
				blobs++;
			}
			free(part.list);
		}
		assert_true(blobs > 0);
		rig_ok(r,
		       map_blobs(r->reader, buf_slice(&content), size, count_ids, kinds, &r->err));
		assert_int_equal(kinds[0], 3);
		assert_in_range(kinds[1], 3, 12);
		free(ids);
	}
	free(all.list);
}

static void
empty_file(void **state)
{
	struct rig *r = *state;
	struct pieces all = {0};

	rig_look(r);
	rig_ok(r, map_walk(r->reader, SLICE(NULL, 0), 0, 0, collect, &all, &r->err));
	rig_fails(r, map_walk(r->reader, SLICE(NULL, 0), 1, 0, collect, &all, &r->err),
		  ERR_CORRUPT);
	assert_int_equal(all.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(inline_chunks, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(chunk_segments, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(too_many_chunks, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(region_leaves, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(paged_files, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(not_paged_before, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(deep_maps, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(empty_file, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
