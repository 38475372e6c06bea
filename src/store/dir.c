/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Objects as files below a folder: opening, reading, removing. Uploads are in dir_upload.c, walks
 * over what is there in dir_list.c.
 *
 * The one thing to know: "not there" is said only when the system said so about this very name in a
 * repository that still exists. Everything else that keeps us from seeing an object or a folder is
 * an error, because whoever takes "I could not look" for "there is nothing" will delete or
 * overwrite.
 */
#include "store/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "store/dir_internal.h"

enum { CACHED_FILES = 32 };

static struct dir *
dir_of(struct store *s)
{
	return CONTAINER_OF(s, struct dir, base);
}

enum err
dir_raise(struct error *err, enum err code, const char *verb, const char *name)
{
	if (errno == ENOSPC || errno == EDQUOT)
		code = ERR_STORE_FULL;
	/* Trying again would not help. */
	if (code == ERR_STORE_WRITE && (errno == EACCES || errno == EPERM || errno == EROFS))
		code = ERR_PERMISSION;
	return error_sys(err, code, "%s '%s'", verb, name);
}

int
dir_sync_parent(int dirfd, const char *path, struct error *err)
{
	struct error why = ERROR_INIT;

	if (fs_sync_parent(dirfd, path, &why) == OK)
		return OK;
	if (why.code == ERR_NO_MEMORY)
		return error_no_memory(err);
	errno = why.sys != 0 ? why.sys : EIO;
	return dir_raise(err, ERR_STORE_WRITE, "sync the folder of", path);
}

int
dir_check_there(const struct dir *d, struct error *err)
{
	struct stat st;

	if (fstat(d->fd, &st) < 0)
		return dir_raise(err, ERR_STORE_READ, "look at the folder", d->path);
	if (d->counts_links && st.st_nlink == 0)
		return error_set(err, ERR_STORE_READ,
				 "the repository's folder '%s' has been removed", d->path);
	return OK;
}

/* Reading ------------------------------------------------------------------------------------ */

static int
raise_open(const struct dir *d, const char *name, struct error *err)
{
	if (errno != ENOENT)
		return dir_raise(err, ERR_STORE_READ, "open", name);
	int rc = dir_check_there(d, err);
	if (rc < 0)
		return rc;
	return error_set(err, ERR_NOT_FOUND, "there is no object '%s'", name);
}

/* Pin what the cache has under a name, if it still is that object: another process may have removed
 * it since, and a long-lived one would otherwise keep its space. */
static bool
find_cached(struct dir *d, const char *name, struct fdcache_pin *ret, struct stat *ret_st)
{
	struct fdcache_pin pin;

	if (!fdcache_find(d->cache, name, &pin))
		return false;
	if (fstat(pin.fd, ret_st) < 0 || ret_st->st_nlink == 0) {
		fdcache_drop(d->cache, name);
		fdcache_release(d->cache, &pin);
		return false;
	}
	*ret = pin;
	return true;
}

/* A pinned descriptor of an object, and its size. */
static int
open_object(struct dir *d, const char *name, struct fdcache_pin *ret, uint64_t *ret_size,
	    struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	struct stat st;

	if (!find_cached(d, name, ret, &st)) {
		/* O_NONBLOCK: whatever lies there, opening it must not wait for anyone. */
		fd = openat(d->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0)
			return raise_open(d, name, err);
		if (fstat(fd, &st) < 0)
			return dir_raise(err, ERR_STORE_READ, "look at", name);
		if (!S_ISREG(st.st_mode))
			return error_set(err, ERR_STORE_READ, "'%s' is not a file", name);
		fdcache_add(d->cache, name, STEAL_FD(fd), ret);
	}
	*ret_size = (uint64_t)st.st_size;
	return OK;
}

