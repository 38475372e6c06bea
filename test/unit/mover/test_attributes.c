/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Attributes of files, read and applied: each kind of file, both kinds of descriptors, and what is
 * left alone or refused.
 */
#include "mover/attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "base/fs.h"

/* version 2; user::rw-, group::r--, group 7:rw-, mask::rw-, other::--- */
static const uint8_t acl[] = {2, 0,   0,   0,   1,   0,   6,  0, 255, 255, 255, 255, 4,   0,  4,
			      0, 255, 255, 255, 255, 8,   0,  6, 0,   7,   0,   0,   0,   16, 0,
			      6, 0,   255, 255, 255, 255, 32, 0, 0,   0,   255, 255, 255, 255};

struct bench {
	char path[64];
	int dir;
	int fd; /* of "file" in it */
	struct buf list;
	struct error err;
};

static int
bench_setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	/* Not in /dev/shm: a tmpfs may keep no extended attributes of users. */
	(void)snprintf(b->path, sizeof(b->path), "/tmp/holdfast-test-attributes-XXXXXX");
	assert_non_null(mkdtemp(b->path));
	b->dir = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b->fd = openat(b->dir, "file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(b->fd >= 0);
	b->list = BUF_INIT(1 << 20);
	*state = b;
	return 0;
}

static int
bench_teardown(void **state)
{
	struct bench *b = *state;

	(void)close(b->fd);
	(void)close(b->dir);
	int rc = fs_remove_tree(AT_FDCWD, b->path, &b->err);
	buf_done(&b->list);
	free(b);
	return rc;
}

/* What the file is now. */
static struct node
node_of(int fd)
{
	struct node node = {.size = 12345};
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_true(attributes_stat(&st, &node));
	return node;
}

static int
apply(struct bench *b, const struct node *node)
{
	return attributes_apply(b->fd, ATTRIBUTES_OPENED, node, ATTRIBUTES_ALL, &b->err);
}

static void
add(struct bench *b, const char *name, const void *p, size_t n)
{
	assert_int_equal(tree_xattr_add(&b->list, SLICE(name, strlen(name)), SLICE(p, n), &b->err),
			 OK);
}

static void
stat_becomes_a_node(void **state)
{
	struct stat st = {
		.st_mode = S_IFREG | 06754,
		.st_uid = 7,
		.st_gid = 8,
		.st_dev = 9,
		.st_ino = 10,
		.st_nlink = 11,
		.st_size = 12,
		.st_mtim = {.tv_sec = 1600000000, .tv_nsec = 999999999},
		.st_ctim = {.tv_sec = -1, .tv_nsec = 1},
	};
	struct node node = {.rdev = 1, .flags = NODE_PAGED};

	(void)state;
	assert_true(attributes_stat(&st, &node));
	assert_int_equal(node.type, NODE_FILE);
	assert_int_equal(node.mode, 06754);
	assert_int_equal(node.uid, 7);
	assert_int_equal(node.gid, 8);
	assert_int_equal(node.dev, 9);
	assert_int_equal(node.ino, 10);
	assert_int_equal(node.nlink, 11);
	assert_int_equal(node.size, 12);
	assert_int_equal(node.rdev, 0);
	assert_int_equal(node.flags, NODE_PAGED);
	assert_true(node.mtime_ns == INT64_C(1600000000999999999));
	assert_true(node.ctime_ns == -999999999);

	st.st_mode = S_IFBLK | 0660;
	st.st_rdev = makedev(259, 300000);
	assert_true(attributes_stat(&st, &node));
	assert_int_equal(node.type, NODE_BLOCK);
	assert_true(node.rdev == ((uint64_t)259 << 32 | 300000));
	assert_int_equal(node.size, 0);

	struct node before = node;
	st.st_mode = S_IFSOCK | 0660;
	assert_false(attributes_stat(&st, &node));
	assert_memory_equal(&before, &node, sizeof(node));
}

