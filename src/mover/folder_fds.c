/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which folders have an open descriptor. Those not used for longest are closed first; a folder that is
 * needed again is opened below its parent, which may have to be opened again itself, and so on up to
 * the graft, which keeps its own for good; so do folders that are not read below their parent.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "mover/folder.h"

enum { OPEN_MAX = 256, OPEN_MIN = 16 };

int
folder_name_order(struct slice a, struct slice b)
{
	int order = memcmp(a.p, b.p, MIN(a.n, b.n));

	return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

void
folder_fds_init(struct folder_fds *f)
{
	struct rlimit limit;

	memset(f, 0, sizeof(*f));
	(void)pthread_mutex_init(&f->lock, NULL);
	f->max_open = OPEN_MAX;
	/* Packs, index files and the files being read need descriptors, too. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 4 < OPEN_MAX)
		f->max_open = MAX((unsigned)limit.rlim_cur / 4, (unsigned)OPEN_MIN);
}

void
folder_fds_done(struct folder_fds *f)
{
	while (f->all != NULL)
		folder_free(f, f->all);
	(void)pthread_mutex_destroy(&f->lock);
}

/* All below: the lock is held. */

static void
unlink_open(struct folder_fds *f, struct folder *folder)
{
	if (folder->older != NULL)
		folder->older->newer = folder->newer;
	else
		f->oldest = folder->newer;
	if (folder->newer != NULL)
		folder->newer->older = folder->older;
	else
		f->newest = folder->older;
	folder->older = folder->newer = NULL;
}

static void
link_newest(struct folder_fds *f, struct folder *folder)
{
	folder->older = f->newest;
	if (f->newest != NULL)
		f->newest->newer = folder;
	else
		f->oldest = folder;
	f->newest = folder;
}

static void
close_folder(struct folder_fds *f, struct folder *folder)
{
	unlink_open(f, folder);
	(void)close(folder->fd);
	folder->fd = -1;
	f->n_open--;
}

static void
close_oldest(struct folder_fds *f)
{
	struct folder *at = f->oldest;

	while (f->n_open > f->max_open && at != NULL) {
		struct folder *newer = at->newer;

		if (at->pins == 0 && at->parent != NULL && !at->elsewhere)
			close_folder(f, at);
		at = newer;
	}
}

static void
own_fd(struct folder_fds *f, struct folder *folder, int fd)
{
	folder->fd = fd;
	f->n_open++;
	link_newest(f, folder);
}

/* Open `folder` below its parent, which is open. */
static int
reopen(struct folder_fds *f, struct folder *folder)
{
	struct stat st;
	int fd = openat(folder->parent->fd, (const char *)folder->entry->node.name.p,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0 || st.st_dev != folder->dev || st.st_ino != folder->ino) {
		(void)close(fd);
		errno = ENOENT;
		return 0;
	}
	own_fd(f, folder, fd);
	return 1;
}

/*
 * Open a folder and whatever must be opened above it: up to the nearest one that is open, leaving a
 * trail, and down again. No recursion: folders may be nested without limit.
 */
static int
open_chain(struct folder_fds *f, struct folder *folder)
{
	struct folder *at = folder;

	folder->down = NULL; /* the end of the trail */
	while (at->fd < 0) {
		if (at->parent == NULL) { /* made here: there is nothing to open */
			errno = ENOENT;
			return 0;
		}
		at->parent->down = at;
		at = at->parent;
	}
	for (at = at->down; at != NULL; at = at->down) {
		if (!reopen(f, at))
			return 0;
		close_oldest(f);
	}
	return 1;
}

int
folder_pin(struct folder_fds *f, struct folder *folder, int *ret_fd)
{
	int found;

	(void)pthread_mutex_lock(&f->lock);
	found = open_chain(f, folder);
	if (found) {
		folder->pins++;
		unlink_open(f, folder);
		link_newest(f, folder);
		*ret_fd = folder->fd;
	}
	(void)pthread_mutex_unlock(&f->lock);
	return found;
}

void
folder_unpin(struct folder_fds *f, struct folder *folder)
{
	(void)pthread_mutex_lock(&f->lock);
	folder->pins--;
	(void)pthread_mutex_unlock(&f->lock);
}

void
folder_adopt(struct folder_fds *f, struct folder *folder, int fd)
{
	(void)pthread_mutex_lock(&f->lock);
	folder->next = f->all;
	if (f->all != NULL)
		f->all->previous = folder;
	f->all = folder;
	if (fd >= 0) {
		own_fd(f, folder, fd);
		folder->pins = 1;
		close_oldest(f);
	}
	(void)pthread_mutex_unlock(&f->lock);
}

void
folder_abandon(struct folder_fds *f, struct folder *folder)
{
	(void)pthread_mutex_lock(&f->lock);
	if (folder->fd >= 0)
		close_folder(f, folder);
	if (folder->previous != NULL)
		folder->previous->next = folder->next;
	else
		f->all = folder->next;
	if (folder->next != NULL)
		folder->next->previous = folder->previous;
	(void)pthread_mutex_unlock(&f->lock);
}
