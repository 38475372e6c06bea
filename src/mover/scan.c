/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A folder's way through its windows. Entries of a window are looked at in the order of their inode
 * numbers, which on a disk is about the order in which inodes lie, and so costs few reads; everything
 * else goes by name. Jobs are pushed so that they are taken in this order: small files (the last lot
 * of which the scanning worker reads itself), large files, folders.
 */
#include "mover/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/clock.h"
#include "mover/attributes.h"
#include "mover/graft.h"
#include "mover/group.h"
#include "mover/slice.h"
#include "mover/source.h"
#include "mover/through.h"
#include "provider/ownfolder.h"

struct scan_job {
	struct job job;
	struct entry *entry;
};

/* Kernel interfaces dressed up as files: endless, changing, and of no use on another day. */
static bool
is_pseudo(int fd)
{
	static const unsigned long magic[] = {
		PROC_SUPER_MAGIC, SYSFS_MAGIC,      DEVPTS_SUPER_MAGIC, DEBUGFS_MAGIC,
		TRACEFS_MAGIC,    SECURITYFS_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
		BPF_FS_MAGIC,     BINFMTFS_MAGIC,   PSTOREFS_MAGIC,     EFIVARFS_MAGIC,
		HUGETLBFS_MAGIC,
	};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(magic); i++) {
		if ((unsigned long)fs.f_type == magic[i])
			return true;
	}
	return false;
}

/* Is what is in this folder, which was just opened, to be left out? */
static bool
stop_here(struct mover_worker *w, struct entry *e, int fd)
{
	struct graft *g = folder_entry_graft(e);

	if (e->folder == NULL) { /* asked for by name */
		g->dev = e->node.dev;
		return false;
	}
	if (e->node.dev == e->folder->dev)
		return false;
	return (w->mover->options.one_file_system && e->node.dev != g->dev) || is_pseudo(fd);
}

/* 1: *ret_fd; 0: left out. */
static int
open_folder(struct mover_worker *w, struct entry *e, int *ret_fd, bool *ret_elsewhere,
	    struct error *err)
{
	struct mover *m = w->mover;
	struct graft *g = folder_entry_graft(e);
	CLEAN(fd_close) int fd = -1;
	uint64_t now_ns = through_now(m);
	struct node now = e->node;
	const char *at;
	struct stat st;
	int parent, elsewhere = 0;