static int
read_range(int fd, const char *name, uint64_t offset, void *p, size_t n, struct error *err)
{
	struct error why = ERROR_INIT;
	size_t got;

	if (fs_pread(fd, p, n, offset, &got, &why) < 0) {
		errno = why.sys != 0 ? why.sys : EIO;
		return dir_raise(err, ERR_STORE_READ, "read", name);
	}
	if (got < n)
		return error_set(err, ERR_CORRUPT, "'%s' became shorter while it was read", name);
	return OK;
}

static int
dir_read(struct store *s, const char *name, uint64_t offset, void *p, size_t n, struct error *err)
{
	struct dir *d = dir_of(s);
	struct fdcache_pin pin;
	uint64_t size = 0;
	int rc = open_object(d, name, &pin, &size, err);

	if (rc < 0)
		return rc;
	if (offset > size || n > size - offset)
		rc = error_set(err, ERR_CORRUPT,
			       "'%s' has %llu bytes, %zu more are needed from byte %llu on", name,
			       (unsigned long long)size, n, (unsigned long long)offset);
	else
		rc = read_range(pin.fd, name, offset, p, n, err);
	fdcache_release(d->cache, &pin);
	return rc;
}

static int
dir_stat(struct store *s, const char *name, uint64_t *ret_size, struct error *err)
{
	struct dir *d = dir_of(s);
	struct stat st;

	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return dir_raise(err, ERR_STORE_READ, "look at", name);
		return dir_check_there(d, err);
	}
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERR_STORE_READ, "'%s' is not a file", name);
	*ret_size = (uint64_t)st.st_size;
	return 1;
}

static int
dir_remove(struct store *s, const char *name, struct error *err)
{
	struct dir *d = dir_of(s);

	/* First, so that the space is free at once, and NFS need not keep the file for us. */
	fdcache_drop(d->cache, name);
	if (unlinkat(d->fd, name, 0) < 0) {
		if (errno != ENOENT)
			return dir_raise(err, ERR_STORE_WRITE, "remove", name);
		return dir_check_there(d, err);
	}
	int rc = dir_sync_parent(d->fd, name, err);
	if (rc < 0) {
		(void)error_prefix(err, "whether '%s' stays removed is not known", name);
		return rc;
	}
	return 1;
}

/* Opening and closing ------------------------------------------------------------------------ */

static void
dir_close(struct store *s)
{
	struct dir *d = dir_of(s);

	fdcache_free(d->cache);
	fd_close(&d->fd);
	for (size_t i = 0; i < d->settled_n; i++)
		free(d->settled[i]);
	free(d->settled);
	(void)pthread_mutex_destroy(&d->settled_lock);
	free(d->path);
	free(d);
}

static const struct store_ops dir_ops = {
	.name = "dir",
	.read = dir_read,
	.stat = dir_stat,
	.list = dir_list,
	.begin = dir_upload_begin,
	.write = dir_upload_write,
	.commit = dir_upload_commit,
	.abort = dir_upload_abort,
	.remove = dir_remove,
	.tidy = dir_list_tidy,
	.close = dir_close,
};

/* Create a folder and what is missing above it, durably, from the top down. */
static int
make_folder(const char *path, struct error *err)
{
	if (mkdir(path, 0700) == 0)
		return dir_sync_parent(AT_FDCWD, path, err);
	/* What exists is looked at when it is opened. */
	if (errno == EEXIST)
		return OK;
	const char *slash = strrchr(path, '/');
	if (errno != ENOENT || slash == NULL || slash == path)
		return dir_raise(err, ERR_STORE_WRITE, "create the folder", path);

	CLEAN(free_ptr) char *parent = strndup(path, (size_t)(slash - path));
	if (parent == NULL)
		return error_no_memory(err);
	int rc = make_folder(parent, err);
	if (rc < 0)
		return rc;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return dir_raise(err, ERR_STORE_WRITE, "create the folder", path);
	return dir_sync_parent(AT_FDCWD, path, err);
}

