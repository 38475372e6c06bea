/* SPDX-License-Identifier: Apache-2.0 */

/* A folder in the repository against one on the host: names, attributes, content, and nothing else on
 * either side. Opens everything below descriptors, so paths of any length can be compared. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "mover/attributes.h"
#include "mover/bed.h"

struct compare {
	struct bed *b;
	struct repo_reader *reader;
};

/* What a file's pieces are compared with: a descriptor, or memory. */
struct content {
	struct compare *c;
	int fd;
	const uint8_t *p;
	uint64_t at, size;
	char name[256];
};

static void
expect_bytes(struct content *k, uint64_t offset, const uint8_t *p, size_t n)
{
	if (k->fd >= 0) {
		uint8_t *have = malloc(n);
		size_t got;

		assert_non_null(have);
		assert_int_equal(fs_pread(k->fd, have, n, offset, &got, NULL), OK);
		if (got != n || memcmp(have, p, n) != 0)
			fail_msg("%s differs in %zu bytes at %llu", k->name, n,
				 (unsigned long long)offset);
		free(have);
	} else if (memcmp(k->p + offset, p, n) != 0) {
		fail_msg("%s differs in %zu bytes at %llu", k->name, n, (unsigned long long)offset);
	}
}

static int
compare_piece(void *arg, const struct map_piece *piece, struct error *err)
{
	static const uint8_t zeros[1 << 16];
	struct content *k = arg;
	struct slice blob;

	assert_true(piece->file_offset == k->at);
	k->at += piece->length;
	if (piece->hole) {
		k->c->b->hole_bytes += piece->length;
		for (uint64_t at = 0; at < piece->length; at += sizeof(zeros))
			expect_bytes(k, piece->file_offset + at, zeros,
				     MIN(sizeof(zeros), (size_t)(piece->length - at)));
		return OK;
	}
	if (repo_reader_blob(k->c->reader, &piece->blob, &blob, err) < 0)
		return err->code;
	if (piece->blob_offset + piece->length > blob.n)
		fail_msg("%s: a piece reaches beyond its blob", k->name);
	expect_bytes(k, piece->file_offset, blob.p + piece->blob_offset, piece->length);
	return OK;
}

static void
compare_content(struct compare *c, const struct node *node, struct content *k)
{
	k->c = c;
	k->size = node->size;
	if (map_walk(c->reader, node->content, node->size, 0, compare_piece, k, &c->b->err) < 0)
		fail_msg("%s: %s", k->name, c->b->err.msg);
	assert_true(k->at == node->size);
}

static void
compare_attributes(const struct node *node, int fd, const struct stat *st, const char *name)
{
	CLEAN(buf_done) struct buf xattrs = BUF_INIT(NODE_XATTRS_MAX);
	struct error err = ERROR_INIT;
	struct node now = {0};

	assert_true(attributes_stat(st, &now));
	if (now.type != node->type || now.mode != node->mode || now.uid != node->uid ||
	    now.gid != node->gid || now.mtime_ns != node->mtime_ns || now.ino != node->ino ||
	    now.nlink != node->nlink || now.rdev != node->rdev ||
	    (now.type == NODE_FILE && now.size != node->size))
		fail_msg("attributes of '%s' differ", name);
	if (node->ctime_ns != 0)
		assert_true(node->ctime_ns == now.ctime_ns);
	assert_int_equal(attributes_read(fd, ATTRIBUTES_OPATH, &xattrs, &err), 1);
	if (xattrs.n != node->xattrs.n ||
	    (xattrs.n > 0 && memcmp(xattrs.p, node->xattrs.p, xattrs.n) != 0))
		fail_msg("extended attributes of '%s' differ", name);
}

static void compare_dir(struct compare *c, const struct blob_id *tree, int dirfd);

