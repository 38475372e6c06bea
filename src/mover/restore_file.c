/* SPDX-License-Identifier: Apache-2.0 */

/* From planned to complete. The last hold on an item is released exactly once, so completing needs no
 * lock; becoming present does, as several workers may bring the first content. */
#include "mover/restore_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "mover/attributes.h"
#include "mover/beneath.h"

static const struct slice no_name;

static int
create_file(struct restore_run *run, struct restore_item *item, int parent, struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	struct stat st;

	int rc = beneath_create_file(parent, item->name, &fd, err);
	if (rc < 0)
		return rc;
	if (fstat(fd, &st) < 0)
		return error_sys(err, ERR_IO, "stat");
	item->dev = st.st_dev;
	item->ino = st.st_ino;
	restore_fds_attach(&run->fds, item, STEAL_FD(fd));
	/* Only now: another worker that sees it and finds no descriptor would open the file itself. */
	atomic_store(&item->present, true);
	return OK;
}

/* A file of ours that we may not read and write: let us. By the descriptor, which is of the right
 * file. */
static int
unlock_file(const struct restore_item *item, int parent)
{
	CLEAN(fd_close) int fd = beneath_open(parent, item->name, O_PATH, 0);
	char path[32];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_ino != item->ino ||
	    st.st_dev != item->dev) {
		errno = EACCES;
		return -1;
	}
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (chmod(path, (st.st_mode & 07777) | S_IRUSR | S_IWUSR) < 0)
		return -1;
	return beneath_open(parent, item->name, O_RDWR, 0);
}

/* For comparing, reading is enough; only if something differs must a running program be stopped, or a
 * mode be changed for the time of writing. */
static int
open_for_compare(struct restore_item *item, int parent)
{
	int fd = beneath_open(parent, item->name, O_RDWR | O_NONBLOCK, 0);

	if (fd >= 0 || (errno != EACCES && errno != ETXTBSY))
		return fd;
	item->locked_errno = errno;
	fd = beneath_open(parent, item->name, O_RDONLY | O_NONBLOCK, 0);
	if (fd >= 0 || errno != EACCES)
		return fd;
	item->locked_errno = 0;
	return unlock_file(item, parent);
}

/* The descriptor cannot write: get one that can, of the same file. */
static int
open_for_write(const struct restore_item *item, int fd, int *ret_fd, struct error *err)
{
	char path[32];
	struct stat st;

	if (item->locked_errno == ETXTBSY) {
		errno = ETXTBSY;
		(void)error_sys(err, ERR_TARGET, "write");
		return error_hint(err, "stop the program that runs from this file");
	}
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fstat(fd, &st) < 0 || fchmod(fd, (st.st_mode & 07777) | S_IWUSR) < 0)
		return error_sys(err, ERR_TARGET, "make it writable");
	int own = open(path, O_RDWR | O_CLOEXEC);
	if (own < 0)
		return error_sys(err, ERR_TARGET, "open for writing");
	*ret_fd = own;
	return OK;
}

static int
set_size(struct restore_item *item, int fd, struct error *err)
{
	CLEAN(fd_close) int own = -1;

	if (item->locked_errno != 0) {
		int rc = open_for_write(item, fd, &own, err);
		if (rc < 0)
			return rc;
	}
	if (ftruncate(own >= 0 ? own : fd, (off_t)item->size) < 0)
		return error_sys(err, ERR_IO, "set size");
	atomic_store(&item->written, true);
	return OK;
}

/* Open the file that was there before (the planner has seen it: dev, ino) and give it its size. */
static int
open_existing(struct restore_run *run, struct restore_item *item, int parent, struct error *err)
{
	CLEAN(fd_close) int fd = open_for_compare(item, parent);
	struct stat st;

	if (fd < 0)
		return error_sys(err, ERR_IO, "open");
	if (fstat(fd, &st) < 0)
		return error_sys(err, ERR_IO, "stat");
	if (st.st_dev != item->dev || st.st_ino != item->ino || !S_ISREG(st.st_mode))
		return error_set(err, ERR_IO, "somebody else replaced it meanwhile");
	if ((uint64_t)st.st_size != item->size) {
		int rc = set_size(item, fd, err);
		if (rc < 0)
			return rc;
	}
	restore_fds_attach(&run->fds, item, STEAL_FD(fd));
	atomic_store(&item->present, true); /* last, as above */
	return OK;
}

int
restore_file_pin(struct restore_run *run, struct restore_item *item, int *ret_fd, struct error *err)
{
	pthread_mutex_t *stripe = restore_run_stripe(run, item);
	int parent = -1;

	if (atomic_load(&item->present))
		return restore_fds_pin(&run->fds, item, ret_fd, err);

	int rc = restore_fds_pin(&run->fds, item->parent, &parent, err);
	if (rc < 0)
		return error_prefix(err, "its folder");
	bool ours = false;
	(void)pthread_mutex_lock(stripe);
	if (!atomic_load(&item->present)) {
		ours = true;
		rc = item->existing ? open_existing(run, item, parent, err)
				    : create_file(run, item, parent, err);
		/* Pinned by having been attached; nobody else closes it. */
		if (rc == OK)
			*ret_fd = item->fd;
	}
	(void)pthread_mutex_unlock(stripe);
	restore_fds_unpin(&run->fds, item->parent);
	return ours || rc < 0 ? rc : restore_fds_pin(&run->fds, item, ret_fd, err);
}

