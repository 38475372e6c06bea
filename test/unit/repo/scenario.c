/* SPDX-License-Identifier: Apache-2.0 */

/* See scenario.h. Content is computed from seed and place, so that checking needs nothing kept. */
#include "scenario.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "repo/map.h"
#include "repo/point.h"
#include "repo/tree.h"
#include "rig.h"

enum {
	FILES = 9,
	REGIONS = 3, /* of "paged"; the middle one is a hole, the last one short */
	PAGE = 8192,
	PAGED_SIZE = 2 * REGION_SIZE + 3 * PAGE + 100,
	CHUNKS = 3, /* of "chunked", one of them a hole */
	CHUNK = 100000,
	CHUNKED_SIZE = CHUNKS * CHUNK,
};

struct session {
	struct repo *repo;
	uint64_t seed;
	struct repo_index *index;
	struct repo_writer *writer;
	struct repo_sink *sinks[2];
	uint8_t *space; /* REGION_SIZE */
};

/* Small files: every third is the same in all backups. */
static size_t
small_content(uint64_t seed, uint64_t number, uint8_t content[4096])
{
	return rig_sample(number % 3 == 0 ? number : 1000 * (seed + 1) + number, content);
}

static void
chunk_content(uint64_t seed, uint64_t number, uint8_t content[CHUNK])
{
	rig_fill(content, CHUNK, seed * 31 + number);
}

/* Pages 0 to 9 of the first region, all of the last; compressible. */
static void
page_content(uint64_t seed, uint64_t number, uint8_t content[PAGE])
{
	memset(content, (int)(seed + number) & 0xff, PAGE);
	rig_fill(content, 64, seed * 1000 + number);
}

static int
put_file(struct session *s, struct tree_builder *b, const char *name,
	 const struct map_segment *segment, uint64_t size, struct error *err)
{
	CLEAN(buf_done) struct buf content = BUF_INIT(NODE_CONTENT_MAX);
	struct blob_id id;

	if (segment->paged) {
		if (map_put_segment(s->sinks[1], segment, &id, err) < 0 ||
		    map_encode_segments(s->sinks[1], &id, 1, &content, err) < 0)
			return err->code;
	} else if (map_encode_inline(segment, &content, err) < 0) {
		return err->code;
	}
	struct node node = {.name = SLICE(name, strlen(name)),
			    .type = NODE_FILE,
			    .mode = 0640,
			    .nlink = 1,
			    .size = size,
			    .content = buf_slice(&content)};
	return tree_builder_add(b, &node, err);
}

static int
put_small(struct session *s, struct tree_builder *b, struct error *err)
{
	for (uint64_t i = 0; i < FILES; i++) {
		uint8_t content[4096];
		struct map_chunk chunk = {.length = small_content(s->seed, i, content)};
		struct map_segment segment = {
			.length = chunk.length, .n_chunks = 1, .chunks = &chunk};
		char name[16];

		(void)snprintf(name, sizeof(name), "small-%u", (unsigned)i);
		if (repo_sink_put(s->sinks[i % 2], BLOB_DATA, SLICE(content, chunk.length),
				  &chunk.id, NULL, err) < 0 ||
		    put_file(s, b, name, &segment, chunk.length, err) < 0)
			return err->code;
	}
	return OK;
}

static int
put_chunked(struct session *s, struct tree_builder *b, struct error *err)
{
	struct map_chunk chunks[CHUNKS] = {{.length = CHUNK}, {.length = CHUNK}, {.length = CHUNK}};
	struct map_segment segment = {.length = CHUNKED_SIZE, .n_chunks = CHUNKS, .chunks = chunks};

	for (uint64_t i = 0; i < CHUNKS; i += 2) {
		chunk_content(s->seed, i, s->space);
		if (repo_sink_put(s->sinks[0], BLOB_DATA, SLICE(s->space, CHUNK), &chunks[i].id,
				  NULL, err) < 0)
			return err->code;
	}
	return put_file(s, b, "chunked", &segment, CHUNKED_SIZE, err);
}

