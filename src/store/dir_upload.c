/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Uploads into a folder. The order of things is all that matters here:
 *
 *	write the data into a file nobody sees       begin, write
 *	fsync the file                               commit: now its content survives a power cut
 *	give it its name, replacing nothing                  now it is visible
 *	fsync the folder that holds the name                 now the name survives, too
 *	fsync the folders above, where they are new
 *
 * so that a name, whenever it is seen, stands for the whole content. Each step is checked, none is
 * repeated: after a failed fsync nothing is known of the file's pages (see base/fs.h).
 */
#include "store/dir_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/hex.h"
#include "crypto/crypto.h"

enum {
	TEMP_RANDOM_SIZE = 16,
	TEMP_NAME_SIZE = sizeof(DIR_TEMP "/") + 2 * TEMP_RANDOM_SIZE,
	/* Write-back is started each time that much is new. */
	WRITE_BACK_BYTES = 4 * 1024 * 1024,
	/* Objects from this size leave the page cache once stored: they are packs, not soon read
	 * again, and the room belongs to the database. Small ones are read by the next command. */
	DROP_FROM_BYTES = 1024 * 1024,
	/* Far more folders than a repository has; beyond it they are only slower. */
	SETTLED_MAX = 4096,
};

struct upload {
	struct store_upload base;
	struct dir *dir;
	int fd;
	bool failed;
	uint64_t size_bytes;
	uint64_t started_bytes; /* <= size_bytes: up to here write-back was started */
	char name[STORE_NAME_MAX + 1];
	char temp[TEMP_NAME_SIZE]; /* its name in tmp/, "" if it has none there */
};

static struct upload *
upload_of(struct store_upload *base)
{
	return CONTAINER_OF(base, struct upload, base);
}

static void
upload_free(struct upload *u)
{
	if (u == NULL)
		return;
	fd_close(&u->fd);
	/* If it stays, tidy gets it. */
	if (u->temp[0] != '\0')
		(void)unlinkat(u->dir->fd, u->temp, 0);
	free(u);
}

static void
upload_freep(struct upload **u)
{
	upload_free(*u);
}

/* Folders ------------------------------------------------------------------------------------ */

/* Cut the last part off a name; false if it has but one. */
static bool
cut_last(char *name)
{
	char *slash = strrchr(name, '/');

	if (slash == NULL)
		return false;
	*slash = '\0';
	return true;
}

static bool
settled_find(const struct dir *d, const char *folder)
{
	for (size_t i = 0; i < d->settled_n; i++)
		if (strcmp(d->settled[i], folder) == 0)
			return true;
	return false;
}

static bool
is_settled(struct dir *d, const char *folder)
{
	(void)pthread_mutex_lock(&d->settled_lock);
	bool found = settled_find(d, folder);
	(void)pthread_mutex_unlock(&d->settled_lock);
	return found;
}

/* Without memory the folder is not remembered, and synced again: no reason to fail. */
static void
settled_add(struct dir *d, const char *folder)
{
	CLEAN(free_ptr) char *copy = strdup(folder);

	if (copy == NULL)
		return;
	(void)pthread_mutex_lock(&d->settled_lock);
	if (d->settled_n < SETTLED_MAX && !settled_find(d, folder)) {
		char **more = reallocarray(d->settled, d->settled_n + 1, sizeof(*more));
		if (more != NULL) {
			d->settled = more;
			d->settled[d->settled_n++] = STEAL_PTR(copy);
		}
	}
	(void)pthread_mutex_unlock(&d->settled_lock);
}

/* Create the folders of `name` that are not known to be there; commit makes them durable. */
static int
make_folders(struct dir *d, const char *name, struct error *err)
{
	char folder[STORE_NAME_MAX + 1];

	(void)snprintf(folder, sizeof(folder), "%s", name);
	if (!cut_last(folder) || is_settled(d, folder))
		return OK;
	for (char *p = folder;; p++) {
		char end = *p;
		if (end != '/' && end != '\0')
			continue;
		*p = '\0';
		if (mkdirat(d->fd, folder, 0700) < 0 && errno != EEXIST)
			return dir_raise(err, ERR_STORE_WRITE, "create the folder", folder);
		*p = end;
		if (end == '\0')
			return OK;
	}
}

/*
 * Make a name durable: sync its folder, and the folders above until one is known to be durable.
 * That a folder existed when we came means nothing: another process may have made it just before
 * and not have synced it yet.
 */
