/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Safe steps below a folder. The one thing to know: a name is looked at and acted upon through the
 * descriptor it gave, never a second time by name, and where a way back up is needed ("..", when a
 * very deep tree is removed) the folder found there must be the one that was left.
 */
#include "mover/beneath.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

/* Folders on the way down whose streams stay open while a tree is removed. */
enum { REMOVE_OPEN_MAX = 64 };

static bool
text_valid(const char *name)
{
	return beneath_name_valid(SLICE(name, strlen(name)));
}

bool
beneath_name_valid(struct slice name)
{
	if (name.n == 0 || name.n > BENEATH_NAME_MAX)
		return false;
	if (memchr(name.p, '/', name.n) != NULL || memchr(name.p, '\0', name.n) != NULL)
		return false;
	return name.p[0] != '.' || name.n > 2 || (name.n == 2 && name.p[1] != '.');
}

/* ERR_TARGET has remedies of its own only for what an administrator can change. */
static enum err
code_of_errno(void)
{
	switch (errno) {
	case ENOSPC:
	case EDQUOT:
	case EROFS:
	case EACCES:
	case EPERM:
		return ERR_TARGET;
	case EEXIST:
		return ERR_EXISTS;
	default:
		return ERR_IO;
	}
}

int
beneath_open(int dirfd, const char *name, int flags, mode_t mode)
{
	static _Atomic bool missing; /* openat2 is not there */
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_NOFOLLOW | O_CLOEXEC),
		.mode = (flags & O_CREAT) != 0 ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	assert(text_valid(name));
	while (!atomic_load_explicit(&missing, memory_order_relaxed)) {
		long fd = syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
		if (fd >= 0)
			return (int)fd;
		/* A rename somewhere else made the kernel unsure: it asks to be asked again. */
		if (errno == EAGAIN || errno == EINTR)
			continue;
		if (errno != ENOSYS)
			return -1;
		atomic_store_explicit(&missing, true, memory_order_relaxed);
	}
	return openat(dirfd, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
}

int
beneath_look(int dirfd, const char *name, int *ret_fd, struct stat *ret_st, struct error *err)
{
	CLEAN(fd_close) int fd = beneath_open(dirfd, name, O_PATH, 0);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return error_sys(err, code_of_errno(), "open");
	if (fstat(fd, ret_st) < 0)
		return error_sys(err, ERR_IO, "stat");
	*ret_fd = STEAL_FD(fd);
	return 1;
}