/* An 'init' that failed, on a full disk perhaps, leaves empty folders of ours. */
static bool
is_left_over(int dirfd, const char *name)
{
	CLEAN(dir_stream_close) DIR *stream = NULL;
	const struct dirent *e;
	int fd;

	if (strcmp(name, "tmp") != 0 && strcmp(name, "keys") != 0)
		return false;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	stream = fd >= 0 ? fdopendir(fd) : NULL;
	if (stream == NULL) {
		fd_close(&fd);
		return false;
	}
	do {
		errno = 0;
		e = readdir(stream);
	} while (e != NULL && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0));
	return e == NULL && errno == 0;
}

/* A new repository wants a folder for itself. The root of a file system of its own is fine. */
static int
check_empty(int dirfd, const char *path, struct error *err)
{
	CLEAN(dir_stream_close) DIR *stream = NULL;
	CLEAN(fd_close) int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return dir_raise(err, ERR_STORE_READ, "open the folder", path);
	stream = fdopendir(fd);
	if (stream == NULL)
		return dir_raise(err, ERR_STORE_READ, "open the folder", path);
	(void)STEAL_FD(fd); /* the stream closes it */
	for (;;) {
		errno = 0;
		const struct dirent *e = readdir(stream);
		if (e == NULL && errno != 0)
			return dir_raise(err, ERR_STORE_READ, "read the folder", path);
		if (e == NULL)
			return OK;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    strcmp(e->d_name, "lost+found") == 0 || is_left_over(dirfd, e->d_name))
			continue;
		(void)error_set(err, ERR_EXISTS, "the folder '%s' is not empty", path);
		(void)error_hint(err, "give an empty folder, or one that does not exist yet");
		return ERR_EXISTS;
	}
}

static int
raise_open_store(const char *path, bool create, struct error *err)
{
	if (errno == EACCES || errno == EPERM)
		return dir_raise(err, ERR_PERMISSION, "open the folder", path);
	if (errno != ENOENT && errno != ENOTDIR)
		return dir_raise(err, ERR_STORE_READ, "open the folder", path);
	if (create)
		return dir_raise(err, ERR_EXISTS, "use the folder", path);
	(void)dir_raise(err, ERR_NO_REPOSITORY, "open the folder", path);
	(void)error_hint(err, "check the path and that its file system is mounted, or create a "
			      "repository there with 'holdfast init'");
	return ERR_NO_REPOSITORY;
}

/* The path without slashes at its end, so that its last part has a name; "/" stays. */
static char *
trim_path(const char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	return strndup(path, n);
}

static int
open_root(const char *path, bool create, int *ret_fd, struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	int rc = create ? make_folder(path, err) : OK;

	if (rc < 0)
		return rc;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return raise_open_store(path, create, err);
	rc = create ? check_empty(fd, path, err) : OK;
	if (rc < 0)
		return rc;
	*ret_fd = STEAL_FD(fd);
	return OK;
}

int
store_dir_open(const char *path, bool create, struct store **ret, struct error *err)
{
	CLEAN(free_ptr) char *trimmed = trim_path(path);
	CLEAN(free_ptr) struct dir *d = calloc(1, sizeof(*d));
	CLEAN(fd_close) int fd = -1;
	struct stat st;

	if (trimmed == NULL || d == NULL)
		return error_no_memory(err);
	int rc = open_root(trimmed, create, &fd, err);
	if (rc < 0)
		return rc;
	if (fstat(fd, &st) < 0)
		return dir_raise(err, ERR_STORE_READ, "look at the folder", path);
	if (pthread_mutex_init(&d->settled_lock, NULL) != 0)
		return error_no_memory(err);
	rc = fdcache_new(CACHED_FILES, &d->cache, err);
	if (rc < 0) {
		(void)pthread_mutex_destroy(&d->settled_lock);
		return rc;
	}
	d->base.ops = &dir_ops;
	d->counts_links = st.st_nlink > 0;
	d->fd = STEAL_FD(fd);
	d->path = STEAL_PTR(trimmed);
	*ret = &STEAL_PTR(d)->base;
	return OK;
}