static void
reads_sorted_lists_and_leaves_out_foreign_kinds(void **state)
{
	struct bench *b = *state;
	bool root = geteuid() == 0;
	struct slice list, name, value;

	assert_int_equal(attributes_read(b->fd, ATTRIBUTES_OPENED, &b->list, &b->err), 1);
	assert_int_equal(b->list.n, 0);
	assert_int_equal(fsetxattr(b->fd, "user.zoo", "z", 1, 0), 0);
	assert_int_equal(fsetxattr(b->fd, "user.empty", "", 0, 0), 0);
	assert_int_equal(fsetxattr(b->fd, "user.\xc3\xa4", "\0\xff", 2, 0), 0);
	assert_int_equal(fsetxattr(b->fd, "system.posix_acl_access", acl, sizeof(acl), 0), 0);
	if (root) {
		assert_int_equal(fsetxattr(b->fd, "trusted.t", "t", 1, 0), 0);
		(void)fsetxattr(b->fd, "security.foreign", "x", 1, 0);
	}
	static const char *const expected[] = {"system.posix_acl_access", "trusted.t", "user.empty",
					       "user.zoo", "user.\xc3\xa4"};

	/* Through a path descriptor it is the same. */
	CLEAN(fd_close) int opath = openat(b->dir, "file", O_PATH | O_CLOEXEC);
	CLEAN(buf_done) struct buf again = BUF_INIT(1 << 20);
	assert_int_equal(attributes_read(b->fd, ATTRIBUTES_OPENED, &b->list, &b->err), 1);
	assert_int_equal(attributes_read(opath, ATTRIBUTES_OPATH, &again, &b->err), 1);
	assert_int_equal(b->list.n, again.n);
	assert_memory_equal(b->list.p, again.p, again.n);

	list = buf_slice(&b->list);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		if (!root && i == 1)
			continue;
		assert_int_equal(tree_xattr_next(&list, &name, &value, &b->err), 1);
		assert_int_equal(name.n, strlen(expected[i]));
		assert_memory_equal(name.p, expected[i], name.n);
		if (i == 0)
			assert_memory_equal(value.p, acl, sizeof(acl));
	}
	assert_int_equal(value.n, 2);
	assert_int_equal(tree_xattr_next(&list, &name, &value, &b->err), 0);
}

static void
what_does_not_fit_is_left_out_and_told(void **state)
{
	struct bench *b = *state;
	char value[1500];

	memset(value, 'v', sizeof(value));
	assert_int_equal(fsetxattr(b->fd, "user.a", "1", 1, 0), 0);
	assert_int_equal(fsetxattr(b->fd, "user.b", value, sizeof(value), 0), 0);
	assert_int_equal(fsetxattr(b->fd, "user.c", "3", 1, 0), 0);
	b->list.max = 40;
	assert_int_equal(buf_append(&b->list, "before", 6, &b->err), OK);
	assert_int_equal(attributes_read(b->fd, ATTRIBUTES_OPENED, &b->list, &b->err), 0);
	assert_non_null(strstr(b->err.msg, "user.b"));
	struct slice list = SLICE(b->list.p + 6, b->list.n - 6), name, text;
	assert_int_equal(tree_xattr_next(&list, &name, &text, &b->err), 1);
	assert_memory_equal(name.p, "user.a", 6);
	assert_int_equal(tree_xattr_next(&list, &name, &text, &b->err), 1);
	assert_memory_equal(name.p, "user.c", 6);
	assert_int_equal(list.n, 0);
}

