/* SPDX-License-Identifier: Apache-2.0 */

/* Folders: what goes in comes out in order, and what could not have gone in never comes out. */
#include "repo/tree.h"

#include <stdio.h>
#include <string.h>

#include "rig.h"

static struct node
file_node(const char *name)
{
	return (struct node){
		.name = SLICE(name, strlen(name)), .type = NODE_FILE, .mode = 0644, .nlink = 1};
}

static void
same_slice(struct slice a, struct slice b)
{
	assert_int_equal(a.n, b.n);
	if (a.n > 0)
		assert_memory_equal(a.p, b.p, a.n);
}

static void
same_node(const struct node *a, const struct node *b)
{
	same_slice(a->name, b->name);
	same_slice(a->xattrs, b->xattrs);
	same_slice(a->target, b->target);
	same_slice(a->content, b->content);
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->uid, b->uid);
	assert_int_equal(a->gid, b->gid);
	assert_true(a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns);
	assert_true(a->dev == b->dev && a->ino == b->ino && a->nlink == b->nlink);
	assert_true(a->rdev == b->rdev && a->size == b->size);
	assert_memory_equal(&a->tree, &b->tree, sizeof(a->tree));
}

static struct blob_id
build(struct rig *r, const struct node *nodes, size_t n)
{
	CLEAN(tree_builder_freep) struct tree_builder *b = NULL;
	struct blob_id id;

	rig_ok(r, tree_builder_new(r->sink, &b, &r->err));
	for (size_t i = 0; i < n; i++)
		rig_ok(r, tree_builder_add(b, &nodes[i], &r->err));
	rig_ok(r, tree_builder_finish(b, &id, &r->err));
	return id;
}

static void
expect(struct rig *r, const struct blob_id *id, const struct node *nodes, size_t n)
{
	CLEAN(tree_cursor_closep) struct tree_cursor *c = NULL;
	struct node node;

	rig_ok(r, tree_cursor_open(r->reader, id, &c, &r->err));
	for (size_t i = 0; i < n; i++) {
		rig_check(&r->err, tree_cursor_next(c, &node, &r->err), 1, "next", __FILE__,
			  __LINE__);
		same_node(&node, &nodes[i]);
	}
	assert_int_equal(tree_cursor_next(c, &node, &r->err), 0);
	assert_int_equal(tree_cursor_next(c, &node, &r->err), 0);
}

/* One of each kind, with extreme values. */
static size_t
zoo(struct node nodes[16], struct buf *xattrs)
{
	static const uint8_t odd[] = {1, 2, '\n', 0x7f, 0x80, 0xff};
	static char longest[NODE_NAME_MAX], target[NODE_TARGET_MAX];
	static uint8_t content[NODE_CONTENT_MAX];
	struct error err;
	size_t n = 0;

	memset(longest, 'y', sizeof(longest));
	memset(target, 'z', sizeof(target));
	rig_fill(content, sizeof(content), 1);
	assert_int_equal(tree_xattr_add(xattrs, SLICE("user.a", 6), SLICE("value", 5), &err), OK);
	assert_int_equal(tree_xattr_add(xattrs, SLICE("user.b", 6), SLICE(NULL, 0), &err), OK);
	nodes[n++] = (struct node){.name = SLICE(odd, sizeof(odd)), .type = NODE_FIFO};
	nodes[n++] = (struct node){.name = SLICE("...", 3), .type = NODE_DIR, .tree = {{1, 2, 3}}};
	nodes[n++] = (struct node){.name = SLICE("..a", 3),
				   .type = NODE_FILE,
				   .flags = NODE_PAGED | NODE_DAMAGED_PAGES,
				   .mode = 07777,
				   .uid = UINT32_MAX,
				   .gid = UINT32_MAX - 1,
				   .mtime_ns = INT64_MIN,
				   .ctime_ns = INT64_MAX,
				   .dev = UINT64_MAX,
				   .ino = UINT64_MAX,
				   .nlink = UINT64_MAX,
				   .size = INT64_MAX,
				   .xattrs = buf_slice(xattrs),
				   .content = SLICE(content, sizeof(content))};
	nodes[n++] = (struct node){
		.name = SLICE("block", 5), .type = NODE_BLOCK, .rdev = UINT64_MAX};
	nodes[n++] = (struct node){
		.name = SLICE("char", 4), .type = NODE_CHAR, .rdev = 1ull << 32 | 3};
	nodes[n++] = (struct node){.name = SLICE("empty", 5), .type = NODE_FILE, .mtime_ns = -1};
	nodes[n++] = (struct node){.name = SLICE("link", 4),
				   .type = NODE_SYMLINK,
				   .target = SLICE(target, sizeof(target))};
	nodes[n++] = (struct node){.name = SLICE(longest, sizeof(longest)),
				   .type = NODE_SYMLINK,
				   .target = SLICE("x", 1)};
	nodes[n++] = (struct node){.name = SLICE("\xff", 1), .type = NODE_FIFO};
	return n;
}

