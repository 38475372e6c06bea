/* SPDX-License-Identifier: Apache-2.0 */

/* Only folders of our own user that nobody has locked go, and none that may just be on its way to being locked. */
#include "requester/ssh_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/text.h"

#define PREFIX "holdfast-ssh-"

enum { RUNTIME_MAX = 60, LEFT_S = 60 };

static const char *
runtime_dir(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (runtime == NULL || runtime[0] != '/' || strlen(runtime) > RUNTIME_MAX)
		return "/tmp";
	return runtime;
}

static bool
was_left(int parent, const char *name)
{
	CLEAN(fd_close)
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid())
		return false;
	uint64_t changed_s = (uint64_t)st.st_mtim.tv_sec, now_s = clock_wall_ns() / NS_PER_S;
	return now_s > changed_s + LEFT_S && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static void
remove_left(const char *runtime)
{
	DIR *dir = opendir(runtime);
	struct error ignored;

	if (dir == NULL)
		return;
	for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) == 0 &&
		    was_left(dirfd(dir), e->d_name))
			(void)!fs_remove_tree(dirfd(dir), e->d_name, &ignored);
	}
	(void)closedir(dir);
}

int
ssh_dir_make(struct ssh_dir *ret, struct error *err)
{
	const char *runtime = runtime_dir();
	struct ssh_dir d = {.fd = -1};

	*ret = d;
	remove_left(runtime);
	(void)text_printf(d.path, sizeof(d.path), "%s/" PREFIX "XXXXXX", runtime);
	if (mkdtemp(d.path) == NULL)
		return error_sys(err, ERR_IO, "create the folder '%s'", d.path);
	d.fd = open(d.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d.fd < 0 || flock(d.fd, LOCK_EX | LOCK_NB) < 0) {
		(void)error_sys(err, ERR_IO, "lock the folder '%s'", d.path);
		ssh_dir_remove(&d);
		return err->code;
	}
	*ret = d;
	return OK;
}

void
ssh_dir_remove(struct ssh_dir *d)
{
	if (d->path[0] != '\0')
		(void)!fs_remove_tree(AT_FDCWD, d->path, NULL);
	d->path[0] = '\0';
	fd_close(&d->fd);
	d->fd = -1;
}