void
restore_file_unpin(struct restore_run *run, struct restore_item *item)
{
	restore_fds_unpin(&run->fds, item);
}

int
restore_file_write(struct restore_run *run, struct restore_item *item, int fd, struct slice content,
		   uint64_t offset, struct error *err)
{
	CLEAN(fd_close) int own = -1;

	if (item->locked_errno != 0) {
		int locked = open_for_write(item, fd, &own, err);
		if (locked < 0)
			return locked;
		fd = own;
	}
	atomic_store_explicit(&item->written, true, memory_order_relaxed);
	int rc = fs_pwrite(fd, content.p, content.n, offset, err);
	if (rc < 0)
		return rc;
	atomic_fetch_add_explicit(&run->bytes_written, content.n, memory_order_relaxed);
	return OK;
}

void
restore_file_fail(struct restore_run *run, struct restore_item *item, const struct error *why)
{
	if (atomic_exchange(&item->failed, true) || restore_run_stopped(run))
		return;
	/* If it stops everything, everybody will see that by itself. */
	int rc = restore_run_judge(run, item, no_name, why);
	(void)rc;
}

static const struct error *
error_of_discard(struct error *err)
{
	(void)error_sys(err, ERR_IO, "empty a file that could not be completed");
	return err;
}

/* Take away what we made and could not complete. Other names of it (hard links) are left empty. */
static void
discard(struct restore_run *run, struct restore_item *item)
{
	struct error ignored = ERROR_INIT;
	int parent = -1, fd = -1;

	if (item->existing || !atomic_load(&item->present))
		return;
	if (restore_fds_pin(&run->fds, item, &fd, &ignored) == OK) {
		if (ftruncate(fd, 0) < 0)
			restore_run_warn(run, item, no_name, error_of_discard(&ignored));
		restore_fds_unpin(&run->fds, item);
	}
	if (restore_fds_pin(&run->fds, item->parent, &parent, &ignored) < 0)
		return;
	(void)unlinkat(parent, item->name, 0);
	restore_fds_unpin(&run->fds, item->parent);
}

/* Content is complete: size, then everything else. */
static int
complete_file(struct restore_run *run, struct restore_item *item, struct error *err)
{
	struct node node;
	struct stat st;
	int fd = -1;

	int rc = restore_file_pin(run, item, &fd, err);
	if (rc < 0)
		return rc;
	/* A hole at the end has not been written. */
	if (fstat(fd, &st) < 0)
		rc = error_sys(err, ERR_IO, "stat");
	else if ((uint64_t)st.st_size != item->size)
		rc = set_size(item, fd, err);
	if (rc == OK) {
		struct error one = ERROR_INIT;
		restore_item_node(item, &node);
		rc = attributes_apply(fd, ATTRIBUTES_OPENED, &node, run->set, &one);
		/* The content is right: it stays, and the loss is told. */
		if (rc < 0)
			rc = restore_run_judge(run, item, no_name, &one);
		if (rc < 0)
			*err = one;
	}
	restore_file_unpin(run, item);
	if (rc == OK)
		rc = restore_fds_close(&run->fds, item, err);
	return rc;
}

static void
finish_file(struct restore_run *run, struct restore_item *item)
{
	struct progress *progress = run->options->progress;
	struct error err = ERROR_INIT;

	if (!restore_run_stopped(run)) {
		if (!atomic_load(&item->failed) && complete_file(run, item, &err) < 0)
			restore_file_fail(run, item, &err);
		if (atomic_load(&item->failed)) {
			discard(run, item);
		} else {
			atomic_fetch_add(&run->files, 1);
			atomic_fetch_add(!item->existing               ? &progress->files_new
					 : atomic_load(&item->written) ? &progress->files_changed
								       : &progress->files_unchanged,
					 1);
		}
		atomic_fetch_add(&progress->files_done, 1);
	}
	/* If it could not be closed, that was reported; or nothing matters any more. */
	int rc = restore_fds_close(&run->fds, item, &err);
	(void)rc;
}

static void
finish_dir(struct restore_run *run, struct restore_item *item)
{
	struct error err = ERROR_INIT;
	struct node node;
	int fd = -1;

	if (!restore_run_stopped(run) && !item->keeps_attributes && !atomic_load(&item->failed)) {
		unsigned set = run->set;
		if (item->xattrs_done)
			set &= ~(unsigned)ATTRIBUTES_XATTRS;
		restore_item_node(item, &node);
		int rc = restore_fds_pin(&run->fds, item, &fd, &err);
		if (rc == OK) {
			rc = attributes_apply(fd, ATTRIBUTES_OPENED, &node, set, &err);
			restore_fds_unpin(&run->fds, item);
		}
		if (rc < 0)
			restore_file_fail(run, item, &err);
	}
	int rc = restore_fds_close(&run->fds, item, &err);
	(void)rc;
}

void
restore_file_release(struct restore_run *run, struct restore_item *item)
{
	while (item != NULL && atomic_fetch_sub(&item->pending, 1) == 1) {
		struct restore_item *parent = item->parent;

		if (item->type == NODE_DIR)
			finish_dir(run, item);
		else if (item->type == NODE_FILE)
			finish_file(run, item);
		restore_item_free_xattrs(item);
		/* The parent outlives this: what is released next is its hold, too. */
		restore_item_unref(item);
		item = parent;
	}
}