static void
round_trip(void **state)
{
	struct rig *r = *state;
	CLEAN(buf_done) struct buf xattrs = BUF_INIT(1 << 20);
	struct node nodes[16];
	size_t n = zoo(nodes, &xattrs);

	rig_begin(r, NULL);
	struct blob_id id = build(r, nodes, n), none = build(r, NULL, 0);
	rig_end(r);
	rig_look(r);
	expect(r, &id, nodes, n);
	expect(r, &none, NULL, 0);
}

/* Names name-000000, name-000002 ...: what lies between is absent. */
static struct node *
many(size_t n, char (**ret_names)[32])
{
	struct node *nodes = calloc(n, sizeof(*nodes));
	char(*names)[32] = calloc(n, sizeof(*names));

	assert_true(nodes != NULL && names != NULL);
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "name-%06zu", 2 * i);
		nodes[i] = file_node(names[i]);
		nodes[i].ino = i;
	}
	*ret_names = names;
	return nodes;
}

static int
count_blob(void *arg, const struct blob_id *id, struct error *err)
{
	(void)id;
	(void)err;
	(*(size_t *)arg)++;
	return OK;
}

static void
pages(void **state)
{
	static const size_t counts[] = {1,
					TREE_PAGE_NODES - 1,
					TREE_PAGE_NODES,
					TREE_PAGE_NODES + 1,
					2 * TREE_PAGE_NODES,
					10 * TREE_PAGE_NODES + 5};
	struct rig *r = *state;

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		char(*names)[32];
		struct node *nodes = many(counts[i], &names);
		size_t blobs = 0, full = (counts[i] + TREE_PAGE_NODES - 1) / TREE_PAGE_NODES;

		rig_begin(r, NULL);
		struct blob_id id = build(r, nodes, counts[i]);
		rig_end(r);
		rig_look(r);
		expect(r, &id, nodes, counts[i]);
		rig_ok(r, tree_blobs(r->reader, &id, count_blob, &blobs, &r->err));
		assert_int_equal(blobs, full == 1 ? 1 : full + 1);
		free(nodes);
		free(names);
	}
}

/* Pages also end by size; xattrs are what is large. */
static void
large_nodes(void **state)
{
	struct rig *r = *state;
	CLEAN(free_ptr) uint8_t *value = calloc(1, NODE_XATTRS_MAX);
	char(*names)[32];
	struct node *nodes = many(40, &names);
	size_t blobs = 0;

	assert_non_null(value);
	for (size_t i = 0; i < 40; i++)
		nodes[i].xattrs = SLICE(value, i % 3 ? NODE_XATTRS_MAX : 1000);
	rig_begin(r, NULL);
	struct blob_id id = build(r, nodes, 40);
	rig_end(r);
	rig_look(r);
	expect(r, &id, nodes, 40);
	rig_ok(r, tree_blobs(r->reader, &id, count_blob, &blobs, &r->err));
	assert_in_range(blobs, 11, 41);
	free(nodes);
	free(names);
}

