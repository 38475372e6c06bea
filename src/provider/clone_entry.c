/* SPDX-License-Identifier: Apache-2.0 */

/* One file, link, device or pipe. Everything by descriptor: no name is looked up twice. */
#include "provider/clone_entry.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "base/clock.h"
#include "provider/origin.h"

/* The kernel's limits for names and one value. */
enum { XATTR_NAMES_MAX = 64 * 1024, XATTR_VALUE_MAX = 64 * 1024 };

/* Extended attributes of a descriptor, or of a symbolic link by path. */
struct ends {
	int from_fd, to_fd;
	const char *from, *to; /* NULL: by descriptor */
};

static ssize_t
list_names(const struct ends *e, char *names, size_t n)
{
	return e->from == NULL ? flistxattr(e->from_fd, names, n) : llistxattr(e->from, names, n);
}

static int
copy_one(const struct ends *e, const char *name, char *value)
{
	ssize_t n = e->from == NULL ? fgetxattr(e->from_fd, name, value, XATTR_VALUE_MAX)
				    : lgetxattr(e->from, name, value, XATTR_VALUE_MAX);

	if (n < 0)
		return errno == ENODATA ? 0 : -1; /* gone since */
	return e->to == NULL ? fsetxattr(e->to_fd, name, value, (size_t)n, 0)
			     : lsetxattr(e->to, name, value, (size_t)n, 0);
}

static int
copy_xattrs(const struct ends *e, const char *what, struct error *err)
{
	CLEAN(free_ptr) char *names = NULL;
	CLEAN(free_ptr) char *value = NULL;
	char few[1024]; /* enough for nearly all */
	const char *list = few;
	ssize_t n = list_names(e, few, sizeof(few));

	if (n < 0 && errno == ERANGE) {
		names = malloc(XATTR_NAMES_MAX);
		if (names == NULL)
			return error_no_memory(err);
		list = names;
		n = list_names(e, names, XATTR_NAMES_MAX);
	}
	if (n < 0 && errno != ENOTSUP)
		return error_sys(err, ERR_IO, "list the attributes of '%s'", what);
	if (n <= 0)
		return OK;
	value = malloc(XATTR_VALUE_MAX);
	if (value == NULL)
		return error_no_memory(err);
	for (const char *name = list; name < list + n; name += strlen(name) + 1)
		if (strcmp(name, PROVIDER_ORIGIN_XATTR) != 0 && copy_one(e, name, value) < 0)
			return error_sys(err, ERR_IO, "copy the attribute '%s' of '%s'", name,
					 what);
	return OK;
}

int
clone_entry_attributes(int from, int to, const struct stat *st, const char *name, struct error *err)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	const struct ends ends = {.from_fd = from, .to_fd = to};

	/* The owner first: changing it clears set-user-ID and file capabilities. */
	if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
		return error_sys(err, ERR_IO, "set owner and mode of '%s'", name);
	if (copy_xattrs(&ends, name, err) < 0)
		return err->code;
	if (futimens(to, times) < 0)
		return error_sys(err, ERR_IO, "set the times of '%s'", name);
	return OK;
}

static uint64_t
ns_of(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * NS_PER_S + (uint64_t)t->tv_nsec;
}

/* btrfs shares blocks only between files that both have checksums, or both have not. */
static void
copy_nocow(int from, int to)
{
	int flags = 0, own = 0;

	if (ioctl(from, FS_IOC_GETFLAGS, &flags) < 0 || (flags & FS_NOCOW_FL) == 0 ||
	    ioctl(to, FS_IOC_GETFLAGS, &own) < 0)
		return;
	own |= FS_NOCOW_FL;
	(void)ioctl(to, FS_IOC_SETFLAGS, &own);
}

static int
clone_content(int from, int to)
{
	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	if (errno != EINVAL)
		return -1;
	copy_nocow(from, to);
	return ioctl(to, FICLONE, from);
}

int
clone_entry_file(int from, int to, const char *name, struct error *err)
{
	CLEAN(fd_close) int in = -1, out = -1;
	struct provider_origin origin;
	struct stat st;

	in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME | O_CLOEXEC);
	if (in < 0 && (errno == ENOENT || errno == ELOOP))
		return 0;
	if (in < 0 || fstat(in, &st) < 0)
		return error_sys(err, ERR_IO, "open '%s'", name);
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return error_sys(err, ERR_IO, "create the clone of '%s'", name);
	if (st.st_size > 0 && clone_content(in, out) < 0)
		return error_sys(err, ERR_IO, "clone '%s'", name);
	if (clone_entry_attributes(in, out, &st, name, err) < 0)
		return err->code;
	origin = (struct provider_origin){st.st_ino, ns_of(&st.st_ctim), ns_of(&st.st_mtim)};
	if (provider_origin_write(out, &origin) < 0)
		return error_sys(err, ERR_IO, "mark the clone of '%s'", name);
	return 1;
}

static int
copy_link(int from, int to, const char *name, struct error *err)
{
	char target[4097];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return errno == ENOENT ? 0 : (int)error_sys(err, ERR_IO, "read link '%s'", name);
	target[n] = '\0';
	if (symlinkat(target, to, name) < 0)
		return error_sys(err, ERR_IO, "create the link '%s'", name);
	return 1;
}

int
clone_entry_special(int from, int to, const char *name, const struct stat *st, struct error *err)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	char from_path[300], to_path[300];
	const struct ends ends = {.from = from_path, .to = to_path};
	int r = 1;

	if (S_ISSOCK(st->st_mode))
		return 0;
	if (S_ISLNK(st->st_mode))
		r = copy_link(from, to, name, err);
	else if (mknodat(to, name, st->st_mode & (S_IFMT | 07777), st->st_rdev) < 0)
		r = error_sys(err, ERR_IO, "create '%s'", name);
	if (r <= 0)
		return r;
	if (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (!S_ISLNK(st->st_mode) && fchmodat(to, name, st->st_mode & 07777, 0) < 0))
		return error_sys(err, ERR_IO, "set owner and mode of '%s'", name);
	(void)snprintf(from_path, sizeof(from_path), "/proc/self/fd/%d/%s", from, name);
	(void)snprintf(to_path, sizeof(to_path), "/proc/self/fd/%d/%s", to, name);
	if (copy_xattrs(&ends, name, err) < 0)
		return err->code;
	if (utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_sys(err, ERR_IO, "set the times of '%s'", name);
	return 1;
}
