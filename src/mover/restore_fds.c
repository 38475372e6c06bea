/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A list in order of last use and one lock. Opening happens under the lock: a miss is rare, and takes
 * microseconds.
 */
#include "mover/restore_fds.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "mover/beneath.h"

enum {
	LIMIT_MAX = 512,
	LIMIT_MIN = 16,
	LIMIT_RESERVE = 128, /* for the repository, the index, worker threads, the program itself */
	NOFILE_WANTED = 4096,
};

static unsigned
default_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return LIMIT_MIN;
	if (r.rlim_cur < NOFILE_WANTED && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = MIN(r.rlim_max, (rlim_t)NOFILE_WANTED);
		(void)setrlimit(RLIMIT_NOFILE, &r);
		if (getrlimit(RLIMIT_NOFILE, &r) < 0)
			return LIMIT_MIN;
	}
	if (r.rlim_cur < LIMIT_RESERVE + LIMIT_MIN)
		return LIMIT_MIN;
	return (unsigned)MIN(r.rlim_cur - LIMIT_RESERVE, (rlim_t)LIMIT_MAX);
}

void
restore_fds_init(struct restore_fds *fds, unsigned limit)
{
	*fds = (struct restore_fds){.limit = limit > 0 ? limit : default_limit()};
	(void)pthread_mutex_init(&fds->lock, NULL);
}

void
restore_fds_done(struct restore_fds *fds)
{
	assert(fds->open == 0);
	(void)pthread_mutex_destroy(&fds->lock);
}

/* Below: all with the lock held. */

static void
list_remove(struct restore_fds *fds, struct restore_item *item)
{
	if (item->newer != NULL)
		item->newer->older = item->older;
	else
		fds->newest = item->older;
	if (item->older != NULL)
		item->older->newer = item->newer;
	else
		fds->oldest = item->newer;
	item->newer = item->older = NULL;
}

static void
list_add(struct restore_fds *fds, struct restore_item *item)
{
	item->older = fds->newest;
	if (fds->newest != NULL)
		fds->newest->newer = item;
	else
		fds->oldest = item;
	fds->newest = item;
}

static void
shut(struct restore_fds *fds, struct restore_item *item)
{
	list_remove(fds, item);
	fds->open--;
	/* On some file systems a write fails only now; whoever completes the item asks for it. */
	if (close(STEAL_FD(item->fd)) < 0 && item->close_errno == 0)
		item->close_errno = errno;
}

static void
make_room(struct restore_fds *fds)
{
	struct restore_item *item = fds->oldest;

	while (item != NULL && fds->open > fds->limit) {
		struct restore_item *next = item->newer;

		if (item->pins == 0)
			shut(fds, item);
		item = next;
	}
}

static void
adopt(struct restore_fds *fds, struct restore_item *item, int fd)
{
	assert(item->fd < 0);
	item->fd = fd;
	item->pins++;
	fds->open++;
	list_add(fds, item);
	make_room(fds);
}

/* Open `item` in its parent, which is open. */
static int
reopen(struct restore_fds *fds, struct restore_item *item, struct error *err)
{
	int flags = O_RDONLY | O_DIRECTORY;
	struct stat st;

	if (item->type != NODE_DIR)
		flags = item->locked_errno != 0 ? O_RDONLY : O_RDWR;
	CLEAN(fd_close) int fd = beneath_open(item->parent->fd, item->name, flags, 0);
	if (fd < 0)
		return error_sys(err, ERR_IO, "open again");
	if (fstat(fd, &st) < 0)
		return error_sys(err, ERR_IO, "stat");
	if (st.st_dev != item->dev || st.st_ino != item->ino)
		return error_set(err, ERR_IO,
				 "somebody else replaced it (or a folder above) meanwhile");
	adopt(fds, item, STEAL_FD(fd));
	return OK;
}

/* Make the item open and pinned, opening what is closed between it and the nearest open folder. */
static int
open_chain(struct restore_fds *fds, struct restore_item *item, struct error *err)
{
	CLEAN(free_ptr) struct restore_item **chain = NULL;
	size_t n = 0;

	for (struct restore_item *i = item; i->fd < 0; i = i->parent)
		n++;
	chain = calloc(n + 1, sizeof(struct restore_item *));
	if (chain == NULL)
		return error_no_memory(err);
	struct restore_item *i = item;
	for (size_t k = 0; k <= n; k++, i = i->parent)
		chain[n - k] = i;

	/* chain[0] is open. Each is pinned while the next is opened in it. */
	chain[0]->pins++;
	for (size_t k = 1; k <= n; k++) {
		int rc = reopen(fds, chain[k], err);
		chain[k - 1]->pins--;
		if (rc < 0)
			return rc;
	}
	return OK;
}

void
restore_fds_attach(struct restore_fds *fds, struct restore_item *item, int fd)
{
	(void)pthread_mutex_lock(&fds->lock);
	adopt(fds, item, fd);
	(void)pthread_mutex_unlock(&fds->lock);
}

int
restore_fds_pin(struct restore_fds *fds, struct restore_item *item, int *ret_fd, struct error *err)
{
	int rc = OK;

	(void)pthread_mutex_lock(&fds->lock);
	if (item->fd >= 0) {
		item->pins++;
		list_remove(fds, item);
		list_add(fds, item);
	} else {
		rc = open_chain(fds, item, err);
	}
	if (rc == OK)
		*ret_fd = item->fd;
	(void)pthread_mutex_unlock(&fds->lock);
	return rc;
}

void
restore_fds_unpin(struct restore_fds *fds, struct restore_item *item)
{
	(void)pthread_mutex_lock(&fds->lock);
	assert(item->pins > 0);
	item->pins--;
	if (item->pins == 0)
		make_room(fds);
	(void)pthread_mutex_unlock(&fds->lock);
}

int
restore_fds_close(struct restore_fds *fds, struct restore_item *item, struct error *err)
{
	(void)pthread_mutex_lock(&fds->lock);
	assert(item->pins == 0);
	if (item->fd >= 0)
		shut(fds, item);
	int failed = item->close_errno;
	(void)pthread_mutex_unlock(&fds->lock);
	if (failed != 0) {
		errno = failed;
		return error_sys(err, ERR_IO, "close");
	}
	return OK;
}