/* One changed node costs its page and the list; the same folder costs nothing. */
static void
unchanged_pages_are_shared(void **state)
{
	struct rig *r = *state;
	const size_t n = 10 * TREE_PAGE_NODES;
	struct repo_write_stats before, after;
	char(*names)[32];
	struct node *nodes = many(n, &names);

	rig_begin(r, NULL);
	struct blob_id id = build(r, nodes, n);
	rig_ok(r, repo_sink_close(STEAL_PTR(r->sink), &r->err));
	repo_writer_stats(r->writer, &before);
	rig_ok(r, repo_sink_open(r->writer, &r->sink, &r->err));
	struct blob_id again = build(r, nodes, n);
	assert_memory_equal(&id, &again, sizeof(id));
	nodes[n / 2].mtime_ns++;
	again = build(r, nodes, n);
	assert_memory_not_equal(&id, &again, sizeof(id));
	rig_ok(r, repo_sink_close(STEAL_PTR(r->sink), &r->err));
	repo_writer_stats(r->writer, &after);
	assert_int_equal(after.blobs_new - before.blobs_new, 2);
	rig_end(r);
	rig_look(r);
	expect(r, &again, nodes, n);
	free(nodes);
	free(names);
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void
order_is_kept(void **state)
{
	struct rig *r = *state;
	CLEAN(tree_builder_freep) struct tree_builder *b = NULL;
	struct node m = file_node("m"), l = file_node("l"), mm = file_node("mm"),
		    z = file_node("\xfe");

	rig_begin(r, NULL);
	rig_ok(r, tree_builder_new(r->sink, &b, &r->err));
	rig_ok(r, tree_builder_add(b, &m, &r->err));
	rig_fails(r, tree_builder_add(b, &m, &r->err), ERR_INTERNAL);
	rig_fails(r, tree_builder_add(b, &l, &r->err), ERR_INTERNAL);
	rig_ok(r, tree_builder_add(b, &mm, &r->err));
	rig_fails(r, tree_builder_add(b, &m, &r->err), ERR_INTERNAL);
	rig_ok(r, tree_builder_add(b, &z, &r->err)); /* bytes are unsigned */
	const struct node expected[] = {m, mm, z};
	struct blob_id id;
	rig_ok(r, tree_builder_finish(b, &id, &r->err));
	rig_end(r);
	rig_look(r);
	expect(r, &id, expected, 3);
}

static void
impossible_nodes(void **state)
{
	struct rig *r = *state;
	CLEAN(tree_builder_freep) struct tree_builder *b = NULL;
	CLEAN(free_ptr) uint8_t *large = calloc(1, NODE_XATTRS_MAX + 1);
	struct node bad[16];
	size_t n = 0;

	assert_non_null(large);
	memset(large, 'x', NODE_XATTRS_MAX + 1);
	static const char *const names[] = {"", ".", "..", "a/b", "/"};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		bad[n++] = file_node(names[i]);
	bad[n] = file_node("a");
	bad[n++].name = SLICE("a\0b", 3);
	bad[n] = file_node("a");
	bad[n++].name = SLICE(large, NODE_NAME_MAX + 1);
	bad[n] = file_node("a");
	bad[n++].xattrs = SLICE(large, NODE_XATTRS_MAX + 1);
	bad[n] = file_node("a");
	bad[n++].content = SLICE(large, NODE_CONTENT_MAX + 1);
	bad[n] = file_node("a");
	bad[n++].type = NODE_BLOCK + 1;
	bad[n] = file_node("a");
	bad[n++].type = 0;
	bad[n] = file_node("a");
	bad[n++].mode = 010000;
	bad[n] = file_node("a");
	bad[n++].type = NODE_SYMLINK; /* no target */
	bad[n] = file_node("a");
	bad[n].type = NODE_SYMLINK;
	bad[n++].target = SLICE("a\0b", 3);
	bad[n] = file_node("a");
	bad[n].type = NODE_SYMLINK;
	bad[n++].target = SLICE(large, NODE_TARGET_MAX + 1);
	rig_begin(r, NULL);
	rig_ok(r, tree_builder_new(r->sink, &b, &r->err));
	for (size_t i = 0; i < n; i++)
		rig_fails(r, tree_builder_add(b, &bad[i], &r->err), ERR_INTERNAL);
	struct node good = file_node("a");
	rig_ok(r, tree_builder_add(b, &good, &r->err));
	struct blob_id id;
	rig_ok(r, tree_builder_finish(b, &id, &r->err));
	rig_end(r);
	rig_look(r);
	expect(r, &id, &good, 1);
}

/* ---- looking up ------------------------------------------------------------------------------ */

static void
seeking(void **state)
{
	struct rig *r = *state;
	const size_t n = 2 * TREE_PAGE_NODES + 100;
	CLEAN(tree_cursor_closep) struct tree_cursor *c = NULL;
	char(*names)[32];
	struct node *nodes = many(n, &names), node;
	char name[32];

	rig_begin(r, NULL);
	struct blob_id id = build(r, nodes, n);
	rig_end(r);
	rig_look(r);
	rig_ok(r, tree_cursor_open(r->reader, &id, &c, &r->err));
	assert_int_equal(tree_cursor_seek(c, SLICE("a", 1), &node, &r->err), 0);
	for (size_t i = 0; i < n; i += 17) {
		/* Absent, then present, then the one after it. */
		(void)snprintf(name, sizeof(name), "name-%06zu", i == 0 ? 0 : 2 * i - 1);
		assert_int_equal(tree_cursor_seek(c, SLICE(name, strlen(name)), &node, &r->err),
				 i == 0);
		if (i > 0)
			assert_int_equal(tree_cursor_seek(c, nodes[i].name, &node, &r->err), 1);
		same_node(&node, &nodes[i]);
		assert_int_equal(tree_cursor_seek(c, nodes[i].name, &node, &r->err),
				 0); /* past it */
		assert_int_equal(tree_cursor_next(c, &node, &r->err), i + 1 < n);
		if (i + 1 < n)
			same_node(&node, &nodes[i + 1]);
	}
	assert_int_equal(tree_cursor_seek(c, SLICE("zzz", 3), &node, &r->err), 0);
	assert_int_equal(tree_cursor_next(c, &node, &r->err), 0);
	free(nodes);
	free(names);
}

static int
find(struct rig *r, const struct blob_id *root, const char *path, uint64_t ino)
{
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);
	struct node node;
	int found = tree_find(r->reader, root, path, &hold, &node, &r->err);

	if (found == 1) {
		assert_int_equal(node.ino, ino);
		assert_true(node.name.p >= hold.p && node.name.p + node.name.n <= hold.p + hold.n);
	}
	return found;
}

