/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Walks over the folders of the folder store: listing objects, and removing what interrupted
 * uploads left. A walk that cannot see everything fails as a whole. Entries that cannot be objects
 * by their names are none of ours, whatever they are.
 */
#include "store/dir_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"

struct listing {
	struct dir *dir;
	store_list_fn *each;
	void *arg;
	char name[STORE_NAME_MAX + 1]; /* of the folder with its '/', then of one entry */
};

/* Open name[0..len), a folder that ends in '/', or the repository's own. 0: there is none. */
static int
open_folder(struct listing *l, size_t len, DIR **ret, struct error *err)
{
	struct dir *d = l->dir;
	CLEAN(fd_close) int fd = -1;
	char path[STORE_NAME_MAX + 1] = ".";

	if (len > 0)
		(void)snprintf(path, sizeof(path), "%.*s", (int)len - 1, l->name);
	fd = openat(d->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return dir_check_there(d, err);
	if (fd < 0)
		return dir_raise(err, ERR_STORE_READ, "open the folder", path);
	*ret = fdopendir(fd);
	if (*ret == NULL)
		return dir_raise(err, ERR_STORE_READ, "open the folder", path);
	(void)STEAL_FD(fd); /* the stream closes it */
	return 1;
}

static int list_folder(struct listing *l, size_t len, struct error *err);

/* An entry of the folder at name[0..len), whose name has been added there. */
static int
list_entry(struct listing *l, int folder_fd, size_t len, struct error *err)
{
	struct stat st;
	size_t name_len = strlen(l->name);

	if (fstatat(folder_fd, l->name + len, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		/* Removed since the folder was read. */
		if (errno == ENOENT)
			return OK;
		return dir_raise(err, ERR_STORE_READ, "look at", l->name);
	}
	if (S_ISREG(st.st_mode)) {
		struct store_entry entry = {.name = l->name, .size_bytes = (uint64_t)st.st_size};
		return l->each(l->arg, &entry, err);
	}
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ERR_STORE_READ, "'%s' is neither a file nor a folder",
				 l->name);
	/* A folder that no name can go through is none of ours. */
	if (name_len + 2 > STORE_NAME_MAX)
		return OK;
	l->name[name_len] = '/';
	l->name[name_len + 1] = 'x';
	l->name[name_len + 2] = '\0';
	if (!store_name_valid(l->name))
		return OK;
	return list_folder(l, name_len + 1, err);
}

static int
list_folder(struct listing *l, size_t len, struct error *err)
{
	CLEAN(dir_stream_close) DIR *stream = NULL;
	int rc = open_folder(l, len, &stream, err);

	if (rc <= 0)
		return rc;
	for (;;) {
		errno = 0;
		const struct dirent *e = readdir(stream);
		if (e == NULL && errno != 0) {
			l->name[len] = '\0';
			return dir_raise(err, ERR_STORE_READ, "read the folder", l->name);
		}
		if (e == NULL)
			return OK;
		int name_len = snprintf(l->name + len, sizeof(l->name) - len, "%s", e->d_name);
		/* Not ours: "lost+found", ".nfs…", what somebody put there, our tmp/. */
		if ((size_t)name_len >= sizeof(l->name) - len || !store_name_valid(l->name))
			continue;
		rc = list_entry(l, dirfd(stream), len, err);
		if (rc < 0)
			return rc;
	}
}

int
dir_list(struct store *s, const char *prefix, store_list_fn *each, void *arg, struct error *err)
{
	struct listing l = {.dir = CONTAINER_OF(s, struct dir, base), .each = each, .arg = arg};

	(void)snprintf(l.name, sizeof(l.name), "%s", prefix);
	int rc = list_folder(&l, strlen(prefix), err);
	if (rc < 0)
		return rc;
	/* libc takes the error of reading a removed folder for its end. */
	return dir_check_there(l.dir, err);
}

/* Whether an entry of tmp/ is an upload that nobody has written to for age_s seconds. */
static bool
is_leftover(const struct stat *st, uint64_t age_s)
{
	uint64_t now_s = clock_wall_ns() / NS_PER_S;

	/* A time before 1970 or in the future says nothing about age. */
	if (!S_ISREG(st->st_mode) || st->st_mtim.tv_sec < 0)
		return false;
	uint64_t written_s = (uint64_t)st->st_mtim.tv_sec;
	return written_s <= now_s && now_s - written_s >= age_s;
}

static int
tidy_entry(int folder_fd, const char *name, uint64_t age_s, struct error *err)
{
	struct stat st;

	if (fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return OK;
		return dir_raise(err, ERR_STORE_READ, "look at " DIR_TEMP "/", name);
	}
	if (!is_leftover(&st, age_s))
		return OK;
	if (unlinkat(folder_fd, name, 0) < 0 && errno != ENOENT)
		return dir_raise(err, ERR_STORE_WRITE, "remove from " DIR_TEMP "/", name);
	return OK;
}

int
dir_list_tidy(struct store *s, uint64_t age_s, struct error *err)
{
	struct listing l = {.dir = CONTAINER_OF(s, struct dir, base), .name = DIR_TEMP "/"};
	CLEAN(dir_stream_close) DIR *stream = NULL;
	int rc = open_folder(&l, strlen(l.name), &stream, err);

	if (rc <= 0)
		return rc;
	for (;;) {
		errno = 0;
		const struct dirent *e = readdir(stream);
		if (e == NULL && errno != 0)
			return dir_raise(err, ERR_STORE_READ, "read the folder", DIR_TEMP);
		if (e == NULL)
			return OK;
		rc = tidy_entry(dirfd(stream), e->d_name, age_s, err);
		if (rc < 0)
			return rc;
	}
}
