/* SPDX-License-Identifier: Apache-2.0 */

/*
 * See golden.h. Two restore points of one small tree, in which everything the format has occurs: each
 * kind of node, extended attributes, a folder of several pages; files inline, in a chunk segment, in
 * a list of segments, and one in pages of which some changed between the two.
 *
 * What is computed here must never change, or the repositories no longer match; new things come behind
 * a new version.
 */
#include "golden.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "repo/chunker.h"
#include "repo/map.h"
#include "repo/mark.h"
#include "repo/point.h"
#include "repo/tree.h"
#include "rig.h"

enum {
	PAGE = 8192,
	PAGES = 200, /* of "paged"; from page 140 on only every fourth is there */
	PAGED_SIZE = PAGES * PAGE - 1000,
	CHUNKED_SIZE = 1500000,
	MANY = 3000, /* nodes in "many": two pages and a list */
	EXPECTED_MAX = PAGES * PAGE, /* the longest of the files, but for "sparse" */
};

#define SPARSE_SIZE (UINT64_C(40) * SEGMENT_SIZE + 5) /* more segments than fit inline */
#define DAY (UINT64_C(86400) * 1000000000)
#define BEGIN (UINT64_C(20000) * DAY)

static const char readme[] = "A file as it may be, short and plain.\n";

/* ---- what is in it --------------------------------------------------------------------------- */

int
golden_key(bool password, struct secret **ret, struct key_source *ret_source, struct error *err)
{
	struct secret *s;

	if (secret_new(password ? strlen(GOLDEN_PASSWORD) : 32, &s, err) < 0)
		return err->code;
	if (password)
		memcpy(secret_bytes(s), GOLDEN_PASSWORD, strlen(GOLDEN_PASSWORD));
	else
		for (uint8_t i = 0; i < 32; i++)
			secret_bytes(s)[i] = (uint8_t)(i * 7 + 1);
	*ret_source = (struct key_source){.password = password ? s : NULL,
					  .key_file = password ? NULL : s};
	*ret = s;
	return OK;
}

/* Here and there a byte in zeros: small when compressed, and yet no 64 bytes are like others, so that it
 * can be cut. */
static void
chunked_content(uint8_t content[CHUNKED_SIZE])
{
	uint64_t seed = 11;

	memset(content, 0, CHUNKED_SIZE);
	for (size_t at = 0; at < CHUNKED_SIZE;) {
		uint64_t dice = rig_random(&seed);

		content[at] = (uint8_t)dice;
		at += 1 + (dice >> 8) % 127;
	}
}

static bool
page_is_hole(size_t page)
{
	return page >= 140 && page % 4 != 0;
}

/* Pages 3, 5, 130 and 196 changed between the two points. */
static unsigned
page_generation(unsigned generation, size_t page)
{
	return page == 3 || page == 5 || page == 130 || page == 196 ? generation : 0;
}

static void
page_content(unsigned generation, size_t page, uint8_t content[PAGE])
{
	memset(content, (int)page, PAGE);
	rig_fill(content, 24, 1000 * page_generation(generation, page) + page);
	if (page == PAGES - 1)
		memset(content + PAGE - 1000, 0, 1000);
}

_Static_assert(CHUNKED_SIZE <= EXPECTED_MAX, "it holds each of them");
/* The file's end is a hole. */
_Static_assert((PAGES - 1) % 4 != 0, "the last page is a hole");

struct golden_node {
	const char *name; /* in the order of a folder */
	struct node node;
};

