/* SPDX-License-Identifier: Apache-2.0 */

/* Folders that nobody vouches for: pages and lists with anything in them. */
#include <stdio.h>
#include <string.h>

#include "repo/tree.h"
#include "rig.h"

static struct error err;

struct seen {
	size_t n;
	struct slice last;
};

/* Whatever the bytes: a node that gets here keeps all promises. */
static int
see(void *arg, const struct node *node, struct error *e)
{
	struct seen *s = arg;

	(void)e;
	assert_in_range(node->name.n, 1, NODE_NAME_MAX);
	assert_null(memchr(node->name.p, 0, node->name.n));
	assert_null(memchr(node->name.p, '/', node->name.n));
	assert_in_range(node->type, NODE_FILE, NODE_BLOCK);
	assert_true(node->mode <= 07777);
	assert_true(node->content.n <= NODE_CONTENT_MAX && node->xattrs.n <= NODE_XATTRS_MAX);
	if (s->n++ > 0) {
		int r = memcmp(s->last.p, node->name.p, MIN(s->last.n, node->name.n));

		assert_true(r < 0 || (r == 0 && s->last.n < node->name.n));
	}
	s->last = node->name;
	return OK;
}

static int
parse(struct slice page)
{
	struct seen s = {0};
	int rc = tree_page_parse(page, see, &s, &err);

	assert_true(rc == OK || rc == ERR_CORRUPT);
	assert_int_equal(tree_page_parse(page, NULL, NULL, &err), rc);
	return rc;
}

/* A page as the builder makes it, fetched back as a blob. */
static struct blob_id
make_page(struct rig *r, struct buf *page)
{
	CLEAN(tree_builder_freep) struct tree_builder *b = NULL;
	CLEAN(buf_done) struct buf xattrs = BUF_INIT(1000);
	struct slice blob;
	struct blob_id id;

	rig_ok(r, tree_xattr_add(&xattrs, SLICE("user.a", 6), SLICE("v", 1), &r->err));
	rig_begin(r, NULL);
	rig_ok(r, tree_builder_new(r->sink, &b, &r->err));
	const struct node nodes[] = {
		{.name = SLICE("a", 1),
		 .type = NODE_FILE,
		 .size = 5,
		 .content = SLICE("content", 7)},
		{.name = SLICE("b", 1), .type = NODE_DIR, .xattrs = buf_slice(&xattrs)},
		{.name = SLICE("c", 1), .type = NODE_SYMLINK, .target = SLICE("target", 6)},
		{.name = SLICE("d", 1), .type = NODE_FIFO, .mode = 0600},
		{.name = SLICE("e", 1), .type = NODE_CHAR, .rdev = 1000},
	};
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		rig_ok(r, tree_builder_add(b, &nodes[i], &r->err));
	rig_ok(r, tree_builder_finish(b, &id, &r->err));
	rig_end(r);
	rig_look(r);
	rig_ok(r, repo_reader_blob(r->reader, &id, &blob, &r->err));
	rig_ok(r, buf_append(page, blob.p, blob.n, &r->err));
	return id;
}

