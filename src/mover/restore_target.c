/* SPDX-License-Identifier: Apache-2.0 */

/* Opening targets: every refusal happens here, before anything is written. */
#include "mover/restore_target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "mover/restore_file.h"

static void
dir_close(DIR **dir)
{
	if (*dir != NULL)
		(void)closedir(*dir);
}

/* 1 created, 0 it was there. */
static int
make_target(const char *path, struct error *err)
{
	CLEAN(free_ptr) char *above = strdup(path);

	if (above == NULL)
		return error_no_memory(err);
	size_t n = strlen(above);
	while (n > 1 && above[n - 1] == '/')
		n--;
	while (n > 0 && above[n - 1] != '/')
		n--;
	above[n] = '\0';
	if (n > 0) {
		int rc = fs_mkdirs(AT_FDCWD, above, 0755, err);
		if (rc < 0)
			return error_hint(err, "check the path of the target");
	}
	if (mkdir(path, 0700) == 0)
		return 1;
	if (errno == EEXIST)
		return 0;
	return error_sys(err, ERR_TARGET, "create folder");
}

/* A fresh file system's own folder does not count, but must not be taken for absent either. */
static int
check_empty(int fd, bool *ret_lost_found, struct error *err)
{
	CLEAN(dir_close) DIR *dir = NULL;
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (own < 0)
		return error_sys(err, ERR_TARGET, "read folder");
	dir = fdopendir(own);
	if (dir == NULL) {
		(void)error_sys(err, ERR_TARGET, "read folder");
		(void)close(own);
		return ERR_TARGET;
	}
	*ret_lost_found = false;
	for (;;) {
		errno = 0;
		const struct dirent *e = readdir(dir);
		if (e == NULL && errno != 0)
			return error_sys(err, ERR_TARGET, "read folder");
		if (e == NULL)
			return OK;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (strcmp(e->d_name, "lost+found") != 0)
			return error_set(err, ERR_TARGET, "the folder is not empty: it holds '%s'",
					 e->d_name);
		*ret_lost_found = true;
	}
}

static int
open_target(struct restore_run *run, const char *path, struct restore_item *root, struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	bool lost_found = false;
	struct stat st;

	int made = make_target(path, err);
	if (made < 0)
		return made;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, ERR_TARGET, "open folder");
	if (run->options->mode == RESTORE_EMPTY) {
		int rc = check_empty(fd, &lost_found, err);
		if (rc < 0)
			return rc;
		root->fresh = !lost_found;
	}
	root->fresh = root->fresh || made > 0;
	root->dev = st.st_dev;
	root->ino = st.st_ino;
	atomic_store(&root->present, true);
	restore_run_note_file_system(run, fd, root->dev);
	restore_fds_attach(&run->fds, root, STEAL_FD(fd));
	return OK;
}

int
restore_target_open(struct restore_run *run, const char *path, struct restore_item **ret,
		    struct error *err)
{
	struct restore_item *root;

	int rc = restore_item_new_root(path, &root, err);
	if (rc < 0)
		return rc;
	rc = open_target(run, path, root, err);
	if (rc < 0) {
		restore_item_unref(root);
		return error_prefix(err, "restore into '%s'", path);
	}
	*ret = root;
	return OK;
}

void
restore_target_close(struct restore_run *run, struct restore_item *root)
{
	if (root == NULL)
		return;
	restore_fds_unpin(&run->fds, root);
	restore_file_release(run, root);
}

/* Is the folder `fd` below or the same as `other`? 1, 0 or < 0. */
static int
lies_in(int fd, const struct restore_item *other, struct error *err)
{
	CLEAN(fd_close) int at = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	struct stat st, last = {.st_ino = 0};

	for (;;) {
		if (at < 0 || fstat(at, &st) < 0)
			return error_sys(err, ERR_TARGET, "look at the folders above");
		if (st.st_dev == other->dev && st.st_ino == other->ino)
			return 1;
		/* The root of all is its own parent. */
		if (st.st_dev == last.st_dev && st.st_ino == last.st_ino)
			return 0;
		last = st;
		int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		(void)close(at);
		at = up;
	}
}

int
restore_target_check_apart(struct restore_run *run, struct restore_item *a, struct restore_item *b,
			   struct error *err)
{
	struct restore_item *pair[2] = {a, b};

	for (size_t i = 0; i < 2; i++) {
		int fd = -1;

		int rc = restore_fds_pin(&run->fds, pair[i], &fd, err);
		if (rc < 0)
			return rc;
		rc = lies_in(fd, pair[1 - i], err);
		restore_fds_unpin(&run->fds, pair[i]);
		if (rc < 0)
			return rc;
		if (rc > 0)
			return error_set(err, ERR_USAGE,
					 "'%s' and '%s' lie one in the other: they must be apart",
					 a->name, b->name);
	}
	return OK;
}