/* The top folder's nodes but for what depends on stored blobs. */
static size_t
top_nodes(struct golden_node nodes[16], struct buf *xattrs, struct error *err)
{
	static const uint8_t odd[] = {0x01, 0x80, 0xff, '\n'};
	size_t n = 0;

	if (tree_xattr_add(xattrs, SLICE("security.capability", 19), SLICE("\1\0\0\2", 4), err) <
		    0 ||
	    tree_xattr_add(xattrs, SLICE("user.note", 9), SLICE("kept", 4), err) < 0)
		return 0;
	nodes[n++] = (struct golden_node){"\x01\x80\xff\n", {.type = NODE_FILE, .mode = 0600}};
	nodes[0].node.name = SLICE(odd, sizeof(odd));
	nodes[n++] = (struct golden_node){"block",
					  {.type = NODE_BLOCK, .mode = 0660, .rdev = 8ull << 32}};
	nodes[n++] = (struct golden_node){
		"char", {.type = NODE_CHAR, .mode = 0666, .rdev = 1ull << 32 | 3}};
	nodes[n++] = (struct golden_node){
		"chunked", {.type = NODE_FILE, .mode = 0640, .nlink = 2, .size = CHUNKED_SIZE}};
	nodes[n++] = (struct golden_node){"empty", {.type = NODE_FILE, .mode = 04755}};
	nodes[n++] = (struct golden_node){"fifo", {.type = NODE_FIFO, .mode = 0622}};
	nodes[n++] = (struct golden_node){"link", {.type = NODE_SYMLINK, .mode = 0777}};
	nodes[n - 1].node.target = SLICE("../somewhere/else", 17);
	nodes[n++] = (struct golden_node){"many", {.type = NODE_DIR, .mode = 01777}};
	nodes[n++] = (struct golden_node){"paged",
					  {.type = NODE_FILE, .mode = 0600, .size = PAGED_SIZE}};
	nodes[n - 1].node.flags = NODE_PAGED | NODE_DAMAGED_PAGES;
	nodes[n++] = (struct golden_node){"readme", {.type = NODE_FILE, .mode = 0644}};
	nodes[n - 1].node.size = sizeof(readme) - 1;
	nodes[n - 1].node.xattrs = buf_slice(xattrs);
	nodes[n++] = (struct golden_node){"sparse",
					  {.type = NODE_FILE, .mode = 0644, .size = SPARSE_SIZE}};
	nodes[n - 1].node.flags = NODE_CHANGED_WHILE_READ;
	for (size_t i = 0; i < n; i++) {
		struct node *node = &nodes[i].node;

		if (i > 0)
			node->name = SLICE(nodes[i].name, strlen(nodes[i].name));
		node->uid = (uint32_t)(1000 + i);
		node->gid = (uint32_t)(70000 * i);
		node->mtime_ns = (int64_t)(BEGIN - i * DAY) + 123456789;
		node->ctime_ns = -(int64_t)i;
		node->dev = 2049;
		node->ino = UINT64_C(1) << (4 * i);
		node->nlink = MAX(node->nlink, UINT64_C(1));
	}
	return n;
}

/* ---- making ---------------------------------------------------------------------------------- */

struct maker {
	struct repo *repo;
	struct repo_sink *sink;
	struct error *err;
	unsigned generation;
	struct region old[2]; /* of "paged": the second time, what the first made */
};

static int
make_chunked(struct maker *m, struct buf *content)
{
	CLEAN(free_ptr) uint8_t *data = malloc(CHUNKED_SIZE);
	struct map_chunk chunks[64];
	struct map_segment s = {.length = CHUNKED_SIZE, .chunks = chunks};
	struct chunker chunker;
	struct blob_id id;

	if (data == NULL)
		return error_no_memory(m->err);
	chunked_content(data);
	if (chunker_init(&chunker, m->repo->keys.chunker, m->err) < 0)
		return m->err->code;
	for (size_t at = 0; at < CHUNKED_SIZE && s.n_chunks < ARRAY_SIZE(chunks); s.n_chunks++) {
		struct map_chunk *c = &chunks[s.n_chunks];

		c->length = chunker_cut(&chunker, data + at, CHUNKED_SIZE - at);
		if (repo_sink_put(m->sink, BLOB_DATA, SLICE(data + at, c->length), &c->id, NULL,
				  m->err) < 0)
			return m->err->code;
		at += c->length;
	}
	if (map_put_segment(m->sink, &s, &id, m->err) < 0)
		return m->err->code;
	return map_encode_segments(m->sink, &id, 1, content, m->err);
}