static void
every_length_and_bit(void **state)
{
	struct rig *r = *state;
	CLEAN(buf_done) struct buf page = BUF_INIT(1 << 20);

	(void)make_page(r, &page);
	assert_int_equal(parse(buf_slice(&page)), OK);
	for (size_t n = 0; n < page.n; n++) {
		CLEAN(free_ptr) uint8_t *cut = malloc(n + 1);

		memcpy(cut + 1, page.p, n);
		assert_int_equal(parse(SLICE(cut + 1, n)), ERR_CORRUPT);
	}
	for (size_t bit = 0; bit < 8 * page.n; bit++) {
		page.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		(void)parse(buf_slice(&page));
		page.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	rig_ok(r, buf_u8(&page, 0, &r->err));
	assert_int_equal(parse(buf_slice(&page)), ERR_CORRUPT);
}

static void
random_bytes(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (size_t i = 0; i < 20000; i++) {
		uint8_t page[200];
		size_t n = 3 + rig_random(&seed) % (sizeof(page) - 3);

		rig_fill(page, n, seed);
		page[0] = 'T';
		page[1] = FORMAT_VERSION;
		page[2] = (uint8_t)(i % 4);
		for (size_t k = 3; k < n; k += 3)
			page[k] &= 7; /* small lengths get further */
		(void)parse(SLICE(page, n));
	}
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* Read the folder `id` to its end: the number of nodes, or the error. */
static int
read_folder(struct rig *r, const struct blob_id *id)
{
	struct tree_cursor *c = NULL;
	struct node node;
	int n = 0;
	int rc = tree_cursor_open(r->reader, id, &c, &r->err);

	while (rc == OK && (rc = tree_cursor_next(c, &node, &r->err)) == 1) {
		n++;
		rc = OK;
	}
	tree_cursor_close(c);
	return rc < 0 ? rc : n;
}

/* A list that begins with `head` and names these pages. */
static int
read_list(struct rig *r, const char *head, size_t head_n, const struct blob_id *ids, size_t n)
{
	CLEAN(buf_done) struct buf list = BUF_INIT(1 << 20);

	rig_ok(r, buf_append(&list, head, head_n, &r->err));
	rig_ok(r, buf_append(&list, ids, n * sizeof(*ids), &r->err));
	rig_begin(r, NULL);
	struct blob_id id = rig_put(r, BLOB_META, list.p, list.n);
	rig_end(r);
	rig_look(r);
	return read_folder(r, &id);
}

static struct blob_id
page_of(struct rig *r, const char *name)
{
	CLEAN(tree_builder_freep) struct tree_builder *b = NULL;
	struct node node = {.name = SLICE(name, strlen(name)), .type = NODE_FIFO};
	struct blob_id id;

	rig_begin(r, NULL);
	rig_ok(r, tree_builder_new(r->sink, &b, &r->err));
	rig_ok(r, tree_builder_add(b, &node, &r->err));
	rig_ok(r, tree_builder_finish(b, &id, &r->err));
	rig_end(r);
	return id;
}

static void
lists(void **state)
{
	struct rig *r = *state;
	const struct blob_id a = page_of(r, "a"), b = page_of(r, "b"), absent = {{1}};
	struct blob_id ids[3] = {a, b};

	assert_int_equal(read_list(r, "L\1", 2, ids, 2), 2);
	assert_int_equal(read_list(r, "L\1", 2, ids, 0), 0);
	/* Across pages the order is checked, too. */
	ids[0] = b;
	ids[1] = a;
	assert_int_equal(read_list(r, "L\1", 2, ids, 2), ERR_CORRUPT);
	ids[0] = ids[1] = a;
	assert_int_equal(read_list(r, "L\1", 2, ids, 2), ERR_CORRUPT);
	ids[1] = absent;
	assert_int_equal(read_list(r, "L\1", 2, ids, 2), ERR_CORRUPT);
	assert_int_equal(read_list(r, "L\2", 2, ids, 1), ERR_CORRUPT);
	assert_int_equal(read_list(r, "L", 1, ids, 0), ERR_CORRUPT);
	assert_int_equal(read_list(r, "L\1x", 3, ids, 1), ERR_CORRUPT);
	assert_int_equal(read_list(r, "X\1", 2, ids, 1), ERR_CORRUPT);
	/* A list in a list is none. */
	rig_begin(r, NULL);
	ids[0] = rig_put(r, BLOB_META, "L\1", 2);
	rig_end(r);
	assert_int_equal(read_list(r, "L\1", 2, ids, 1), ERR_CORRUPT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_length_and_bit, rig_setup, rig_teardown),
		cmocka_unit_test(random_bytes),
		cmocka_unit_test_setup_teardown(lists, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