static void
compare_node(struct compare *c, const struct node *node, int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		fail_msg("'%s' is in the repository, not on the host", name);
	assert_int_equal(fstat(fd, &st), 0);
	compare_attributes(node, fd, &st, name);
	c->b->n_compared++;
	if (node->type == NODE_SYMLINK) {
		char target[4096];
		ssize_t n = readlinkat(dirfd, name, target, sizeof(target));

		assert_int_equal(n, node->target.n);
		assert_memory_equal(target, node->target.p, n);
	} else if (node->type == NODE_DIR) {
		int sub = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		assert_true(sub >= 0);
		compare_dir(c, &node->tree, sub);
	} else if (node->type == NODE_FILE) {
		struct content k = {.fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC)};

		memcpy(k.name, name, strlen(name) + 1);
		compare_content(c, node, &k);
		(void)close(k.fd);
	}
	(void)close(fd);
}

/* Entries of a folder that should be in the repository. Takes over dirfd. */
static size_t
count_entries(int dirfd)
{
	DIR *d = fdopendir(dirfd);
	const struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		     e->d_type != DT_SOCK;
	(void)closedir(d);
	return n;
}

static void
compare_dir(struct compare *c, const struct blob_id *tree, int dirfd)
{
	CLEAN(tree_cursor_closep) struct tree_cursor *cursor = NULL;
	struct error *err = &c->b->err;
	struct node node;
	size_t n = 0;
	int r;

	if (tree_cursor_open(c->reader, tree, &cursor, err) < 0)
		fail_msg("%s", err->msg);
	while ((r = tree_cursor_next(cursor, &node, err)) > 0) {
		char name[NODE_NAME_MAX + 1];

		memcpy(name, node.name.p, node.name.n);
		name[node.name.n] = '\0';
		compare_node(c, &node, dirfd, name);
		n++;
	}
	if (r < 0)
		fail_msg("%s", err->msg);
	assert_int_equal(n, count_entries(dirfd));
}

static void
open_reader(struct bed *b, struct compare *c, struct repo_index **ret)
{
	c->b = b;
	assert_int_equal(repo_index_open(b->repo, ret, &b->err), OK);
	assert_int_equal(repo_reader_open(b->repo, *ret, &c->reader, &b->err), OK);
}

bool
bed_find_at(struct bed *b, const struct blob_id *tree, const char *at, struct buf *hold,
	    struct node *ret)
{
	struct repo_index *index;
	struct compare c;
	int found;

	open_reader(b, &c, &index);
	found = tree_find(c.reader, tree, at, hold, ret, &b->err);
	if (found < 0)
		fail_msg("%s", b->err.msg);
	repo_reader_close(c.reader);
	repo_index_close(index);
	return found == 1;
}

bool
bed_find(struct bed *b, const struct blob_id *tree, const char *name, struct buf *hold,
	 struct node *ret)
{
	return bed_find_at(b, tree, bed_path(b, name) + 1, hold, ret);
}

void
bed_compare_at(struct bed *b, const struct blob_id *tree, const char *at, const char *path)
{
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);
	struct node node = {.tree = *tree};
	struct repo_index *index;
	struct compare c;

	b->hole_bytes = 0;
	b->n_compared = 0;
	if (at[0] != '\0' && !bed_find_at(b, tree, at, &hold, &node))
		fail_msg("'%s' is not in the repository", at);
	open_reader(b, &c, &index);
	compare_dir(&c, &node.tree, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	repo_reader_close(c.reader);
	repo_index_close(index);
}

void
bed_compare(struct bed *b, const struct blob_id *tree)
{
	bed_compare_at(b, tree, b->src + 1, b->src);
}

void
bed_content(struct bed *b, const struct node *node, const void *p, size_t n)
{
	struct content k = {.fd = -1, .p = p, .name = "content"};
	struct repo_index *index;
	struct compare c;

	assert_true(node->size == n);
	open_reader(b, &c, &index);
	compare_content(&c, node, &k);
	repo_reader_close(c.reader);
	repo_index_close(index);
}