static int
make_sparse(struct maker *m, struct buf *content)
{
	struct blob_id ids[41] = {0};
	struct map_chunk chunks[2] = {{.length = 5}, {.length = SEGMENT_SIZE - 5}};
	struct map_segment s = {.length = SEGMENT_SIZE, .n_chunks = 2, .chunks = chunks};

	/* Five bytes at the beginning, in the middle, and at the end. */
	if (repo_sink_put(m->sink, BLOB_DATA, SLICE("here\n", 5), &chunks[0].id, NULL, m->err) <
		    0 ||
	    map_put_segment(m->sink, &s, &ids[0], m->err) < 0)
		return m->err->code;
	ids[20] = ids[0];
	s.length = 5;
	s.n_chunks = 1;
	if (map_put_segment(m->sink, &s, &ids[40], m->err) < 0)
		return m->err->code;
	return map_encode_segments(m->sink, ids, 41, content, m->err);
}

/* The pages [first, first + 128) of the file as one region; only changed ones in a new blob. */
static int
make_region(struct maker *m, size_t first, struct region *g, struct blob_id *ret)
{
	CLEAN(free_ptr) uint8_t *blob = malloc(REGION_SIZE);
	uint16_t fresh = 0, in_blob = m->generation == 0 ? 0 : g->n_blobs;

	if (blob == NULL)
		return error_no_memory(m->err);
	g->length = (uint32_t)MIN((size_t)REGION_SIZE, PAGED_SIZE - first * PAGE);
	g->page_shift = 13;
	g->n_pages = (uint16_t)((g->length + PAGE - 1) / PAGE);
	for (size_t i = 0; i < g->n_pages; i++) {
		if (page_is_hole(first + i)) {
			g->pages[i].blob = PAGE_HOLE;
			continue;
		}
		if (m->generation > 0 && page_generation(m->generation, first + i) == 0)
			continue;
		page_content(m->generation, first + i, blob + fresh * PAGE);
		g->pages[i] = (struct region_page){.blob = in_blob, .page = fresh};
		if (repo_sink_fingerprint(m->sink, SLICE(blob + fresh * PAGE, PAGE),
					  g->fingerprints[i], m->err) < 0)
			return m->err->code;
		fresh++;
	}
	g->n_blobs = (uint16_t)(in_blob + 1);
	if (repo_sink_put(m->sink, BLOB_PAGES, SLICE(blob, (size_t)fresh * PAGE),
			  &g->blobs[in_blob], NULL, m->err) < 0)
		return m->err->code;
	return map_put_region(m->sink, g, ret, m->err);
}

static int
make_paged(struct maker *m, struct buf *content)
{
	struct blob_id regions[2], id;
	struct map_segment s = {
		.length = PAGED_SIZE, .paged = true, .n_regions = 2, .regions = regions};

	if (make_region(m, 0, &m->old[0], &regions[0]) < 0 ||
	    make_region(m, REGION_SIZE / PAGE, &m->old[1], &regions[1]) < 0 ||
	    map_put_segment(m->sink, &s, &id, m->err) < 0)
		return m->err->code;
	return map_encode_segments(m->sink, &id, 1, content, m->err);
}

static int
make_readme(struct maker *m, struct buf *content)
{
	struct map_chunk chunk = {.length = sizeof(readme) - 1};
	struct map_segment s = {.length = chunk.length, .n_chunks = 1, .chunks = &chunk};

	if (repo_sink_put(m->sink, BLOB_DATA, SLICE(readme, chunk.length), &chunk.id, NULL,
			  m->err) < 0)
		return m->err->code;
	return map_encode_inline(&s, content, m->err);
}

