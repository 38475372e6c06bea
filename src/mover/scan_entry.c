/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One entry against its node in the previous restore point. A file counts as unchanged when size,
 * times and inode are the same: the kernel sets ctime at every change, nobody can set it back, and
 * times too fresh to tell are not recorded (source_racy()). The device number is not compared: it
 * differs from mount to mount (and for each snapshot), and says nothing that ctime to the nanosecond
 * does not say better.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "mover/attributes.h"
#include "mover/classify.h"
#include "mover/group.h"
#include "mover/scan.h"
#include "mover/source.h"
#include "mover/through.h"

static void
add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static bool
same_attributes(const struct mover *m, const struct node *now, const struct node *past)
{
	return !m->options.force_read && past->type == now->type && past->ctime_ns != 0 &&
	       past->ctime_ns == now->ctime_ns && past->mtime_ns == now->mtime_ns &&
	       past->ino == now->ino;
}

/* Of a file that must be read: what may help to store only what changed. */
static int
keep_past(struct entry *e, const struct node *past, struct error *err)
{
	if (past->content.n == 0 || (e->node.size < CLASSIFY_MIN && !(past->flags & NODE_PAGED)))
		return OK;
	e->past = malloc(sizeof(*e->past) + past->content.n);
	if (e->past == NULL)
		return error_no_memory(err);
	e->past->size = past->size;
	e->past->node_flags = past->flags;
	e->past->same_file = past->ino == e->node.ino && past->size == e->node.size &&
			     past->mtime_ns != e->node.mtime_ns;
	e->past->n = past->content.n;
	memcpy(e->past->content, past->content.p, past->content.n);
	return OK;
}

/* Take over what cannot have changed. *ret_same: nothing at all is to be read. */
static int
compare(struct mover_worker *w, struct entry *e, const struct node *past, bool *ret_same,
	struct error *err)
{
	bool same = same_attributes(w->mover, &e->node, past);

	*ret_same = false;
	e->flags |= ENTRY_WAS_THERE;
	if (same) {
		if (folder_entry_copy(&e->node.xattrs, past->xattrs, err) < 0)
			return err->code;
		e->flags |= ENTRY_SAME;
	}
	if (e->node.type == NODE_DIR) {
		if (past->type == NODE_DIR)
			e->node.tree = past->tree;
		return OK;
	}
	if (e->node.type == NODE_FILE) {
		if (past->type != NODE_FILE)
			return OK;
		/* A file with damaged pages is read again: the damage must be told again. */
		if (!same || past->size != e->node.size ||
		    past->flags & (NODE_CHANGED_WHILE_READ | NODE_DAMAGED_PAGES))
			return keep_past(e, past, err);
		e->node.flags = past->flags;
		*ret_same = true;
		return folder_entry_copy(&e->node.content, past->content, err);
	}
	*ret_same = same;
	return same ? folder_entry_copy(&e->node.target, past->target, err) : OK;
}

static int
read_target(struct mover_worker *w, int fd, struct entry *e, struct error *err)
{
	char target[NODE_TARGET_MAX + 1];
	ssize_t n = readlinkat(fd, "", target, sizeof(target));

	if (n < 0)
		return worker_lost(w, e, errno, "read the link", err);
	if (n == 0 || n > NODE_TARGET_MAX)
		return worker_lost(w, e, ENAMETOOLONG, "read the link", err);
	return folder_entry_copy(&e->node.target, SLICE(target, n), err);
}

/* Symbolic links, FIFOs, devices: through an O_PATH descriptor, which opens nothing. */
static int
read_special(struct mover_worker *w, int dirfd, struct entry *e, struct error *err)
{
	const char *name = e->folder != NULL ? (const char *)e->node.name.p
					     : through_source(folder_entry_graft(e));
	CLEAN(fd_close) int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct node now = e->node;
	struct stat st;

	if (fd < 0)
		return worker_lost(w, e, errno, "open", err);
	if (fstat(fd, &st) < 0 || !attributes_stat(&st, &now) || now.type != e->node.type) {
		e->node.type = 0;
		worker_warn(w, e, ERR_BUSY, true, "became something else while it was backed up");
		return OK;
	}
	e->node = now;
	if (now.type == NODE_SYMLINK && read_target(w, fd, e, err) < 0)
		return err->code;
	return e->node.type == 0 ? OK : source_xattrs(w, e, fd, true, err);
}

static int
count_special(struct mover_worker *w, int dirfd, struct entry *e, bool same, struct error *err)
{
	struct progress *p = w->mover->progress;

	if (!same && read_special(w, dirfd, e, err) < 0)
		return err->code;
	add(&p->files_done, 1);
	if (e->node.type != 0)
		add(same                         ? &p->files_unchanged
		    : e->flags & ENTRY_WAS_THERE ? &p->files_changed
						 : &p->files_new,
		    1);
	return OK;
}

int
scan_entry(struct mover_worker *w, int dirfd, struct entry *e, const struct stat *st,
	   uint64_t now_ns, const struct node *past, enum scan_action *ret, struct error *err)
{
	struct progress *p = w->mover->progress;
	bool same = false;

	*ret = SCAN_DONE;
	if (!attributes_stat(st, &e->node)) /* a socket: nothing in it outlives its process */
		return OK;
	if (source_racy(&e->node, now_ns))
		e->flags |= ENTRY_RACY;
	if (past != NULL && compare(w, e, past, &same, err) < 0)
		return err->code;
	if (e->node.type == NODE_DIR) {
		*ret = SCAN_FOLDER;
		return OK;
	}
	add(&p->files_total, 1);
	if (e->node.type != NODE_FILE)
		return count_special(w, dirfd, e, same, err);
	add(&p->bytes_total, e->node.size);
	if (same) {
		add(&p->files_done, 1);
		add(&p->files_unchanged, 1);
		add(&p->bytes_done, e->node.size);
		return OK;
	}
	*ret = e->node.size < GROUP_FILE_MAX ? SCAN_SMALL : SCAN_FILE;
	return OK;
}