/* A folder without permission for its owner, who we are: give it. */
static int
open_locked_dir(int dirfd, const char *name)
{
	CLEAN(fd_close) int fd = beneath_open(dirfd, name, O_PATH | O_DIRECTORY, 0);
	char path[32];

	if (fd < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (chmod(path, 0700) < 0)
		return -1;
	return openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int
beneath_open_dir(int dirfd, const char *name, int *ret_fd, struct stat *ret_st, struct error *err)
{
	CLEAN(fd_close) int fd = beneath_open(dirfd, name, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0 && errno == EACCES)
		fd = open_locked_dir(dirfd, name);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0;
	if (fd < 0)
		return error_sys(err, code_of_errno(), "open folder");
	if (fstat(fd, ret_st) < 0)
		return error_sys(err, ERR_IO, "stat folder");
	/* If this fails, what is done in the folder will say so. */
	if ((ret_st->st_mode & S_IRWXU) != S_IRWXU && geteuid() != 0)
		(void)fchmod(fd, 0700);
	*ret_fd = STEAL_FD(fd);
	return 1;
}

int
beneath_make_dir(int dirfd, const char *name, int *ret_fd, struct stat *ret_st, struct error *err)
{
	assert(text_valid(name));
	if (mkdirat(dirfd, name, 0700) < 0)
		return error_sys(err, code_of_errno(), "create folder");
	int rc = beneath_open_dir(dirfd, name, ret_fd, ret_st, err);
	if (rc == 0)
		return error_set(err, ERR_IO, "create folder: somebody else replaced it at once");
	return rc < 0 ? rc : OK;
}

int
beneath_create_file(int dirfd, const char *name, int *ret_fd, struct error *err)
{
	int fd = beneath_open(dirfd, name, O_RDWR | O_CREAT | O_EXCL, 0600);

	if (fd < 0)
		return error_sys(err, code_of_errno(), "create file");
	*ret_fd = fd;
	return OK;
}

/* A folder on the way down while a tree is removed. */
struct level {
	DIR *dir; /* NULL: closed for now, too many are open */
	dev_t dev;
	ino_t ino;
	char name[BENEATH_NAME_MAX + 1]; /* in the level above */
};

struct removal {
	int dirfd; /* where the tree is */
	size_t n, cap;
	struct level *levels;
};

static void
removal_done(struct removal *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->levels[i].dir != NULL)
			(void)closedir(r->levels[i].dir);
	free(r->levels);
}

static int
parent_fd(const struct removal *r)
{
	return r->n > 1 ? dirfd(r->levels[r->n - 2].dir) : r->dirfd;
}

static int
stream_open(int fd, DIR **ret, struct error *err)
{
	DIR *dir = fdopendir(fd);

	if (dir == NULL) {
		(void)error_sys(err, ERR_IO, "read folder");
		(void)close(fd);
		return ERR_IO;
	}
	*ret = dir;
	return OK;
}

/* Go down into folder `name` of the current level. */
static int
removal_enter(struct removal *r, const char *name, struct error *err)
{
	int above = r->n > 0 ? dirfd(r->levels[r->n - 1].dir) : r->dirfd;
	struct stat st;
	int fd = -1;

	if (r->n == r->cap) {
		size_t cap = r->cap > 0 ? r->cap * 2 : 16;
		struct level *levels = realloc(r->levels, cap * sizeof(*levels));
		if (levels == NULL)
			return error_no_memory(err);
		r->levels = levels;
		r->cap = cap;
	}
	int rc = beneath_open_dir(above, name, &fd, &st, err);
	if (rc == 0)
		return error_set(err, ERR_IO, "somebody else replaced it while it was removed");
	if (rc < 0)
		return rc;

	struct level *level = &r->levels[r->n];
	*level = (struct level){.dev = st.st_dev, .ino = st.st_ino};
	rc = stream_open(fd, &level->dir, err);
	if (rc < 0)
		return rc;
	(void)snprintf(level->name, sizeof(level->name), "%s", name);
	r->n++;
	if (r->n > 1 && st.st_dev != r->levels[0].dev)
		return error_set(err, ERR_IO, "'%s' is a mount point: not removed", name);
	if (r->n > REMOVE_OPEN_MAX + 1) {
		(void)closedir(r->levels[r->n - 2].dir);
		r->levels[r->n - 2].dir = NULL;
	}
	return OK;
}

/* Open the level above the current one again, and be sure that it is the one we came from. */
static int
removal_reopen_above(struct removal *r, struct error *err)
{
	struct level *above = &r->levels[r->n - 2];
	struct stat st;

	int fd = openat(dirfd(r->levels[r->n - 1].dir), "..",
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, ERR_IO, "open the folder above");
	if (fstat(fd, &st) < 0 || st.st_dev != above->dev || st.st_ino != above->ino) {
		(void)close(fd);
		return error_set(err, ERR_IO, "somebody else moved a folder being removed");
	}
	return stream_open(fd, &above->dir, err);
}

/* The current level is empty: remove it and go up. */
static int
removal_leave(struct removal *r, struct error *err)
{
	struct level *level = &r->levels[r->n - 1];

	if (r->n > 1 && r->levels[r->n - 2].dir == NULL) {
		int rc = removal_reopen_above(r, err);
		if (rc < 0)
			return rc;
	}
	if (unlinkat(parent_fd(r), level->name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return error_sys(err, code_of_errno(), "remove folder '%s'", level->name);
	(void)closedir(level->dir);
	r->n--;
	return OK;
}

/* Remove entries of the current level until it is empty (0), or go down into a folder (1). */
static int
removal_step(struct removal *r, uint64_t *removed, struct error *err)
{
	DIR *dir = r->levels[r->n - 1].dir;

	for (;;) {
		errno = 0;
		const struct dirent *e = readdir(dir);
		if (e == NULL && errno != 0)
			return error_sys(err, ERR_IO, "read folder");
		if (e == NULL)
			return 0;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(dir), e->d_name, 0) == 0) {
			(*removed)++;
			continue;
		}
		if (errno == ENOENT)
			continue;
		if (errno != EISDIR)
			return error_sys(err, code_of_errno(), "remove '%s'", e->d_name);
		int rc = removal_enter(r, e->d_name, err);
		return rc < 0 ? rc : 1;
	}
}

int
beneath_remove(int dirfd, const char *name, uint64_t *removed, struct error *err)
{
	CLEAN(removal_done) struct removal r = {.dirfd = dirfd};
	struct stat here;

	assert(text_valid(name));
	if (unlinkat(dirfd, name, 0) == 0) {
		(*removed)++;
		return OK;
	}
	if (errno == ENOENT)
		return OK;
	if (errno != EISDIR)
		return error_sys(err, code_of_errno(), "remove");
	int rc = removal_enter(&r, name, err);
	if (rc < 0)
		return rc;
	if (fstat(dirfd, &here) < 0)
		return error_sys(err, ERR_IO, "stat folder");
	if (here.st_dev != r.levels[0].dev)
		return error_set(err, ERR_IO, "a mount point: not removed");
	while (r.n > 0) {
		rc = removal_step(&r, removed, err);
		if (rc == 0)
			rc = removal_leave(&r, err);
		if (rc < 0)
			return rc;
	}
	return OK;
}