static void
applies_everything_and_touches_nothing_twice(void **state)
{
	struct bench *b = *state;
	struct node node = node_of(b->fd);
	struct stat before, after;
	bool root = geteuid() == 0;

	node.mode = 0664;
	node.mtime_ns = -1; /* one before 1970 */
	if (root) {
		node.uid = 1001;
		node.gid = 1002;
		node.mode = 06775;
	}
	add(b, "user.a", "one", 3);
	node.xattrs = buf_slice(&b->list);
	assert_int_equal(fsetxattr(b->fd, "user.extra", "x", 1, 0), 0);
	assert_int_equal(apply(b, &node), OK);

	struct node is = node_of(b->fd);
	assert_int_equal(is.mode, node.mode);
	assert_int_equal(is.uid, node.uid);
	assert_int_equal(is.gid, node.gid);
	assert_true(is.mtime_ns == -1);
	CLEAN(buf_done) struct buf now = BUF_INIT(1 << 20);
	assert_int_equal(attributes_read(b->fd, ATTRIBUTES_OPENED, &now, &b->err), 1);
	assert_int_equal(now.n, b->list.n);
	assert_memory_equal(now.p, b->list.p, now.n);

	assert_int_equal(fstat(b->fd, &before), 0);
	assert_int_equal(apply(b, &node), OK);
	assert_int_equal(fstat(b->fd, &after), 0);
	assert_true(before.st_ctim.tv_sec == after.st_ctim.tv_sec &&
		    before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
}

static void
acl_and_mode_agree(void **state)
{
	struct bench *b = *state;
	struct node node = node_of(b->fd);
	uint8_t value[sizeof(acl)];

	node.mode = 0660;
	add(b, "system.posix_acl_access", acl, sizeof(acl));
	node.xattrs = buf_slice(&b->list);
	assert_int_equal(apply(b, &node), OK);
	assert_int_equal(fgetxattr(b->fd, "system.posix_acl_access", value, sizeof(value)),
			 sizeof(acl));
	assert_memory_equal(value, acl, sizeof(acl));
	assert_int_equal(node_of(b->fd).mode, 0660);

	/* A file in a folder with a default ACL inherits one, and loses it again. */
	node.xattrs = SLICE(NULL, 0);
	node.mode = 0640;
	assert_int_equal(apply(b, &node), OK);
	assert_int_equal(fgetxattr(b->fd, "system.posix_acl_access", value, sizeof(value)), -1);
	assert_int_equal(node_of(b->fd).mode, 0640);
}

static void
capabilities_survive_the_change_of_owner(void **state)
{
	struct bench *b = *state;
	/* version 2, effective; cap_net_bind_service permitted */
	static const uint8_t cap[20] = {1, 0, 0, 2, 0, 4, 0, 0};
	struct node node = node_of(b->fd);
	uint8_t value[64];

	add(b, "security.capability", cap, sizeof(cap));
	node.xattrs = buf_slice(&b->list);
	if (geteuid() != 0) {
		/* Not ours to give: told, not passed over. */
		assert_int_equal(apply(b, &node), ERR_PERMISSION);
		assert_non_null(strstr(b->err.msg, "security.capability"));
		return;
	}
	node.uid = 1001;
	node.mode = 04755;
	assert_int_equal(apply(b, &node), OK);
	assert_int_equal(fgetxattr(b->fd, "security.capability", value, sizeof(value)),
			 sizeof(cap));
	assert_memory_equal(value, cap, sizeof(cap));
	assert_int_equal(node_of(b->fd).mode, 04755);
}

static void
foreign_owners_get_no_set_id_bits(void **state)
{
	struct bench *b = *state;
	struct node node = node_of(b->fd);

	node.mode = 06755;
	node.uid++;
	assert_int_equal(attributes_apply(b->fd, ATTRIBUTES_OPENED, &node,
					  ATTRIBUTES_ALL & ~ATTRIBUTES_OWNER, &b->err),
			 OK);
	assert_int_equal(node_of(b->fd).mode, 02755);
	node.gid++;
	assert_int_equal(attributes_apply(b->fd, ATTRIBUTES_OPENED, &node,
					  ATTRIBUTES_ALL & ~ATTRIBUTES_OWNER, &b->err),
			 OK);
	assert_int_equal(node_of(b->fd).mode, 0755);
}

static void
one_failure_does_not_keep_the_rest(void **state)
{
	struct bench *b = *state;
	struct node node = node_of(b->fd);
	char value[4];

	node.mode = 0611;
	node.mtime_ns = 5;
	add(b, "security.evm", "x", 1);
	add(b, "system.posix_acl_access", "junk", 4);
	add(b, "user.fine", "y", 1);
	node.xattrs = buf_slice(&b->list);
	assert_int_equal(apply(b, &node), ERR_PERMISSION);
	assert_non_null(strstr(b->err.msg, "2 problems"));
	assert_non_null(strstr(b->err.msg, "security.evm"));
	assert_int_equal(fgetxattr(b->fd, "user.fine", value, sizeof(value)), 1);
	assert_int_equal(node_of(b->fd).mode, 0611);
	assert_true(node_of(b->fd).mtime_ns == 5);

	/* A damaged list is one of them. */
	node.xattrs = SLICE("\x05"
			    "user",
			    5);
	node.mode = 0622;
	assert_int_equal(apply(b, &node), ERR_CORRUPT);
	assert_int_equal(node_of(b->fd).mode, 0622);
}

static void
read_only_files_of_users_get_attributes(void **state)
{
	struct bench *b = *state;
	struct node node = node_of(b->fd);
	bool root = geteuid() == 0;

	node.mode = 0400;
	add(b, "user.a", "one", 3);
	node.xattrs = buf_slice(&b->list);
	assert_int_equal(fchmod(b->fd, 0400), 0);
	if (root) {
		node.uid = node.gid = 65534;
		assert_int_equal(fchown(b->fd, 65534, 65534), 0);
		assert_int_equal(seteuid(65534), 0);
	}
	int rc = apply(b, &node);
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(rc, OK);
	assert_int_equal(node_of(b->fd).mode, 0400);
}

static void
path_descriptors_reach_every_kind(void **state)
{
	struct bench *b = *state;
	bool root = geteuid() == 0;
	static const char *const names[] = {"file", "link", "pipe", "dir"};

	assert_int_equal(symlinkat("file", b->dir, "link"), 0);
	assert_int_equal(mknodat(b->dir, "pipe", S_IFIFO | 0600, 0), 0);
	assert_int_equal(mkdirat(b->dir, "dir", 0700), 0);
	struct node file_before = node_of(b->fd);
	for (size_t i = ARRAY_SIZE(names); i-- > 0;) {
		CLEAN(fd_close) int fd = openat(b->dir, names[i], O_PATH | O_NOFOLLOW | O_CLOEXEC);
		assert_true(fd >= 0);
		struct node node = node_of(fd);

		node.mode = node.type == NODE_SYMLINK ? 0777 : 0751;
		node.mtime_ns = 1000000007 + (int64_t)i;
		node.uid += root ? 1000 : 0;
		buf_reset(&b->list);
		if (root) {
			add(b, "trusted.t", names[i], 4);
			node.xattrs = buf_slice(&b->list);
		}
		assert_int_equal(
			attributes_apply(fd, ATTRIBUTES_OPATH, &node, ATTRIBUTES_ALL, &b->err), OK);
		struct node is = node_of(fd);
		assert_int_equal(is.mode, node.mode);
		assert_int_equal(is.uid, node.uid);
		assert_true(is.mtime_ns == node.mtime_ns);
		CLEAN(buf_done) struct buf now = BUF_INIT(1 << 20);
		assert_int_equal(attributes_read(fd, ATTRIBUTES_OPATH, &now, &b->err), 1);
		assert_int_equal(now.n, node.xattrs.n);
		/* What the link points to is another file. */
		if (i == 1) {
			assert_true(node_of(b->fd).mtime_ns == file_before.mtime_ns);
			assert_int_equal(node_of(b->fd).uid, file_before.uid);
		}
	}
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stat_becomes_a_node),
		TEST(reads_sorted_lists_and_leaves_out_foreign_kinds),
		TEST(what_does_not_fit_is_left_out_and_told),
		TEST(applies_everything_and_touches_nothing_twice),
		TEST(acl_and_mode_agree),
		TEST(capabilities_survive_the_change_of_owner),
		TEST(foreign_owners_get_no_set_id_bits),
		TEST(one_failure_does_not_keep_the_rest),
		TEST(read_only_files_of_users_get_attributes),
		TEST(path_descriptors_reach_every_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
