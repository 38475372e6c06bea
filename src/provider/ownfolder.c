/* SPDX-License-Identifier: Apache-2.0 */

/* The folder's owner and mode are what tells it from one that a user happens to call the same. */
#include "provider/ownfolder.h"

#include <fcntl.h>
#include <string.h>

bool
ownfolder_is(const char *name, const struct stat *st)
{
	return strcmp(name, OWNFOLDER_NAME) == 0 && S_ISDIR(st->st_mode) && st->st_uid == 0 &&
	       (st->st_mode & 07777) == 0700;
}

int
ownfolder_open(int top_fd, int *ret_fd, struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	struct stat st;

	fd = openat(top_fd, OWNFOLDER_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return error_sys(err, errno == EACCES ? ERR_PERMISSION : ERR_IO, "open '%s'",
				 OWNFOLDER_NAME);
	if (fstat(fd, &st) < 0)
		return error_sys(err, ERR_IO, "look at '%s'", OWNFOLDER_NAME);
	if (!ownfolder_is(OWNFOLDER_NAME, &st)) {
		error_set(err, ERR_PERMISSION, "'%s' there is not ours", OWNFOLDER_NAME);
		return error_hint(err,
				  "It has to be root's, with mode 0700: rename what is there.");
	}
	*ret_fd = STEAL_FD(fd);
	return 1;
}

int
ownfolder_create(int top_fd, int *ret_fd, struct error *err)
{
	int r = ownfolder_open(top_fd, ret_fd, err);

	if (r != 0)
		return r < 0 ? r : OK;
	if (mkdirat(top_fd, OWNFOLDER_NAME, 0700) < 0 && errno != EEXIST)
		return error_sys(err, errno == EACCES || errno == EPERM ? ERR_PERMISSION : ERR_IO,
				 "create '%s'", OWNFOLDER_NAME);
	r = ownfolder_open(top_fd, ret_fd, err);
	if (r == 0)
		return error_set(err, ERR_BUSY, "'%s' was removed by another", OWNFOLDER_NAME);
	return r < 0 ? r : OK;
}

void
ownfolder_tidy(int top_fd)
{
	/* Refused while there is anything in it: then it stays. */
	(void)unlinkat(top_fd, OWNFOLDER_NAME, AT_REMOVEDIR);
}