static int
make_many(struct maker *m, struct blob_id *ret)
{
	CLEAN(tree_builder_freep) struct tree_builder *b = NULL;

	if (tree_builder_new(m->sink, &b, m->err) < 0)
		return m->err->code;
	for (unsigned i = 0; i < MANY; i++) {
		char name[16];
		struct node node = {.type = NODE_FIFO, .ino = i, .nlink = 1};

		node.name = SLICE(name, (size_t)snprintf(name, sizeof(name), "f%04u", i));
		if (tree_builder_add(b, &node, m->err) < 0)
			return m->err->code;
	}
	return tree_builder_finish(b, ret, m->err);
}

static int
fill_node(struct maker *m, struct node *node, struct buf *content)
{
	int rc = OK;

	if (node->type == NODE_DIR)
		return make_many(m, &node->tree);
	if (node->type != NODE_FILE || node->size == 0)
		return OK;
	if (node->size == CHUNKED_SIZE)
		rc = make_chunked(m, content);
	else if (node->size == PAGED_SIZE)
		rc = make_paged(m, content);
	else if (node->size == SPARSE_SIZE)
		rc = make_sparse(m, content);
	else
		rc = make_readme(m, content);
	node->content = buf_slice(content);
	return rc;
}

static int
make_tree(struct maker *m, struct blob_id *ret)
{
	CLEAN(tree_builder_freep) struct tree_builder *b = NULL;
	CLEAN(buf_done) struct buf xattrs = BUF_INIT(1000);
	struct golden_node nodes[16];
	size_t n = top_nodes(nodes, &xattrs, m->err);

	if (n == 0 || tree_builder_new(m->sink, &b, m->err) < 0)
		return m->err->code;
	for (size_t i = 0; i < n; i++) {
		CLEAN(buf_done) struct buf content = BUF_INIT(NODE_CONTENT_MAX);

		if (fill_node(m, &nodes[i].node, &content) < 0 ||
		    tree_builder_add(b, &nodes[i].node, m->err) < 0)
			return m->err->code;
	}
	return tree_builder_finish(b, ret, m->err);
}

static int
make_point(struct maker *m, const struct blob_id *tree)
{
	char hex[2 * BLOB_ID_SIZE + 1];
	struct object_id id;
	json_t *json = json_pack(
		"{s:I, s:I, s:s, s:s, s:b, s:[{s:s, s:s}, {s:s, s:s, s:{s:s}}], s:[s], s:{s:i}}",
		"start", (json_int_t)(BEGIN + m->generation * DAY), "end",
		(json_int_t)(BEGIN + m->generation * DAY + 1), "host", "golden", "consistency",
		m->generation == 0 ? "crash" : "application", "incomplete", m->generation == 0,
		"roots", "name", "", "tree", hex_encode(tree->b, BLOB_ID_SIZE, hex), "name",
		"postgresql:main", "tree", hex, "component", "name", "main", "tags", "kept",
		"unknown", "to this version", 1);

	if (json == NULL)
		return error_no_memory(m->err);
	int rc = point_write(m->repo, json, &id, m->err);
	json_decref(json);
	return rc;
}

static int
make_generation(struct maker *m)
{
	CLEAN(repo_index_closep) struct repo_index *index = NULL;
	CLEAN(repo_writer_closep) struct repo_writer *w = NULL;
	struct blob_id tree;

	if (repo_index_open(m->repo, &index, m->err) < 0 ||
	    repo_writer_open(m->repo, index, NULL, &w, m->err) < 0 ||
	    repo_sink_open(w, &m->sink, m->err) < 0)
		return m->err->code;
	if (make_tree(m, &tree) < 0) {
		repo_sink_abort(m->sink);
		return m->err->code;
	}
	if (repo_sink_close(m->sink, m->err) < 0 || repo_writer_flush(w, m->err) < 0)
		return m->err->code;
	return make_point(m, &tree);
}