static void
finding(void **state)
{
	struct rig *r = *state;
	struct node file = file_node("file"), dir = file_node("dir"), top = file_node("top");

	rig_begin(r, NULL);
	file.ino = 1;
	dir.ino = 2;
	top.ino = 3;
	dir.type = top.type = NODE_DIR;
	dir.tree = build(r, &file, 1);
	top.tree = build(r, &dir, 1);
	struct blob_id root = build(r, &top, 1);
	rig_end(r);
	rig_look(r);
	assert_int_equal(find(r, &root, "top", 3), 1);
	assert_int_equal(find(r, &root, "/top/dir", 2), 1);
	assert_int_equal(find(r, &root, "//top///dir/file", 1), 1);
	assert_int_equal(find(r, &root, "top/dir/", 2), 1);
	assert_int_equal(find(r, &root, "", 0), 0);
	assert_int_equal(find(r, &root, "/", 0), 0);
	assert_int_equal(find(r, &root, "to", 0), 0);
	assert_int_equal(find(r, &root, "topp", 0), 0);
	assert_int_equal(find(r, &root, "top/dir/file/x", 0), 0);
	assert_int_equal(find(r, &root, "top/../top", 0), 0);
	assert_int_equal(find(r, &root, "dir", 0), 0);
	struct blob_id absent = {{1}};
	assert_int_equal(find(r, &absent, "top", 0), ERR_CORRUPT);
}

static void
extended_attributes(void **state)
{
	CLEAN(buf_done) struct buf list = BUF_INIT(100);
	struct slice rest, name, value;
	struct error err;

	(void)state;
	assert_int_equal(tree_xattr_add(&list, SLICE("user.a", 6), SLICE("\0x", 2), &err), OK);
	assert_int_equal(tree_xattr_add(&list, SLICE("user.b", 6), SLICE(NULL, 0), &err), OK);
	size_t n = list.n;
	uint8_t large[200] = {0};
	assert_int_equal(tree_xattr_add(&list, SLICE("user.c", 6), SLICE(large, 200), &err),
			 ERR_LIMIT);
	assert_int_equal(list.n, n);
	rest = buf_slice(&list);
	assert_int_equal(tree_xattr_next(&rest, &name, &value, &err), 1);
	same_slice(name, SLICE("user.a", 6));
	same_slice(value, SLICE("\0x", 2));
	assert_int_equal(tree_xattr_next(&rest, &name, &value, &err), 1);
	same_slice(name, SLICE("user.b", 6));
	assert_int_equal(value.n, 0);
	assert_int_equal(tree_xattr_next(&rest, &name, &value, &err), 0);
	for (n = 1; n < list.n; n++) {
		rest = SLICE(list.p, n);
		int first = tree_xattr_next(&rest, &name, &value, &err);
		assert_int_equal(first, n < 10 ? ERR_CORRUPT : 1);
		if (first == 1 && n > 10)
			assert_int_equal(tree_xattr_next(&rest, &name, &value, &err), ERR_CORRUPT);
	}
	static const char *const bad[] = {"\0\0", "\3a\0b\0",
					  "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"};
	static const size_t sizes[] = {2, 5, 10};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		rest = SLICE(bad[i], sizes[i]);
		assert_int_equal(tree_xattr_next(&rest, &name, &value, &err), ERR_CORRUPT);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(round_trip, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(pages, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(large_nodes, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(unchanged_pages_are_shared, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(order_is_kept, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(impossible_nodes, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(seeking, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(finding, rig_setup, rig_teardown),
		cmocka_unit_test(extended_attributes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