static int
settle(struct dir *d, const char *name, struct error *err)
{
	char part[STORE_NAME_MAX + 1];

	(void)snprintf(part, sizeof(part), "%s", name);
	do {
		int rc = dir_sync_parent(d->fd, part, err);
		if (rc < 0)
			return rc;
	} while (cut_last(part) && !is_settled(d, part));

	/* Only now: every folder of the name is durable with all above it. */
	(void)snprintf(part, sizeof(part), "%s", name);
	while (cut_last(part))
		if (!is_settled(d, part))
			settled_add(d, part);
	return OK;
}

/* Begin and write ---------------------------------------------------------------------------- */

/* Where an open file without a name can be found to link it; no privilege needed. */
static void
proc_path(int fd, char text[32])
{
	(void)snprintf(text, 32, "/proc/self/fd/%d", fd);
}

/* A file without a name. -1 and errno; EOPNOTSUPP if this machine cannot give it one later. */
static int
open_unnamed(struct dir *d)
{
	CLEAN(fd_close) int fd = openat(d->fd, DIR_TEMP, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	char path[32];

	if (fd < 0) {
		/* The ways kernels and file systems say that they do not know O_TMPFILE. */
		if (errno == EISDIR || errno == EINVAL || errno == ENOSYS)
			errno = EOPNOTSUPP;
		return -1;
	}
	proc_path(fd, path);
	if (faccessat(AT_FDCWD, path, F_OK, 0) < 0) {
		errno = EOPNOTSUPP; /* no /proc here, as in some containers */
		return -1;
	}
	return STEAL_FD(fd);
}

static int
open_named(struct dir *d, char ret_temp[TEMP_NAME_SIZE], struct error *err)
{
	uint8_t random[TEMP_RANDOM_SIZE];
	char temp[TEMP_NAME_SIZE] = DIR_TEMP "/";
	int rc = crypto_random(random, sizeof(random), err);

	if (rc < 0)
		return rc;
	(void)hex_encode(random, sizeof(random), temp + strlen(temp));
	int fd = openat(d->fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return dir_raise(err, ERR_STORE_WRITE, "create", temp);
	memcpy(ret_temp, temp, sizeof(temp));
	return fd;
}

/* The descriptor of a new file nobody sees, or an error. */
static int
open_temp(struct dir *d, char ret_temp[TEMP_NAME_SIZE], struct error *err)
{
	/* Always tried: whoever cleans up a repository by hand may well take tmp/ for rubbish. */
	if (mkdirat(d->fd, DIR_TEMP, 0700) < 0 && errno != EEXIST)
		return dir_raise(err, ERR_STORE_WRITE, "create the folder", DIR_TEMP);

	if (atomic_load(&d->publish) <= DIR_PUBLISH_UNNAMED) {
		int fd = open_unnamed(d);
		if (fd < 0 && errno != EOPNOTSUPP)
			return dir_raise(err, ERR_STORE_WRITE, "create a file in", DIR_TEMP);
		atomic_store(&d->publish, fd >= 0 ? DIR_PUBLISH_UNNAMED : DIR_PUBLISH_RENAME);
		if (fd >= 0)
			return fd;
	}
	return open_named(d, ret_temp, err);
}

int
dir_upload_begin(struct store *s, const char *name, struct store_upload **ret, struct error *err)
{
	struct dir *d = CONTAINER_OF(s, struct dir, base);
	CLEAN(upload_freep) struct upload *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return error_no_memory(err);
	u->base.ops = s->ops;
	u->dir = d;
	u->fd = -1;
	(void)snprintf(u->name, sizeof(u->name), "%s", name);
	int rc = make_folders(d, name, err);
	if (rc < 0)
		return rc;
	rc = open_temp(d, u->temp, err);
	if (rc < 0)
		return rc;
	u->fd = rc;
	*ret = &STEAL_PTR(u)->base;
	return OK;
}

int
dir_upload_write(struct store_upload *base, const void *p, size_t n, struct error *err)
{
	struct upload *u = upload_of(base);
	const uint8_t *from = p;

	while (n > 0) {
		uint64_t room = WRITE_BACK_BYTES - (u->size_bytes - u->started_bytes);
		size_t piece = (size_t)MIN((uint64_t)n, room);
		struct error why = ERROR_INIT;
		if (fs_write(u->fd, from, piece, &why) < 0) {
			u->failed = true;
			errno = why.sys != 0 ? why.sys : EIO;
			return dir_raise(err, ERR_STORE_WRITE, "write", u->name);
		}
		from += piece;
		n -= piece;
		u->size_bytes += piece;
		if (u->size_bytes - u->started_bytes < WRITE_BACK_BYTES)
			break;
		/* So that fsync finds little left to do; whether it worked, fsync tells. */
		(void)sync_file_range(u->fd, (off_t)u->started_bytes, WRITE_BACK_BYTES,
				      SYNC_FILE_RANGE_WRITE);
		u->started_bytes = u->size_bytes;
	}
	return OK;
}

/* Commit and abort --------------------------------------------------------------------------- */

/* What an error says whose object may be visible all the same. */
#define OUTCOME_UNKNOWN "whether '%s' is stored is not known"

static int
publish_unnamed(struct upload *u)
{
	char path[32];

	proc_path(u->fd, path);
	return linkat(AT_FDCWD, path, u->dir->fd, u->name, AT_SYMLINK_FOLLOW);
}

static int
publish_named(struct upload *u)
{
	struct dir *d = u->dir;

	if (atomic_load(&d->publish) != DIR_PUBLISH_LINK) {
		if (renameat2(d->fd, u->temp, d->fd, u->name, RENAME_NOREPLACE) == 0) {
			u->temp[0] = '\0';
			return 0;
		}
		if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
			return -1;
		atomic_store(&d->publish, DIR_PUBLISH_LINK);
	}
	return linkat(d->fd, u->temp, d->fd, u->name, 0);
}

/* Whether the object's name is that of our own file: 1 yes, 0 no, < 0 not to be found out. */
static int
has_name(const struct upload *u, const struct stat *ours)
{
	struct stat named;

	if (fstatat(u->dir->fd, u->name, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	return named.st_dev == ours->st_dev && named.st_ino == ours->st_ino;
}

/*
 * Give the synced file its name.
 *
 * That this failed does not mean that it was not done: a server that is asked again because its
 * reply was lost says EEXIST about its own work. So we look.
 */
static int
publish(struct upload *u, struct error *err)
{
	bool named = u->temp[0] != '\0';
	struct stat ours;

	if (fstat(u->fd, &ours) < 0)
		return dir_raise(err, ERR_STORE_WRITE, "look at", u->name);
	/* A server may report only now what it could not write. A file without a name must be open
	 * to get one, but these are only on local file systems. */
	if (named && close(STEAL_FD(u->fd)) < 0)
		return dir_raise(err, ERR_STORE_WRITE, "close", u->name);
	if ((named ? publish_named(u) : publish_unnamed(u)) == 0)
		return OK;

	int why = errno;
	int done = has_name(u, &ours);
	if (done > 0)
		return OK;
	if (done == 0 && why == EEXIST)
		return error_set(err, ERR_EXISTS, "there is an object '%s' already", u->name);
	errno = why;
	int rc = dir_raise(err, ERR_STORE_WRITE, "store", u->name);
	if (done < 0)
		(void)error_prefix(err, OUTCOME_UNKNOWN, u->name);
	return rc;
}

int
dir_upload_commit(struct store_upload *base, struct error *err)
{
	CLEAN(upload_freep) struct upload *u = upload_of(base);

	if (u->failed)
		return error_set(err, ERR_BAD_STATE, "store '%s' after a failed write", u->name);
	if (fsync(u->fd) < 0)
		return dir_raise(err, ERR_STORE_WRITE, "sync", u->name);
	/* Clean pages can be dropped; before the sync they could not. */
	if (u->size_bytes >= DROP_FROM_BYTES)
		(void)posix_fadvise(u->fd, 0, 0, POSIX_FADV_DONTNEED);

	int published = publish(u, err);
	if (published < 0 && published != ERR_EXISTS)
		return published;
	/* Also when it exists: our caller will rely on it, and whoever made it may not have come as
	 * far as this. */
	int rc = settle(u->dir, u->name, err);
	if (rc < 0) {
		(void)error_prefix(err, OUTCOME_UNKNOWN, u->name);
		return rc;
	}
	return published;
}

void
dir_upload_abort(struct store_upload *base)
{
	upload_free(upload_of(base));
}
