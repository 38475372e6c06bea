/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Encoding of folders. A page is 'T', version, varint count, nodes; a list is 'L', version, ids of
 * pages in order. A node:
 *
 *	bytes name | u8 type | u8 flags | varint mode, uid, gid | le64 mtime | le64 ctime
 *	varint dev, ino, nlink | bytes xattrs
 *	FILE: varint size, and if that is not 0: bytes content	 DIR: 32-byte id	SYMLINK: bytes target
 *	CHAR, BLOCK: varint rdev
 */
#include "repo/tree.h"

#include <string.h>

#include "base/reader.h"

enum {
	PAGE_MAX = BLOB_MAX,
	LIST_IDS_MAX = (BLOB_MAX - 16) / BLOB_ID_SIZE,
	NODE_ENCODED_MAX = NODE_NAME_MAX + NODE_XATTRS_MAX + NODE_CONTENT_MAX + NODE_TARGET_MAX +
			   256,
};

_Static_assert(TREE_PAGE_BYTES + NODE_ENCODED_MAX < PAGE_MAX,
	       "a page holds at least one node more");

int
tree_xattr_add(struct buf *list, struct slice name, struct slice value, struct error *err)
{
	size_t before = list->n;

	if (buf_bytes(list, name.p, name.n, err) < 0 ||
	    buf_bytes(list, value.p, value.n, err) < 0) {
		list->n = before;
		return err->code;
	}
	return OK;
}

int
tree_xattr_next(struct slice *list, struct slice *ret_name, struct slice *ret_value,
		struct error *err)
{
	struct reader r = reader_of(*list);
	struct slice name, value;

	if (list->n == 0)
		return 0;
	name = reader_bytes(&r);
	value = reader_bytes(&r);
	if (r.failed || name.n == 0 || name.n > NODE_NAME_MAX || memchr(name.p, 0, name.n) != NULL)
		return error_set(err, ERR_CORRUPT, "damaged extended attributes");
	*ret_name = name;
	*ret_value = value;
	*list = SLICE(r.p, reader_left(&r));
	return 1;
}

/* ---- building ------------------------------------------------------------------------------ */

struct tree_builder {
	struct repo_sink *sink;
	struct buf nodes; /* of the open page */
	size_t n;
	struct buf ids; /* of full pages */
	uint8_t last[NODE_NAME_MAX];
	size_t last_len;
};

int
tree_builder_new(struct repo_sink *sink, struct tree_builder **ret, struct error *err)
{
	struct tree_builder *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return error_no_memory(err);
	b->sink = sink;
	b->nodes = BUF_INIT(TREE_PAGE_BYTES + NODE_ENCODED_MAX);
	b->ids = BUF_INIT(LIST_IDS_MAX * BLOB_ID_SIZE);
	*ret = b;
	return OK;
}

void
tree_builder_free(struct tree_builder *b)
{
	if (b == NULL)
		return;
	buf_done(&b->nodes);
	buf_done(&b->ids);
	free(b);
}

void
tree_builder_use(struct tree_builder *b, struct repo_sink *sink)
{
	b->sink = sink;
}

void
tree_builder_freep(struct tree_builder **b)
{
	tree_builder_free(*b);
}

static int
put_page(struct tree_builder *b, struct blob_id *ret, struct error *err)
{
	CLEAN(buf_done) struct buf page = BUF_INIT(PAGE_MAX);

	if (buf_u8(&page, 'T', err) < 0 || buf_u8(&page, FORMAT_VERSION, err) < 0 ||
	    buf_varint(&page, b->n, err) < 0 ||
	    buf_append(&page, b->nodes.p, b->nodes.n, err) < 0 ||
	    repo_sink_put(b->sink, BLOB_META, buf_slice(&page), ret, NULL, err) < 0)
		return error_prefix(err, "store a folder");
	buf_reset(&b->nodes);
	b->n = 0;
	return OK;
}

static int
close_page(struct tree_builder *b, struct error *err)
{
	struct blob_id id;

	if (put_page(b, &id, err) < 0 || buf_append(&b->ids, id.b, BLOB_ID_SIZE, err) < 0)
		return err->code;
	return OK;
}

static int
encode_kind(struct buf *out, const struct node *n, struct error *err)
{
	switch (n->type) {
	case NODE_FILE:
		if (buf_varint(out, n->size, err) < 0)
			return err->code;
		return n->size == 0 ? OK : buf_bytes(out, n->content.p, n->content.n, err);
	case NODE_DIR:
		return buf_append(out, n->tree.b, BLOB_ID_SIZE, err);
	case NODE_SYMLINK:
		return buf_bytes(out, n->target.p, n->target.n, err);
	case NODE_CHAR:
	case NODE_BLOCK:
		return buf_varint(out, n->rdev, err);
	default:
		return OK;
	}
}