/* A region of which the first n pages lie in one blob of their own, the rest being holes. */
static int
put_region(struct session *s, uint64_t first_page, size_t n, uint32_t length, size_t blob_bytes,
	   struct blob_id *ret, struct error *err)
{
	CLEAN(free_ptr) struct region *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return error_no_memory(err);
	memset(s->space, 0, REGION_SIZE);
	g->length = length;
	g->page_shift = 13;
	g->n_pages = (uint16_t)((length + PAGE - 1) / PAGE);
	g->n_blobs = 1;
	for (size_t i = 0; i < g->n_pages; i++) {
		g->pages[i] = (struct region_page){.blob = i < n ? 0 : PAGE_HOLE,
						   .page = (uint16_t)i};
		if (i >= n)
			continue;
		page_content(s->seed, first_page + i, s->space + i * PAGE);
		if (repo_sink_fingerprint(s->sinks[1], SLICE(s->space + i * PAGE, PAGE),
					  g->fingerprints[i], err) < 0)
			return err->code;
	}
	if (repo_sink_put(s->sinks[1], BLOB_PAGES, SLICE(s->space, blob_bytes), &g->blobs[0], NULL,
			  err) < 0)
		return err->code;
	return map_put_region(s->sinks[1], g, ret, err);
}

static int
put_paged(struct session *s, struct tree_builder *b, struct error *err)
{
	struct blob_id regions[REGIONS] = {0};
	struct map_segment segment = {
		.length = PAGED_SIZE, .paged = true, .n_regions = REGIONS, .regions = regions};

	/* The first blob is as long as a region, which gives it a frame and a pack of its own. */
	if (put_region(s, 0, 10, REGION_SIZE, REGION_SIZE, &regions[0], err) < 0 ||
	    put_region(s, 500, 4, PAGED_SIZE % REGION_SIZE, PAGED_SIZE % REGION_SIZE, &regions[2],
		       err) < 0)
		return err->code;
	return put_file(s, b, "paged", &segment, PAGED_SIZE, err);
}

/* Sorted by name: "chunked", "dir" with the small files in it, "paged". */
static int
put_tree(struct session *s, struct blob_id *ret, struct error *err)
{
	CLEAN(tree_builder_freep) struct tree_builder *top = NULL;
	CLEAN(tree_builder_freep) struct tree_builder *dir = NULL;
	struct node node = {.name = SLICE("dir", 3), .type = NODE_DIR, .mode = 0755};

	if (tree_builder_new(s->sinks[0], &top, err) < 0 ||
	    tree_builder_new(s->sinks[1], &dir, err) < 0 || put_chunked(s, top, err) < 0 ||
	    put_small(s, dir, err) < 0 || tree_builder_finish(dir, &node.tree, err) < 0 ||
	    tree_builder_add(top, &node, err) < 0 || put_paged(s, top, err) < 0)
		return err->code;
	return tree_builder_finish(top, ret, err);
}

static int
write_point(struct session *s, const struct blob_id *tree, struct object_id *ret, struct error *err)
{
	char hex[2 * BLOB_ID_SIZE + 1];
	json_t *json = json_pack("{s:I, s:I, s:s, s:s, s:b, s:[{s:s, s:s}]}", "start",
				 (json_int_t)(s->seed + 1), "end", (json_int_t)(s->seed + 2),
				 "host", "test", "consistency", "crash", "incomplete", 0, "roots",
				 "name", "", "tree", hex_encode(tree->b, BLOB_ID_SIZE, hex));
	int r;

	if (json == NULL)
		return error_no_memory(err);
	r = point_write(s->repo, json, ret, err);
	json_decref(json);
	return r;
}

static int
run(struct session *s, struct object_id *ret_point, struct error *err)
{
	const struct repo_write_options small_packs = {.pack_size = 1};
	struct blob_id tree;

	s->space = malloc(REGION_SIZE);
	if (s->space == NULL)
		return error_no_memory(err);
	if (repo_index_open(s->repo, &s->index, err) < 0 ||
	    repo_writer_open(s->repo, s->index, &small_packs, &s->writer, err) < 0 ||
	    repo_sink_open(s->writer, &s->sinks[0], err) < 0 ||
	    repo_sink_open(s->writer, &s->sinks[1], err) < 0 || put_tree(s, &tree, err) < 0)
		return err->code;
	for (size_t i = 0; i < 2; i++)
		if (repo_sink_close(STEAL_PTR(s->sinks[i]), err) < 0)
			return err->code;
	if (repo_writer_flush(s->writer, err) < 0)
		return err->code;
	return write_point(s, &tree, ret_point, err);
}