/* A mark of no pack that is there. */
static int
make_mark(struct repo *repo, struct error *err)
{
	struct pack_id packs[2] = {{{1}}, {{2}}};
	struct object_id id;
	const struct mark m = {.created_ns = BEGIN,
			       .sweep_after_ns = BEGIN + DAY,
			       .swept_ns = BEGIN + 2 * DAY,
			       .n = 2,
			       .packs = packs};

	return mark_write(repo, &m, &id, err);
}

int
golden_make(struct store *store, const char *cache_root, struct error *err)
{
	CLEAN(secret_freep) struct secret *password = NULL;
	CLEAN(secret_freep) struct secret *key_file = NULL;
	CLEAN(repo_closep) struct repo *repo = NULL;
	struct key_source first, second;
	struct object_id id;
	struct maker *m;
	int rc;

	if (golden_key(true, &password, &first, err) < 0 ||
	    golden_key(false, &key_file, &second, err) < 0 ||
	    repo_init(store, &first, "the password", &id, err) < 0 ||
	    repo_open(store, &first, cache_root, &repo, err) < 0 ||
	    keys_slot_add(store, &repo->id, repo->config_hash, repo->keys.master, &second,
			  "the key file", &id, err) < 0)
		return err->code;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return error_no_memory(err);
	m->repo = repo;
	m->err = err;
	rc = make_generation(m);
	m->generation = 1;
	if (rc == OK)
		rc = make_generation(m);
	free(m);
	return rc < 0 ? rc : make_mark(repo, err);
}

/* ---- checking -------------------------------------------------------------------------------- */

struct checker {
	struct repo *repo;
	struct repo_reader *reader;
	struct fingerprinter *fingerprinter;
	struct error *err;
	unsigned generation;
	uint8_t *expected; /* of the file at hand, up to `limit` bytes */
	uint64_t limit;
	const uint64_t *cuts; /* where pieces must end, or NULL */
	size_t n_pieces;
	uint64_t next;
};

static int
differs(struct error *err, const char *what)
{
	return error_set(err, ERR_INTERNAL, "%s is not as it was", what);
}

static int
check_fingerprints(struct checker *c, const struct map_piece *p, const uint8_t *bytes)
{
	for (size_t i = 0; i * PAGE < p->length; i++) {
		uint8_t print[CRYPTO_FINGERPRINT_SIZE];

		/* The file's last page would be short, but it is a hole. */
		if (fingerprinter_page(c->fingerprinter, SLICE(bytes + i * PAGE, PAGE), print,
				       c->err) < 0)
			return c->err->code;
		if (memcmp(print, p->fingerprints + 16 * i, sizeof(print)) != 0)
			return differs(c->err, "a page's fingerprint");
	}
	return OK;
}

static int
check_piece(void *arg, const struct map_piece *p, struct error *err)
{
	static const uint8_t zeros[4096];
	struct checker *c = arg;
	struct slice blob;

	if (p->file_offset != c->next)
		return differs(err, "the order of a file's pieces");
	c->next += p->length;
	if (c->cuts != NULL && c->cuts[c->n_pieces] != c->next)
		return differs(err, "a cut");
	c->n_pieces++;
	if (p->hole) {
		uint64_t end = MIN(c->next, c->limit);

		for (uint64_t at = p->file_offset; at < end; at += sizeof(zeros)) {
			size_t n = (size_t)MIN(end - at, (uint64_t)sizeof(zeros));

			if (memcmp(c->expected + at, zeros, n) != 0)
				return differs(err, "a hole");
		}
		return OK;
	}
	if (repo_reader_blob(c->reader, &p->blob, &blob, err) < 0 ||
	    repo_reader_check(c->reader, &p->blob, blob, err) < 0)
		return err->code;
	if ((uint64_t)p->blob_offset + p->length > blob.n)
		return differs(err, "a blob's length");
	if (c->limit == 0) /* "sparse": only ever these five bytes */
		return p->length == 5 && p->file_offset % SEGMENT_SIZE == 0 &&
				       memcmp(blob.p, "here\n", 5) == 0
			       ? OK
			       : differs(err, "the sparse file");
	if (c->next > c->limit ||
	    memcmp(c->expected + p->file_offset, blob.p + p->blob_offset, p->length) != 0)
		return differs(err, "a file's content");
	return p->fingerprints == NULL ? OK : check_fingerprints(c, p, blob.p + p->blob_offset);
}