static int
encode_node(struct buf *out, const struct node *n, struct error *err)
{
	if (buf_bytes(out, n->name.p, n->name.n, err) < 0 || buf_u8(out, n->type, err) < 0 ||
	    buf_u8(out, n->flags, err) < 0 || buf_varint(out, n->mode, err) < 0 ||
	    buf_varint(out, n->uid, err) < 0 || buf_varint(out, n->gid, err) < 0 ||
	    buf_le64(out, (uint64_t)n->mtime_ns, err) < 0 ||
	    buf_le64(out, (uint64_t)n->ctime_ns, err) < 0 || buf_varint(out, n->dev, err) < 0 ||
	    buf_varint(out, n->ino, err) < 0 || buf_varint(out, n->nlink, err) < 0 ||
	    buf_bytes(out, n->xattrs.p, n->xattrs.n, err) < 0)
		return err->code;
	return encode_kind(out, n, err);
}

static int
compare_names(struct slice a, struct slice b)
{
	int r = memcmp(a.p, b.p, MIN(a.n, b.n));

	return r != 0 ? r : a.n < b.n ? -1 : a.n > b.n;
}

static bool
name_is_sane(struct slice name)
{
	if (name.n == 0 || name.n > NODE_NAME_MAX || memchr(name.p, '/', name.n) != NULL ||
	    memchr(name.p, 0, name.n) != NULL)
		return false;
	return !(name.p[0] == '.' && (name.n == 1 || (name.n == 2 && name.p[1] == '.')));
}

static bool
target_is_sane(struct slice target)
{
	return target.n > 0 && target.n <= NODE_TARGET_MAX && memchr(target.p, 0, target.n) == NULL;
}

/* What the parser would refuse must not get in. */
static bool
node_is_sane(const struct node *n)
{
	if (!name_is_sane(n->name) || n->type < NODE_FILE || n->type > NODE_BLOCK ||
	    n->mode > 07777 || n->xattrs.n > NODE_XATTRS_MAX)
		return false;
	if (n->type == NODE_FILE)
		return n->size <= INT64_MAX && n->content.n <= NODE_CONTENT_MAX;
	return n->type != NODE_SYMLINK || target_is_sane(n->target);
}

int
tree_builder_add(struct tree_builder *b, const struct node *node, struct error *err)
{
	size_t before = b->nodes.n;

	if (!node_is_sane(node))
		return error_set(err, ERR_INTERNAL, "a node that cannot be stored");
	if (b->last_len > 0 && compare_names(SLICE(b->last, b->last_len), node->name) >= 0)
		return error_set(err, ERR_INTERNAL, "nodes out of order");
	if (encode_node(&b->nodes, node, err) < 0) {
		b->nodes.n = before;
		return err->code;
	}
	memcpy(b->last, node->name.p, node->name.n);
	b->last_len = node->name.n;
	b->n++;
	if (b->n >= TREE_PAGE_NODES || b->nodes.n >= TREE_PAGE_BYTES)
		return close_page(b, err);
	return OK;
}

int
tree_builder_finish(struct tree_builder *b, struct blob_id *ret_id, struct error *err)
{
	CLEAN(buf_done) struct buf list = BUF_INIT(BLOB_MAX);

	/* The common case: one page, which is the folder. */
	if (b->ids.n == 0)
		return put_page(b, ret_id, err);
	if (b->n > 0 && close_page(b, err) < 0)
		return err->code;
	if (b->ids.n == BLOB_ID_SIZE) {
		memcpy(ret_id->b, b->ids.p, BLOB_ID_SIZE);
		return OK;
	}
	if (buf_u8(&list, 'L', err) < 0 || buf_u8(&list, FORMAT_VERSION, err) < 0 ||
	    buf_append(&list, b->ids.p, b->ids.n, err) < 0)
		return err->code;
	return repo_sink_put(b->sink, BLOB_META, buf_slice(&list), ret_id, NULL, err);
}

/* ---- parsing -------------------------------------------------------------------------------- */

static bool
parse_kind(struct reader *r, struct node *n)
{
	struct slice id;

	switch (n->type) {
	case NODE_FILE:
		n->size = reader_varint(r);
		if (n->size > 0)
			n->content = reader_bytes(r);
		return n->size <= INT64_MAX && n->content.n <= NODE_CONTENT_MAX;
	case NODE_DIR:
		id = reader_take(r, BLOB_ID_SIZE);
		if (!r->failed)
			memcpy(n->tree.b, id.p, BLOB_ID_SIZE);
		return true;
	case NODE_SYMLINK:
		n->target = reader_bytes(r);
		return target_is_sane(n->target);
	case NODE_FIFO:
		return true;
	case NODE_CHAR:
	case NODE_BLOCK:
		n->rdev = reader_varint(r);
		return true;
	default:
		return false;
	}
}

