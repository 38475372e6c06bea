/* SPDX-License-Identifier: Apache-2.0 */

/* Fixtures for tests of the folder store. */
#include "store/sandbox.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "store/dir.h"

struct sandbox *
sandbox_new(void)
{
	struct sandbox *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	/* Thousands of them in a run: in memory where there is such a place, for a disk takes its
	 * time over each fsync. The contract suite runs on a disk. */
	const char *where = getenv("TMPDIR");
	if (where == NULL)
		where = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
	(void)snprintf(b->base, sizeof(b->base), "%s/holdfast-store-XXXXXX", where);
	assert_non_null(mkdtemp(b->base));
	(void)snprintf(b->path, sizeof(b->path), "%s/repo", b->base);
	sandbox_check(b, store_dir_open(b->path, true, &b->s, &b->err), OK, "open");
	b->fd = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(b->fd >= 0);
	return b;
}

void
sandbox_free(struct sandbox *b)
{
	store_close(b->s);
	fd_close(&b->fd);
	if (fs_remove_tree(AT_FDCWD, b->base, &b->err) < 0)
		fail_msg("%s", b->err.msg);
	free(b);
}

int
sandbox_setup(void **state)
{
	*state = sandbox_new();
	return 0;
}

int
sandbox_teardown(void **state)
{
	sandbox_free(*state);
	return 0;
}

void
sandbox_check(struct sandbox *b, int rc, int expected, const char *what)
{
	if (rc != expected)
		fail_msg("%s: %d (%s) instead of %d", what, rc, rc < 0 ? b->err.msg : "", expected);
	b->err = rc < 0 ? b->err : ERROR_INIT;
}

void
sandbox_put(struct sandbox *b, const char *name, const char *text)
{
	sandbox_check(b, store_put(b->s, name, SLICE(text, strlen(text)), &b->err), OK, name);
}

void
sandbox_expect(struct sandbox *b, const char *name, const char *text)
{
	CLEAN(buf_done) struct buf data = BUF_INIT(64 * 1024);

	sandbox_check(b, store_get(b->s, name, &data, &b->err), OK, name);
	assert_int_equal(data.n, strlen(text));
	if (data.n > 0)
		assert_memory_equal(data.p, text, data.n);
}

void
sandbox_write_file(struct sandbox *b, const char *name, const char *text)
{
	int fd = openat(b->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	sandbox_check(b, fs_write(fd, text, strlen(text), &b->err), OK, name);
	assert_int_equal(close(fd), 0);
}

void
sandbox_mkdir(struct sandbox *b, const char *name)
{
	sandbox_check(b, fs_mkdirs(b->fd, name, 0700, &b->err), OK, name);
}

static int
count_one(void *arg, const struct store_entry *entry, struct error *err)
{
	(void)err;
	assert_true(store_name_valid(entry->name));
	++*(int *)arg;
	return OK;
}

int
sandbox_count(struct sandbox *b, const char *prefix)
{
	int n = 0;
	int rc = store_list(b->s, prefix, count_one, &n, &b->err);

	return rc < 0 ? rc : n;
}

static int
count_entries(int fd)
{
	int n = 0;

	assert_true(fd >= 0);
	DIR *stream = fdopendir(fd);
	assert_non_null(stream);
	for (const struct dirent *e; (e = readdir(stream)) != NULL;)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	(void)closedir(stream);
	return n;
}

int
sandbox_entries(struct sandbox *b, const char *name)
{
	return count_entries(openat(b->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

int
sandbox_open_fds(void)
{
	return count_entries(open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) - 1;
}
