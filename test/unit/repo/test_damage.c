/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A repository of a few kilobytes that has one of everything, and every single byte of it damaged in
 * turn. Whatever byte it is: verification names the object; what is read is either an error or what was
 * stored; and a prune never takes what it cannot read for something nobody needs.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/hex.h"
#include "repo/map.h"
#include "repo/names.h"
#include "repo/point.h"
#include "repo/prune.h"
#include "repo/tree.h"
#include "repo/verify.h"
#include "rig.h"
#include "store/mem.h"

enum { PAGE = 4096, PAGES = 3, NOISE = 300, FILES = 3, BYTES_MIN = 2500 };

static const char *const paths[FILES] = {"chunks", "dir/small", "paged"};
static const size_t sizes[FILES] = {NOISE + 5000, NOISE, PAGES *PAGE - 100};

/* ---- making it ------------------------------------------------------------------------------- */

static void
expected(size_t file, uint8_t content[PAGES * PAGE])
{
	memset(content, 0, PAGES * PAGE);
	if (file < 2) /* behind it, a hole */
		rig_fill(content, NOISE, 100 + file);
	else
		for (size_t i = 0; i < PAGES; i += 2) { /* between them, a hole */
			memset(content + i * PAGE, (int)i + 1, PAGE);
			rig_fill(content + i * PAGE, 64, 200 + i);
		}
}

static void
add(struct rig *r, struct tree_builder *b, const char *name, size_t file, const struct buf *content)
{
	const struct node node = {.name = SLICE(name, strlen(name)),
				  .type = NODE_FILE,
				  .flags = file == 2 ? NODE_PAGED : 0,
				  .mode = 0600,
				  .nlink = 1,
				  .size = sizes[file],
				  .content = buf_slice(content)};

	rig_ok(r, tree_builder_add(b, &node, &r->err));
}

static void
add_chunks(struct rig *r, struct tree_builder *b, const char *name, size_t file)
{
	CLEAN(buf_done) struct buf content = BUF_INIT(NODE_CONTENT_MAX);
	uint8_t data[PAGES * PAGE];

	expected(file, data);
	struct map_chunk chunks[] = {
		{.length = NOISE, .id = rig_put(r, BLOB_DATA, data, NOISE)},
		{.length = sizes[file] - NOISE},
	};
	const struct map_segment segment = {
		.length = sizes[file], .n_chunks = sizes[file] > NOISE ? 2 : 1, .chunks = chunks};
	rig_ok(r, map_encode_inline(&segment, &content, &r->err));
	add(r, b, name, file, &content);
}

static void
add_paged(struct rig *r, struct tree_builder *b)
{
	CLEAN(buf_done) struct buf content = BUF_INIT(NODE_CONTENT_MAX);
	struct region g = {
		.length = (uint32_t)sizes[2], .page_shift = 12, .n_pages = PAGES, .n_blobs = 1};
	uint8_t data[PAGES * PAGE], blob[PAGES * PAGE];
	struct blob_id region, id;

	expected(2, data);
	memcpy(blob, data, PAGE);
	memcpy(blob + PAGE, data + 2 * PAGE, PAGE - 100);
	g.blobs[0] = rig_put(r, BLOB_PAGES, blob, 2 * PAGE - 100);
	g.pages[0] = (struct region_page){.blob = 0, .page = 0};
	g.pages[1] = (struct region_page){.blob = PAGE_HOLE};
	g.pages[2] = (struct region_page){.blob = 0, .page = 1};
	for (size_t i = 0; i < PAGES; i += 2)
		rig_ok(r, repo_sink_fingerprint(
				  r->sink,
				  SLICE(data + i * PAGE, MIN((size_t)PAGE, sizes[2] - i * PAGE)),
				  g.fingerprints[i], &r->err));
	rig_ok(r, map_put_region(r->sink, &g, &region, &r->err));
	const struct map_segment segment = {
		.length = sizes[2], .paged = true, .n_regions = 1, .regions = &region};
	rig_ok(r, map_put_segment(r->sink, &segment, &id, &r->err));
	rig_ok(r, map_encode_segments(r->sink, &id, 1, &content, &r->err));
	add(r, b, "paged", 2, &content);
}

static struct object_id
write_point(struct rig *r, const struct blob_id *tree)
{
	char hex[2 * BLOB_ID_SIZE + 1];
	struct object_id id;
	json_t *json = json_pack("{s:I, s:I, s:s, s:s, s:b, s:[{s:s, s:s}]}", "start",
				 (json_int_t)1, "end", (json_int_t)2, "host", "h", "consistency",
				 "none", "incomplete", 0, "roots", "name", "", "tree",
				 hex_encode(tree->b, BLOB_ID_SIZE, hex));

	assert_non_null(json);
	rig_ok(r, point_write(r->repo, json, &id, &r->err));
	json_decref(json);
	return id;
}