static int
parse_node(struct reader *r, struct node *ret, struct error *err)
{
	struct node n = {0};
	uint64_t mode, uid, gid;

	n.name = reader_bytes(r);
	n.type = reader_u8(r);
	n.flags = reader_u8(r);
	mode = reader_varint(r);
	uid = reader_varint(r);
	gid = reader_varint(r);
	n.mtime_ns = (int64_t)reader_le64(r);
	n.ctime_ns = (int64_t)reader_le64(r);
	n.dev = reader_varint(r);
	n.ino = reader_varint(r);
	n.nlink = reader_varint(r);
	n.xattrs = reader_bytes(r);
	if (r->failed || !name_is_sane(n.name) || mode > 07777 || uid > UINT32_MAX ||
	    gid > UINT32_MAX || n.xattrs.n > NODE_XATTRS_MAX || !parse_kind(r, &n) || r->failed)
		return error_set(err, ERR_CORRUPT, "a folder holds an impossible entry");
	n.mode = (uint16_t)mode;
	n.uid = (uint32_t)uid;
	n.gid = (uint32_t)gid;
	*ret = n;
	return OK;
}

/* 'T', version, count: leaves the cursor at the first node. */
static int
parse_page_head(struct reader *r, uint64_t *ret_n, struct error *err)
{
	if (reader_u8(r) != 'T' || reader_u8(r) != FORMAT_VERSION)
		return error_set(err, ERR_CORRUPT, "not a folder");
	*ret_n = reader_varint(r);
	if (r->failed || *ret_n > TREE_PAGE_NODES)
		return error_set(err, ERR_CORRUPT, "a folder's page has an impossible count");
	return OK;
}

int
tree_page_parse(struct slice page, tree_node_fn *each, void *arg, struct error *err)
{
	struct reader r = reader_of(page);
	struct slice last = {0};
	uint64_t n = 0;

	if (parse_page_head(&r, &n, err) < 0)
		return err->code;
	for (uint64_t i = 0; i < n; i++) {
		struct node node;

		if (parse_node(&r, &node, err) < 0)
			return err->code;
		if (last.n > 0 && compare_names(last, node.name) >= 0)
			return error_set(err, ERR_CORRUPT, "a folder is not in order");
		last = node.name;
		if (each != NULL && each(arg, &node, err) < 0)
			return err->code;
	}
	return reader_end(&r, "folder", err);
}

/* ---- reading -------------------------------------------------------------------------------- */

struct tree_cursor {
	struct repo_reader *reader;
	struct buf page; /* our own copy: the reader's memory is reused */
	struct reader at;
	uint64_t left; /* nodes in this page */
	struct buf ids; /* pages to come */
	size_t next_id;
	uint8_t last[NODE_NAME_MAX];
	size_t last_len;
	bool held; /* `node` was looked at by seek, and is next to be returned */
	struct node node;
};

static int
load_page(struct tree_cursor *c, struct slice blob, struct error *err)
{
	buf_reset(&c->page);
	if (buf_append(&c->page, blob.p, blob.n, err) < 0)
		return err->code;
	c->at = reader_of(buf_slice(&c->page));
	return parse_page_head(&c->at, &c->left, err);
}

static int
open_root(struct tree_cursor *c, const struct blob_id *id, struct error *err)
{
	struct slice blob;

	if (repo_reader_blob(c->reader, id, &blob, err) < 0)
		return err->code;
	if (blob.p[0] != 'L')
		return load_page(c, blob, err);
	if (blob.n < 2 || blob.p[1] != FORMAT_VERSION || (blob.n - 2) % BLOB_ID_SIZE != 0)
		return error_set(err, ERR_CORRUPT, "a folder's list is damaged");
	c->at = reader_of(SLICE(NULL, 0));
	return buf_append(&c->ids, blob.p + 2, blob.n - 2, err);
}

int
tree_cursor_open(struct repo_reader *r, const struct blob_id *id, struct tree_cursor **ret,
		 struct error *err)
{
	CLEAN(tree_cursor_closep) struct tree_cursor *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return error_no_memory(err);
	c->reader = r;
	c->page = BUF_INIT(PAGE_MAX);
	c->ids = BUF_INIT(BLOB_MAX);
	if (open_root(c, id, err) < 0)
		return error_prefix(err, "open a folder");
	*ret = STEAL_PTR(c);
	return OK;
}

void
tree_cursor_close(struct tree_cursor *c)
{
	if (c == NULL)
		return;
	buf_done(&c->page);
	buf_done(&c->ids);
	free(c);
}