int
scenario_backup(struct repo *repo, uint64_t seed, struct object_id *ret_point, struct error *err)
{
	struct session s = {.repo = repo, .seed = seed};
	int r = run(&s, ret_point, err);

	for (size_t i = 0; i < 2; i++)
		repo_sink_abort(s.sinks[i]);
	repo_writer_close(s.writer);
	repo_index_close(s.index);
	free(s.space);
	return r;
}

/* ---- reading back ---------------------------------------------------------------------------- */

struct check {
	struct repo_reader *reader;
	uint64_t seed;
	uint8_t *expected, *found; /* PAGED_SIZE each */
};

static int
take_piece(void *arg, const struct map_piece *piece, struct error *err)
{
	struct check *c = arg;
	struct slice blob;

	if (piece->file_offset + piece->length > PAGED_SIZE)
		return error_set(err, ERR_INTERNAL, "a piece beyond the end");
	if (piece->hole) {
		memset(c->found + piece->file_offset, 0, piece->length);
		return OK;
	}
	if (repo_reader_blob(c->reader, &piece->blob, &blob, err) < 0 ||
	    repo_reader_check(c->reader, &piece->blob, blob, err) < 0)
		return err->code;
	if ((uint64_t)piece->blob_offset + piece->length > blob.n)
		return error_set(err, ERR_INTERNAL, "a piece beyond its blob");
	memcpy(c->found + piece->file_offset, blob.p + piece->blob_offset, piece->length);
	return OK;
}

static int
check_file(struct check *c, const struct blob_id *tree, const char *path, uint64_t size,
	   struct error *err)
{
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);
	struct node node;
	int found = tree_find(c->reader, tree, path, &hold, &node, err);

	if (found < 0)
		return found;
	if (found == 0 || node.type != NODE_FILE || node.size != size)
		return error_set(err, ERR_INTERNAL, "'%s' is not as it was", path);
	memset(c->found, 0xee, size);
	if (map_walk(c->reader, node.content, node.size, 0, take_piece, c, err) < 0)
		return error_prefix(err, "'%s'", path);
	if (memcmp(c->found, c->expected, size) != 0)
		return error_set(err, ERR_INTERNAL, "'%s' has other content", path);
	return OK;
}

static int
check_tree(struct check *c, const struct blob_id *tree, struct error *err)
{
	for (uint64_t i = 0; i < FILES; i++) {
		char path[32];

		(void)snprintf(path, sizeof(path), "dir/small-%u", (unsigned)i);
		size_t n = small_content(c->seed, i, c->expected);
		if (check_file(c, tree, path, n, err) < 0)
			return err->code;
	}
	memset(c->expected, 0, PAGED_SIZE);
	chunk_content(c->seed, 0, c->expected);
	chunk_content(c->seed, 2, c->expected + 2 * CHUNK);
	if (check_file(c, tree, "chunked", CHUNKED_SIZE, err) < 0)
		return err->code;
	memset(c->expected, 0, PAGED_SIZE);
	for (uint64_t i = 0; i < 14; i++) {
		uint8_t page[PAGE];
		size_t at = i < 10 ? i * PAGE : 2 * REGION_SIZE + (i - 10) * PAGE;

		page_content(c->seed, i < 10 ? i : 490 + i, page);
		memcpy(c->expected + at, page, MIN((size_t)PAGE, PAGED_SIZE - at));
	}
	return check_file(c, tree, "paged", PAGED_SIZE, err);
}

int
scenario_check(struct repo *repo, const struct object_id *point, uint64_t seed, struct error *err)
{
	CLEAN(repo_index_closep) struct repo_index *index = NULL;
	CLEAN(point_freep) struct point *p = NULL;
	struct check c = {
		.seed = seed, .expected = malloc(PAGED_SIZE), .found = malloc(PAGED_SIZE)};
	int r;

	if (c.expected == NULL || c.found == NULL)
		r = error_no_memory(err);
	else if (repo_index_open(repo, &index, err) < 0 ||
		 repo_reader_open(repo, index, &c.reader, err) < 0 ||
		 point_read(repo, point, &p, err) < 0)
		r = err->code;
	else
		r = check_tree(&c, &p->roots[0].tree, err);
	repo_reader_close(c.reader);
	free(c.expected);
	free(c.found);
	return r;
}