static int
expect_cuts(struct checker *c, uint64_t cuts[64])
{
	struct chunker chunker;
	uint64_t at = 0;

	if (chunker_init(&chunker, c->repo->keys.chunker, c->err) < 0)
		return c->err->code;
	for (size_t i = 0; i < 64 && at < CHUNKED_SIZE; i++) {
		at += chunker_cut(&chunker, c->expected + at, CHUNKED_SIZE - at);
		cuts[i] = at;
	}
	c->cuts = cuts;
	return OK;
}

static int
check_file(struct checker *c, const struct node *node)
{
	uint64_t cuts[64] = {0};
	int rc = OK;

	c->limit = node->size == SPARSE_SIZE ? 0 : node->size;
	c->cuts = NULL;
	c->next = c->n_pieces = 0;
	if (node->size == CHUNKED_SIZE) {
		chunked_content(c->expected);
		rc = expect_cuts(c, cuts);
	} else if (node->size == PAGED_SIZE) {
		memset(c->expected, 0, (size_t)PAGES * PAGE);
		for (size_t i = 0; i < PAGES; i++)
			if (!page_is_hole(i))
				page_content(c->generation, i, c->expected + i * PAGE);
	} else {
		memcpy(c->expected, readme, sizeof(readme));
	}
	if (rc < 0 || map_walk(c->reader, node->content, node->size, 0, check_piece, c, c->err) < 0)
		return c->err->code;
	if (c->next != node->size || (c->limit == 0 && c->n_pieces < 4))
		return differs(c->err, "a file's length");
	return OK;
}

static int
check_many(struct checker *c, const struct blob_id *id)
{
	CLEAN(tree_cursor_closep) struct tree_cursor *cursor = NULL;
	struct node node;
	unsigned i = 0;
	int more;

	if (tree_cursor_open(c->reader, id, &cursor, c->err) < 0)
		return c->err->code;
	for (; (more = tree_cursor_next(cursor, &node, c->err)) == 1; i++) {
		char name[16];
		int n = snprintf(name, sizeof(name), "f%04u", i);

		if (node.type != NODE_FIFO || node.ino != i || node.name.n != (size_t)n ||
		    memcmp(node.name.p, name, node.name.n) != 0)
			return differs(c->err, "the large folder");
	}
	if (more < 0)
		return more;
	return i == MANY ? OK : differs(c->err, "the large folder's length");
}