void
tree_cursor_use(struct tree_cursor *c, struct repo_reader *r)
{
	c->reader = r;
}

void
tree_cursor_closep(struct tree_cursor **c)
{
	tree_cursor_close(*c);
}

/* 1 there is a page with nodes, 0 no more. */
static int
next_page(struct tree_cursor *c, struct error *err)
{
	while (c->left == 0) {
		struct blob_id id;
		struct slice blob;

		if (reader_end(&c->at, "folder", err) < 0)
			return err->code;
		if (c->next_id * BLOB_ID_SIZE == c->ids.n)
			return 0;
		memcpy(id.b, c->ids.p + c->next_id++ * BLOB_ID_SIZE, BLOB_ID_SIZE);
		if (repo_reader_blob(c->reader, &id, &blob, err) < 0 || load_page(c, blob, err) < 0)
			return err->code;
	}
	return 1;
}

int
tree_cursor_next(struct tree_cursor *c, struct node *ret, struct error *err)
{
	int r;

	if (c->held) {
		c->held = false;
		*ret = c->node;
		return 1;
	}
	r = next_page(c, err);
	if (r <= 0)
		return r;
	if (parse_node(&c->at, ret, err) < 0)
		return err->code;
	c->left--;
	if (c->last_len > 0 && compare_names(SLICE(c->last, c->last_len), ret->name) >= 0)
		return error_set(err, ERR_CORRUPT, "a folder is not in order");
	memcpy(c->last, ret->name.p, ret->name.n);
	c->last_len = ret->name.n;
	return 1;
}

int
tree_cursor_seek(struct tree_cursor *c, struct slice name, struct node *ret, struct error *err)
{
	for (;;) {
		struct node node;
		int r = tree_cursor_next(c, &node, err);

		if (r <= 0)
			return r;
		int order = compare_names(node.name, name);
		if (order == 0) {
			*ret = node;
			return 1;
		}
		if (order > 0) {
			c->node = node;
			c->held = true;
			return 0;
		}
	}
}

/* The node's slices, moved into memory of the caller. */
static int
hold_node(struct buf *hold, struct node *n, struct error *err)
{
	struct slice *parts[] = {&n->name, &n->xattrs, &n->target, &n->content};
	size_t total = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		total += parts[i]->n;
	buf_reset(hold);
	if (buf_reserve(hold, total + 1, err) < 0)
		return err->code;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (parts[i]->n > 0)
			memcpy(hold->p + hold->n, parts[i]->p, parts[i]->n);
		*parts[i] = SLICE(hold->p + hold->n, parts[i]->n);
		hold->n += parts[i]->n;
	}
	return OK;
}

static int
find_in(struct repo_reader *r, const struct blob_id *dir, struct slice name, struct buf *hold,
	struct node *ret, struct error *err)
{
	CLEAN(tree_cursor_closep) struct tree_cursor *c = NULL;
	struct node node;
	int found;

	if (tree_cursor_open(r, dir, &c, err) < 0)
		return err->code;
	found = tree_cursor_seek(c, name, &node, err);
	if (found != 1)
		return found;
	if (hold_node(hold, &node, err) < 0)
		return err->code;
	*ret = node;
	return 1;
}

int
tree_find(struct repo_reader *r, const struct blob_id *root, const char *path, struct buf *hold,
	  struct node *ret, struct error *err)
{
	struct blob_id dir = *root;
	int found = 0;

	while (*path == '/')
		path++;
	while (*path != 0) {
		size_t n = strcspn(path, "/");

		found = find_in(r, &dir, SLICE(path, n), hold, ret, err);
		if (found != 1)
			return found;
		path += n;
		while (*path == '/')
			path++;
		if (*path == 0)
			return 1;
		if (ret->type != NODE_DIR)
			return 0;
		dir = ret->tree;
	}
	return 0;
}

int
tree_blobs(struct repo_reader *r, const struct blob_id *id, tree_blob_fn *each, void *arg,
	   struct error *err)
{
	struct slice blob;

	if (each(arg, id, err) < 0 || repo_reader_blob(r, id, &blob, err) < 0)
		return err->code;
	if (blob.p[0] != 'L')
		return OK;
	if (blob.n < 2 || (blob.n - 2) % BLOB_ID_SIZE != 0)
		return error_set(err, ERR_CORRUPT, "a folder's list is damaged");
	for (size_t i = 2; i < blob.n; i += BLOB_ID_SIZE) {
		struct blob_id page;

		memcpy(page.b, blob.p + i, BLOB_ID_SIZE);
		if (each(arg, &page, err) < 0)
			return err->code;
	}
	return OK;
}
