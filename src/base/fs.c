/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Complete and durable file operations. The order in fs_write_file() is the whole point: a rename
 * that reaches the disk before the data would leave an empty file after a power cut, so the data is
 * synced first and the folder last.
 */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/hex.h"

enum { READ_STEP = 64 * 1024, TEMP_NAME_SIZE = 64, TEMP_TRIES = 16 };

int
fs_pread(int fd, void *p, size_t n, uint64_t offset, size_t *ret_n, struct error *err)
{
	uint8_t *bytes = p;
	size_t done = 0;

	while (done < n) {
		ssize_t got = pread(fd, bytes + done, n - done, (off_t)(offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_sys(err, ERR_IO, "read");
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*ret_n = done;
	return OK;
}

/* Which error a failed write-like call is: a full disk has remedies of its own. */
static enum err
write_code(void)
{
	return errno == ENOSPC || errno == EDQUOT ? ERR_STORE_FULL : ERR_IO;
}

int
fs_pwrite(int fd, const void *p, size_t n, uint64_t offset, struct error *err)
{
	const uint8_t *bytes = p;

	for (size_t done = 0; done < n;) {
		ssize_t put = pwrite(fd, bytes + done, n - done, (off_t)(offset + done));
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return error_sys(err, write_code(), "write");
		/* Not a thing a file does; but repeating it would never end. */
		if (put == 0)
			return error_set(err, ERR_IO, "write: nothing was accepted");
		done += (size_t)put;
	}
	return OK;
}

int
fs_write(int fd, const void *p, size_t n, struct error *err)
{
	const uint8_t *bytes = p;

	for (size_t done = 0; done < n;) {
		ssize_t put = write(fd, bytes + done, n - done);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return error_sys(err, write_code(), "write");
		if (put == 0)
			return error_set(err, ERR_IO, "write: nothing was accepted");
		done += (size_t)put;
	}
	return OK;
}

/* Read on from the current position to the end, appending to b. */
static int
read_all(int fd, const char *path, struct buf *b, struct error *err)
{
	for (;;) {
		uint8_t beyond;
		size_t room = b->max - b->n;

		if (room > 0 && b->n == b->cap &&
		    buf_reserve(b, MIN(room, (size_t)READ_STEP), err) < 0)
			return error_prefix(err, "read '%s'", path);
		/* At the maximum, one more byte tells whether the file ends here. */
		ssize_t got = room > 0 ? read(fd, b->p + b->n, MIN(room, b->cap - b->n))
				       : read(fd, &beyond, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_sys(err, ERR_IO, "read '%s'", path);
		if (got == 0)
			return OK;
		if (room == 0)
			return error_set(err, ERR_LIMIT, "read '%s': more than %zu bytes", path,
					 b->max);
		b->n += (size_t)got;
	}
}

int
fs_read_file(int dirfd, const char *path, struct buf *b, struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	struct stat st;
	size_t before = b->n;

	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return error_sys(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "open '%s'", path);
	/* Not pread: a password file may well be a pipe. The size is therefore only a hint. */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size < b->max - b->n)
		if (buf_reserve(b, (size_t)st.st_size + 1, err) < 0)
			return error_prefix(err, "read '%s'", path);

	int rc = read_all(fd, path, b, err);
	if (rc < 0)
		b->n = before;
	return rc;
}

/* Open the folder that holds path; *ret_name is the last component, inside path. */
static int
open_parent(int dirfd, const char *path, int *ret_fd, const char **ret_name, struct error *err)
{
	CLEAN(free_ptr) char *folder = NULL;
	size_t path_len = strlen(path);

	/* "a/b/" lies in "a": a slash at the end separates nothing. */
	while (path_len > 1 && path[path_len - 1] == '/')
		path_len--;
	const char *slash = memrchr(path, '/', path_len);
	const char *name = slash != NULL ? slash + 1 : path;

	/* For "/x" the folder is "/", its only character. */
	size_t len = slash != NULL ? (size_t)MAX(slash - path, 1) : 0;
	folder = slash != NULL ? strndup(path, len) : strdup(".");
	if (folder == NULL)
		return error_no_memory(err);
	int fd = openat(dirfd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, ERR_IO, "open folder '%s'", folder);
	*ret_fd = fd;
	*ret_name = name;
	return OK;
}

/* fsync a folder. Some file systems have no such operation for folders and say EINVAL: nothing more
 * can be done there, and nothing was lost by asking. */
static int
sync_folder(int fd, struct error *err)
{
	if (fsync(fd) < 0 && errno != EINVAL)
		return error_sys(err, ERR_IO, "sync folder");
	return OK;
}

/* Create a file with an unused name in the folder. */
static int
create_temp(int folder_fd, mode_t mode, char name[TEMP_NAME_SIZE], int *ret_fd, struct error *err)
{
	for (int i = 0; i < TEMP_TRIES; i++) {
		uint8_t random[8];
		char digits[2 * sizeof(random) + 1];

		if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
			return error_sys(err, ERR_IO, "get random bytes");
		(void)snprintf(name, TEMP_NAME_SIZE, ".holdfast-%s.tmp",
			       hex_encode(random, sizeof(random), digits));
		int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		if (fd >= 0) {
			*ret_fd = fd;
			return OK;
		}
		if (errno != EEXIST)
			break;
	}
	return error_sys(err, write_code(), "create temporary file");
}

/* Write, sync and close; the descriptor is gone afterwards in any case. */
static int
fill_temp(int temp_fd, struct slice data, struct error *err)
{
	CLEAN(fd_close) int fd = temp_fd;

	int rc = fs_write(fd, data.p, data.n, err);
	if (rc < 0)
		return rc;
	/* With delayed allocation a full disk may show only now. */
	if (fsync(fd) < 0)
		return error_sys(err, write_code(), "sync");
	if (close(STEAL_FD(fd)) < 0)
		return error_sys(err, write_code(), "close");
	return OK;
}

int
fs_write_file(int dirfd, const char *path, struct slice data, mode_t mode, struct error *err)
{
	CLEAN(fd_close) int folder_fd = -1;
	const char *name = NULL;
	char temp[TEMP_NAME_SIZE];
	int fd = -1;

	if (open_parent(dirfd, path, &folder_fd, &name, err) < 0 ||
	    create_temp(folder_fd, mode, temp, &fd, err) < 0)
		return error_prefix(err, "write file '%s'", path);

	int rc = fill_temp(fd, data, err);
	if (rc == OK && renameat(folder_fd, temp, folder_fd, name) < 0)
		rc = error_sys(err, write_code(), "rename");
	if (rc < 0) {
		(void)unlinkat(folder_fd, temp, 0);
		return error_prefix(err, "write file '%s'", path);
	}
	if (sync_folder(folder_fd, err) < 0)
		return error_prefix(err, "write file '%s'", path);
	return OK;
}

int
fs_sync_parent(int dirfd, const char *path, struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	const char *name = NULL;

	if (path == NULL) {
		/* Opened anew: dirfd may be AT_FDCWD, or O_PATH and as such not be synced. */
		fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return error_sys(err, ERR_IO, "open folder");
		return sync_folder(fd, err);
	}
	if (open_parent(dirfd, path, &fd, &name, err) < 0 || sync_folder(fd, err) < 0)
		return error_prefix(err, "sync the folder of '%s'", path);
	return OK;
}

/* Create one folder, durably. */
static int
make_dir(int dirfd, const char *path, mode_t mode, struct error *err)
{
	if (mkdirat(dirfd, path, mode) == 0)
		return fs_sync_parent(dirfd, path, err);
	/* Whether what exists is a folder is seen by the next step, or at the end. */
	if (errno == EEXIST)
		return OK;
	return error_sys(err, write_code(), "create folder '%s'", path);
}

int
fs_mkdirs(int dirfd, const char *path, mode_t mode, struct error *err)
{
	CLEAN(free_ptr) char *part = strdup(path);
	struct stat st;

	if (part == NULL)
		return error_no_memory(err);
	size_t len = strlen(part);
	while (len > 1 && part[len - 1] == '/')
		part[--len] = '\0';

	/* Each "a", "a/b", "a/b/c" in turn; the text is cut at the slash for the time of the call. */
	for (size_t i = 1; i <= len; i++) {
		if ((part[i] != '/' && part[i] != '\0') || part[i - 1] == '/')
			continue;
		char kept = part[i];
		part[i] = '\0';
		int rc = make_dir(dirfd, part, mode, err);
		part[i] = kept;
		if (rc < 0)
			return rc;
	}
	if (fstatat(dirfd, part, &st, 0) < 0)
		return error_sys(err, ERR_IO, "create folder '%s'", path);
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return error_sys(err, ERR_IO, "create folder '%s'", path);
	}
	return OK;
}

static void
dir_close(DIR **dir)
{
	if (*dir != NULL)
		(void)closedir(*dir);
}

static int remove_contents(int at, const char *name, struct error *err);

/* Remove a file, or a folder with everything in it; gone already is fine. */
static int
remove_entry(int at, const char *name, struct error *err)
{
	if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
		return OK;
	if (errno != EISDIR)
		return error_sys(err, ERR_IO, "remove '%s'", name);
	if (remove_contents(at, name, err) < 0)
		return error_prefix(err, "remove '%s'", name);
	if (unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return error_sys(err, ERR_IO, "remove '%s'", name);
	return OK;
}

static int
remove_contents(int at, const char *name, struct error *err)
{
	CLEAN(dir_close) DIR *dir = NULL;
	CLEAN(fd_close) int fd = -1;

	/* O_NOFOLLOW: a link put in the folder's place must not lead the removal elsewhere. */
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, ERR_IO, "open");
	dir = fdopendir(fd);
	if (dir == NULL)
		return error_sys(err, ERR_IO, "open");
	(void)STEAL_FD(fd);

	for (;;) {
		errno = 0;
		const struct dirent *e = readdir(dir);
		if (e == NULL && errno != 0)
			return error_sys(err, ERR_IO, "read folder");
		if (e == NULL)
			return OK;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		int rc = remove_entry(dirfd(dir), e->d_name, err);
		if (rc < 0)
			return rc;
	}
}

int
fs_remove_tree(int dirfd, const char *path, struct error *err)
{
	return remove_entry(dirfd, path, err);
}