static struct object_id
backup(struct rig *r)
{
	struct tree_builder *top, *dir;
	struct node node = {.name = SLICE("dir", 3), .type = NODE_DIR, .mode = 0700};
	struct blob_id tree;

	rig_begin(r, NULL);
	rig_ok(r, tree_builder_new(r->sink, &top, &r->err));
	rig_ok(r, tree_builder_new(r->sink, &dir, &r->err));
	add_chunks(r, top, "chunks", 0);
	add_chunks(r, dir, "small", 1);
	rig_ok(r, tree_builder_finish(dir, &node.tree, &r->err));
	rig_ok(r, tree_builder_add(top, &node, &r->err));
	add_paged(r, top);
	rig_ok(r, tree_builder_finish(top, &tree, &r->err));
	tree_builder_free(top);
	tree_builder_free(dir);
	rig_end(r);
	return write_point(r, &tree);
}

/* One of everything: a restore point that is gone leaves something to mark. */
static struct rig *
make(struct object_id *ret_point)
{
	const struct prune_options day = {.grace_ns = 86400 * UINT64_C(1000000000)};
	struct rig *r = rig_new(false);
	struct prune_stats stats;
	uint8_t waste[NOISE];

	*ret_point = backup(r);
	rig_fill(waste, sizeof(waste), 7);
	rig_begin(r, NULL);
	(void)rig_put(r, BLOB_DATA, waste, sizeof(waste));
	rig_end(r);
	rig_shut(r);
	rig_ok(r, prune_run(r->repo, &day, &stats, &r->err));
	assert_int_equal(stats.marked, 1);
	static const char *const kinds[] = {NAME_KEYS, NAME_PACKS, NAME_INDEX, NAME_POINTS,
					    NAME_MARKS};
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		assert_true(rig_count(r, kinds[i]) > 0);
	return r;
}

/* ---- reading it ------------------------------------------------------------------------------ */

struct reading {
	struct repo_reader *reader;
	uint8_t found[PAGES * PAGE];
};

static int
take_piece(void *arg, const struct map_piece *piece, struct error *err)
{
	struct reading *c = arg;
	struct slice blob;

	assert_true(piece->file_offset + piece->length <= sizeof(c->found));
	if (piece->hole) {
		memset(c->found + piece->file_offset, 0, piece->length);
		return OK;
	}
	if (repo_reader_blob(c->reader, &piece->blob, &blob, err) < 0)
		return err->code;
	assert_true((uint64_t)piece->blob_offset + piece->length <= blob.n);
	memcpy(c->found + piece->file_offset, blob.p + piece->blob_offset, piece->length);
	return OK;
}

static int
read_file(struct reading *c, const struct blob_id *tree, size_t file, struct error *err)
{
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);
	uint8_t content[PAGES * PAGE];
	struct node node;
	int r = tree_find(c->reader, tree, paths[file], &hold, &node, err);

	if (r < 0)
		return r;
	/* Damage may make a file unreadable, but never absent, or another. */
	assert_int_equal(r, 1);
	assert_int_equal(node.size, sizes[file]);
	memset(c->found, 0xee, sizeof(c->found));
	r = map_walk(c->reader, node.content, node.size, 0, take_piece, c, err);
	if (r < 0)
		return r;
	expected(file, content);
	assert_memory_equal(c->found, content, sizes[file]);
	return OK;
}

/* As somebody who restores, without a cache: an error, or what was stored. */
static int
read_all(struct rig *r, const struct object_id *id)
{
	CLEAN(repo_closep) struct repo *repo = NULL;
	CLEAN(repo_index_closep) struct repo_index *index = NULL;
	CLEAN(point_freep) struct point *p = NULL;
	struct reading c = {0};
	char cache[sizeof(r->cache)];
	int rc;

	(void)rig_folder(cache);
	rc = repo_open(r->store, &r->source, cache, &repo, &r->err);
	if (rc == OK)
		rc = repo_index_open(repo, &index, &r->err);
	if (rc == OK)
		rc = repo_reader_open(repo, index, &c.reader, &r->err);
	if (rc == OK)
		rc = point_read(repo, id, &p, &r->err);
	for (size_t i = 0; rc == OK && i < FILES; i++)
		rc = read_file(&c, &p->roots[0].tree, i, &r->err);
	repo_reader_close(c.reader);
	assert_int_equal(fs_remove_tree(AT_FDCWD, cache, NULL), OK);
	return rc;
}

/* ---- every byte ------------------------------------------------------------------------------ */

/* False: the rig has changed, and must be made anew. */
typedef bool damage_fn(struct rig *r, const struct object_id *point, const char *name, size_t at);