static bool
same(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static int
check_node(struct checker *c, const struct node *node, const struct node *want)
{
	if (!same(node->name, want->name) || node->type != want->type ||
	    node->flags != want->flags || node->mode != want->mode || node->uid != want->uid ||
	    node->gid != want->gid || node->mtime_ns != want->mtime_ns ||
	    node->ctime_ns != want->ctime_ns || node->dev != want->dev || node->ino != want->ino ||
	    node->nlink != want->nlink || node->rdev != want->rdev || node->size != want->size ||
	    !same(node->xattrs, want->xattrs) || !same(node->target, want->target))
		return differs(c->err, "an entry of the folder");
	if (node->type == NODE_DIR)
		return check_many(c, &node->tree);
	if (node->type == NODE_FILE && node->size > 0)
		return check_file(c, node);
	return OK;
}

static int
check_tree(struct checker *c, const struct blob_id *id)
{
	CLEAN(tree_cursor_closep) struct tree_cursor *cursor = NULL;
	CLEAN(buf_done) struct buf xattrs = BUF_INIT(1000);
	struct golden_node nodes[16];
	struct node node;
	size_t n = top_nodes(nodes, &xattrs, c->err);

	if (n == 0 || tree_cursor_open(c->reader, id, &cursor, c->err) < 0)
		return c->err->code;
	for (size_t i = 0; i < n; i++) {
		int more = tree_cursor_next(cursor, &node, c->err);

		if (more < 0)
			return more;
		if (more == 0)
			return differs(c->err, "the top folder's length");
		if (check_node(c, &node, &nodes[i].node) < 0)
			return error_prefix(c->err, "'%s'", nodes[i].name);
	}
	int more = tree_cursor_next(cursor, &node, c->err);
	return more == 1 ? differs(c->err, "the top folder's length") : more;
}

static int
check_point(struct checker *c, const struct point *p)
{
	const uint64_t start = BEGIN + c->generation * DAY;
	const json_t *unknown = json_object_get(p->json, "unknown");

	if (p->start_ns != start || p->end_ns != start + 1 || strcmp(p->host, "golden") != 0 ||
	    p->consistency != (c->generation == 0 ? CONSISTENCY_CRASH : CONSISTENCY_APPLICATION) ||
	    p->incomplete != (c->generation == 0) || p->n_roots != 2 ||
	    strcmp(p->roots[0].name, "") != 0 || strcmp(p->roots[1].name, "postgresql:main") != 0 ||
	    p->roots[0].component != NULL || p->roots[1].component == NULL ||
	    !blob_id_equal(&p->roots[0].tree, &p->roots[1].tree) ||
	    json_integer_value(json_object_get(unknown, "to this version")) != 1)
		return differs(c->err, "the record of a restore point");
	return check_tree(c, &p->roots[0].tree);
}

static int
check_mark(struct repo *repo, struct error *err)
{
	struct mark_list l;
	int rc = OK;

	if (mark_list_read(repo, &l, err) < 0)
		return err->code;
	if (l.n != 1 || l.marks[0].created_ns != BEGIN ||
	    l.marks[0].sweep_after_ns != BEGIN + DAY || l.marks[0].swept_ns != BEGIN + 2 * DAY ||
	    l.marks[0].n != 2 || l.marks[0].packs[0].b[0] != 1 || l.marks[0].packs[1].b[0] != 2)
		rc = differs(err, "the mark");
	mark_list_done(&l);
	return rc;
}

static int
check_points(struct checker *c)
{
	struct point_list l;
	int rc = OK;

	if (point_list_read(c->repo, &l, c->err) < 0)
		return c->err->code;
	if (l.n != 2)
		rc = differs(c->err, "the number of restore points");
	for (c->generation = 0; c->generation < 2 && rc == OK; c->generation++)
		rc = check_point(c, l.points[c->generation]);
	point_list_done(&l);
	return rc;
}

int
golden_check(struct repo *repo, struct error *err)
{
	CLEAN(repo_index_closep) struct repo_index *index = NULL;
	CLEAN(repo_reader_closep) struct repo_reader *reader = NULL;
	CLEAN(fingerprinter_freep) struct fingerprinter *fingerprinter = NULL;
	CLEAN(free_ptr) uint8_t *expected = malloc(EXPECTED_MAX);
	struct checker c = {.repo = repo, .err = err, .expected = expected};

	if (expected == NULL)
		return error_no_memory(err);
	if (repo_index_open(repo, &index, err) < 0 ||
	    repo_reader_open(repo, index, &reader, err) < 0 ||
	    fingerprinter_new(repo->keys.fingerprint, &fingerprinter, err) < 0)
		return err->code;
	c.reader = reader;
	c.fingerprinter = fingerprinter;
	if (check_points(&c) < 0)
		return err->code;
	return check_mark(repo, err);
}