	if (e->folder == NULL) {
		/* A path of a component may be a symbolic link; a user's was seen to be none. */
		fd = open(through_source(g), O_RDONLY | O_DIRECTORY | O_CLOEXEC |
						     (g->asked || g->read ? O_NOFOLLOW : 0));
	} else if ((elsewhere = through_crossing(w, e, &at, err)) != 0) {
		if (elsewhere < 0)
			return err->code;
		fd = open(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	} else if (folder_pin(&m->fds, e->folder, &parent)) {
		fd = source_openat(m, parent, (const char *)e->node.name.p, e->node.uid,
				   O_RDONLY | O_DIRECTORY);
		int sys = errno;
		folder_unpin(&m->fds, e->folder);
		errno = sys;
	}
	if (fd < 0)
		return worker_lost(w, e, errno, "open the folder", err);
	if (fstat(fd, &st) < 0 || !attributes_stat(&st, &now))
		return worker_lost(w, e, errno, "fstat", err);
	if (now.ctime_ns != e->node.ctime_ns || now.ino != e->node.ino)
		e->flags &= (uint8_t)~ENTRY_SAME;
	e->node = now;
	e->flags = (uint8_t)((e->flags & ~ENTRY_RACY) |
			     (source_racy(&now, now_ns) ? ENTRY_RACY : 0));
	if (!(e->flags & ENTRY_SAME) && source_xattrs(w, e, fd, false, err) < 0)
		return err->code;
	*ret_fd = STEAL_FD(fd);
	*ret_elsewhere = elsewhere != 0;
	return 1;
}

/* ---- one window ------------------------------------------------------------------------------ */

struct window_order {
	uint64_t ino;
	size_t i;
};

static int
by_inode(const void *a, const void *b)
{
	const struct window_order *x = a, *y = b;

	return (x->ino > y->ino) - (x->ino < y->ino);
}

/* stat all entries, in the order of inodes; those not wanted or gone get no type. */
static int
look(struct mover_worker *w, struct folder *folder, int fd, struct stat *stats, struct error *err)
{
	CLEAN(free_ptr) struct window_order *order = calloc(folder->n_window, sizeof(*order));
	const struct folder_name *refs;

	if (folder->n_window == 0)
		return OK;
	if (order == NULL)
		return error_no_memory(err);
	refs = folder->refs + folder->taken;
	for (size_t i = 0; i < folder->n_window; i++)
		order[i] = (struct window_order){.ino = refs[i].ino, .i = i};
	qsort(order, folder->n_window, sizeof(*order), by_inode);
	for (size_t k = 0; k < folder->n_window; k++) {
		struct entry *e = &folder->window[order[k].i];
		struct stat *st = &stats[order[k].i];

		if (e->node.type == 0)
			continue;
		if (fstatat(fd, (const char *)e->node.name.p, st,
			    AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0 &&
		    worker_lost(w, e, errno, "stat", err) < 0)
			return err->code;
		if (e->node.type != 0)
			through_stat_at(w->mover, folder->graft, fd, (const char *)e->node.name.p,
					st);
		/* Our own snapshots lie in there. */
		if (e->node.type != 0 && ownfolder_is((const char *)e->node.name.p, st))
			e->node.type = 0;
	}
	return OK;
}

/* Names and filters. A type other than 0 stands for "wanted" until the entry was looked at. */
static int
fill(struct mover_worker *w, struct folder *folder, struct error *err)
{
	size_t prefix;

	if (scan_filter_begin(w, folder, &prefix, err) < 0)
		return err->code;
	for (size_t i = 0; i < folder->n_window; i++) {
		const struct folder_name *ref = &folder->refs[folder->taken + i];
		struct entry *e = &folder->window[i];
		bool wanted;

		e->folder = folder;
		e->node.name = SLICE(folder->names.p + ref->at, ref->length);
		if (scan_filter(w, e, prefix, &wanted, err) < 0)
			return err->code;
		e->node.type = wanted ? NODE_FILE : 0;
	}
	return OK;
}

/* Side by side with the previous folder; actions[i] says what is left to do. */
static int
compare(struct mover_worker *w, struct folder *folder, int fd, const struct stat *stats,
	uint64_t now_ns, uint8_t *actions, struct error *err)
{
	for (size_t i = 0; i < folder->n_window; i++) {
		struct entry *e = &folder->window[i];
		enum scan_action action = SCAN_DONE;
		struct node past;
		int found = 0;

		actions[i] = SCAN_DONE;
		if (e->node.type == 0)
			continue;
		e->node.type = 0;
		if (folder->cursor != NULL)
			found = tree_cursor_seek(folder->cursor, e->node.name, &past, err);
		if (found < 0) {
			if (!worker_past_damaged(w, folder->entry, err))
				return err->code;
			tree_cursor_close(folder->cursor);
			folder->cursor = NULL;
			found = 0;
		}
		if (scan_entry(w, fd, e, &stats[i], now_ns, found ? &past : NULL, &action, err) < 0)
			return err->code;
		actions[i] = (uint8_t)action;
	}
	return OK;
}

static int
push_file(struct mover_worker *w, struct entry *e, struct error *err)
{
	return e->flags & ENTRY_LAST ? slice_defer(w->mover, e, err) : slice_push(w->mover, e, err);
}

/* Hand out what is to be done; what comes first is pushed last. One group is ours. */
static int
hand_out(struct mover_worker *w, struct folder *folder, uint8_t *actions,
	 struct group_range *ret_own, struct error *err)
{
	size_t n = 1;

	for (size_t i = 0; i < folder->n_window; i++) {
		if (actions[i] == SCAN_SMALL && folder->window[i].flags & ENTRY_LAST)
			actions[i] = SCAN_FILE;
		folder->window[i].small = actions[i] == SCAN_SMALL;
		n += actions[i] != SCAN_DONE;
	}
	atomic_store_explicit(&folder->pending, n, memory_order_relaxed);
	for (size_t i = folder->n_window; i-- > 0;) {
		if (actions[i] == SCAN_FOLDER && scan_push(w->mover, &folder->window[i], err) < 0)
			return err->code;
	}
	for (size_t i = folder->n_window; i-- > 0;) {
		if (actions[i] == SCAN_FILE && push_file(w, &folder->window[i], err) < 0)
			return err->code;
	}
	return group_push(w->mover, folder, ret_own, err);
}

static int
scan_window(struct mover_worker *w, struct folder *folder, int fd, struct group_range *ret_own,
	    struct error *err)
{
	size_t left = folder->n_refs - folder->taken;
	size_t n = folder->held ? left : MIN(left, (size_t)FOLDER_WINDOW);
	CLEAN(free_ptr) struct stat *stats = calloc(MAX(n, (size_t)1), sizeof(*stats));
	CLEAN(free_ptr) uint8_t *actions = calloc(MAX(n, (size_t)1), 1);
	uint64_t now_ns = through_now(w->mover);

	folder->window = calloc(MAX(n, (size_t)1), sizeof(*folder->window));
	if (folder->window == NULL || stats == NULL || actions == NULL)
		return error_no_memory(err);
	folder->n_window = n;
	if (folder->cursor != NULL)
		tree_cursor_use(folder->cursor, w->reader);
	if (fill(w, folder, err) < 0 || look(w, folder, fd, stats, err) < 0 ||
	    compare(w, folder, fd, stats, now_ns, actions, err) < 0)
		return err->code;
	folder->taken += n;
	if (folder->taken == folder->n_refs) {
		tree_cursor_close(folder->cursor);
		folder->cursor = NULL;
		worker_scanned(w->mover);
	}
	return hand_out(w, folder, actions, ret_own, err);
}

/* fd is pinned for us. */
static int
go_on(struct mover_worker *w, struct folder *folder, int fd, struct error *err)
{
	struct group_range own = {0};
	uint64_t start = clock_boot_ns();
	int r = scan_window(w, folder, fd, &own, err);

	atomic_fetch_add_explicit(&w->mover->progress->scan_ns, clock_boot_ns() - start,
				  memory_order_relaxed);
	if (r == OK)
		r = group_read(w, folder, fd, &own, err);
	/* After the release the folder may be gone. */
	folder_unpin(&w->mover->fds, folder);
	return r < 0 ? r : folder_release(w, folder, 1 + own.done, err);
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static int
run_next(struct job *job, void *worker, struct error *err)
{
	struct folder *folder = CONTAINER_OF(job, struct folder, job);
	struct mover_worker *w = worker;
	int fd;

	if (!folder_pin(&w->mover->fds, folder, &fd)) {
		/* Moved or removed meanwhile: what was not looked at yet is lost. */
		worker_warn(w, folder->entry, ERR_NOT_FOUND, true,
			    "vanished while it was backed up; part of it is missing");
		folder->n_refs = folder->taken;
		worker_scanned(w->mover);
		atomic_store(&folder->pending, 1);
		return folder_release(w, folder, 1, err);
	}
	return go_on(w, folder, fd, err);
}

static void
drop_next(struct job *job)
{
	(void)job; /* the folder is freed with all others */
}

static int
start_folder(struct mover_worker *w, struct entry *e, struct error *err)
{
	static const struct blob_id none;
	struct blob_id past = e->node.tree;
	struct folder *folder;
	bool elsewhere = false;
	int fd = -1, r;

	e->node.tree = none;
	r = open_folder(w, e, &fd, &elsewhere, err);
	if (r <= 0) {
		worker_scanned(w->mover);
		return r < 0 ? r : folder_release(w, e->folder, 1, err);
	}
	if (folder_new(&w->mover->fds, e, fd, &folder, err) < 0)
		return err->code;
	folder->job = (struct job){.run = run_next, .drop = drop_next};
	folder->elsewhere = elsewhere;
	if (graft_holds(w, e, &folder->held, err) < 0 ||
	    through_crosses(w, e, &folder->crosses, err) < 0)
		return err->code;
	if (folder->held)
		e->held = folder;
	if (!stop_here(w, e, fd) && scan_names(w, folder, fd, err) < 0)
		return err->code;
	if (!blob_id_equal(&past, &none) && folder->n_refs > 0 &&
	    tree_cursor_open(w->reader, &past, &folder->cursor, err) < 0 &&
	    !worker_past_damaged(w, e, err))
		return err->code;
	atomic_fetch_add_explicit(&w->mover->progress->dirs, 1, memory_order_relaxed);
	return go_on(w, folder, fd, err);
}

static int
run_start(struct job *job, void *worker, struct error *err)
{
	struct entry *e = CONTAINER_OF(job, struct scan_job, job)->entry;

	free(CONTAINER_OF(job, struct scan_job, job));
	return start_folder(worker, e, err);
}

static void
drop_start(struct job *job)
{
	free(CONTAINER_OF(job, struct scan_job, job));
}

int
scan_push(struct mover *m, struct entry *e, struct error *err)
{
	struct scan_job *s = malloc(sizeof(*s));

	if (s == NULL)
		return error_no_memory(err);
	*s = (struct scan_job){.job = {.run = run_start, .drop = drop_start}, .entry = e};
	if (atomic_fetch_add(&m->unscanned, 1) == 0)
		atomic_store(&m->progress->total_known, false);
	jobs_push(m->jobs, &s->job);
	return OK;
}