static void
flip(struct rig *r, const char *name, size_t at)
{
	size_t n;
	uint8_t *p = store_mem_bytes(r->mem, name, &n);

	if (p != NULL)
		p[at] ^= (uint8_t)(1u << at % 8);
}

/* Each run takes ten times as long with AddressSanitizer, which need not see every one of them. */
#if defined(__SANITIZE_ADDRESS__)
enum { STRIDE = 5 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { STRIDE = 5 };
#else
enum { STRIDE = 1 };
#endif
#else
enum { STRIDE = 1 };
#endif

/* `each` is called with every byte of every object wrong, one at a time; it puts it right again. */
static void
every_byte(damage_fn *each, const char *kind, size_t least)
{
	struct object_id point;
	struct rig *r = make(&point);
	size_t bytes = 0;

	for (size_t i = 0; i < rig_count(r, kind); i++) {
		char name[STORE_NAME_MAX + 1];
		size_t n;

		rig_name(r, kind, i, name);
		(void)store_mem_bytes(r->mem, name, &n);
		for (size_t at = i % STRIDE; at < n; at += STRIDE, bytes++) {
			flip(r, name, at);
			if (each(r, &point, name, at))
				continue;
			/* Ids are random, so the order within a kind may be another; the kinds and
			 * sizes are not, and each byte of each kind is seen often. */
			rig_free(r);
			r = make(&point);
			rig_name(r, kind, i, name);
			(void)store_mem_bytes(r->mem, name, &n);
		}
	}
	assert_true(bytes >= least / STRIDE);
	rig_ok(r, read_all(r, &point));
	rig_free(r);
}

struct report {
	const char *name;
	bool found;
};

static void
problem(void *arg, const char *object, const char *message)
{
	struct report *report = arg;

	/* All marks are read at once; the message says which one it was. */
	if (strcmp(object, report->name) == 0 ||
	    (strcmp(object, NAME_MARKS) == 0 && strstr(message, report->name) != NULL))
		report->found = true;
}

static bool
is_named(struct rig *r, const struct object_id *point, const char *name, size_t at)
{
	struct report report = {.name = name};
	struct verify_stats stats = {0};
	const struct verify_options options = {
		.level = VERIFY_DATA, .workers = 1, .problem = problem, .problem_arg = &report};

	(void)point;
	/* Without the first nothing opens: the next test. */
	if (strcmp(name, NAME_CONFIG) != 0) {
		rig_fails(r, verify_repository(r->repo, &options, &stats, &r->err), ERR_CORRUPT);
		if (!report.found)
			print_error("byte %zu of '%s' is wrong, and it is not named\n", at, name);
		assert_true(report.found);
	}
	flip(r, name, at);
	return true;
}

static void
verification_names_it(void **state)
{
	(void)state;
	every_byte(is_named, "", BYTES_MIN);
}

static bool
is_no_lie(struct rig *r, const struct object_id *point, const char *name, size_t at)
{
	/* That what was read is right is seen to in read_file(). */
	int rc = read_all(r, point);

	assert_true(rc == OK || rc == ERR_CORRUPT || rc == ERR_VERSION || rc == ERR_PASSWORD);
	if (strcmp(name, NAME_CONFIG) == 0 || strncmp(name, NAME_KEYS, strlen(NAME_KEYS)) == 0 ||
	    strncmp(name, NAME_POINTS, strlen(NAME_POINTS)) == 0)
		assert_true(rc < 0);
	flip(r, name, at);
	return true;
}

static void
reading_never_lies(void **state)
{
	(void)state;
	every_byte(is_no_lie, "", BYTES_MIN);
}

/* Without grace, so that what is thought unneeded goes at once. Somebody may have another copy of the
 * damaged object, or its bytes may be right the next time: all must be as it was then. */
static bool
is_not_pruned(struct rig *r, const struct object_id *point, const char *name, size_t at)
{
	const struct prune_options at_once = {.grace_ns = 0};
	struct prune_stats stats;
	size_t before = rig_count(r, "");
	int rc = prune_run(r->repo, &at_once, &stats, &r->err);

	flip(r, name, at);
	rig_ok(r, read_all(r, point));
	return rc != OK && rig_count(r, "") == before;
}

static void
prune_takes_nothing_needed(void **state)
{
	(void)state;
	every_byte(is_not_pruned, NAME_POINTS, 100);
	every_byte(is_not_pruned, NAME_INDEX, 100);
	every_byte(is_not_pruned, NAME_PACKS, 1000);
	every_byte(is_not_pruned, NAME_MARKS, 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verification_names_it),
		cmocka_unit_test(reading_never_lies),
		cmocka_unit_test(prune_takes_nothing_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
