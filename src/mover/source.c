/* SPDX-License-Identifier: Apache-2.0 */

/*
 * When can a file's times be trusted to tell of its next change? A file system stamps changes with a
 * clock that ticks every few milliseconds. If the last change before we read was in the same tick as
 * we are, the next one may get the very same stamp, and the file would look unchanged for ever. So
 * files that were changed just before they were read are marked, and read again the next time. Some
 * file systems count whole seconds, or two; times without a fraction give them away.
 */
#include "mover/source.h"

#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "mover/attributes.h"
#include "mover/through.h"

#define RACY_NS (100 * NS_PER_MS)
#define RACY_COARSE_NS (2 * NS_PER_S)

int
source_openat(const struct mover *m, int dirfd, const char *name, uint32_t uid, int flags)
{
	int fd = -1;

	flags |= O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	errno = EPERM;
	if (m->privileged || uid == (uint32_t)m->euid)
		fd = openat(dirfd, name, flags | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = openat(dirfd, name, flags);
	return fd;
}

bool
source_racy(const struct node *node, uint64_t now_ns)
{
	uint64_t margin = node->ctime_ns % (int64_t)NS_PER_S == 0 ? RACY_COARSE_NS : RACY_NS;
	int64_t changed = node->ctime_ns, written = node->mtime_ns;

	/* Anybody can set mtime; in the future it tells nothing of the clock that stamps changes. */
	if (written >= 0 && (uint64_t)written > now_ns + margin)
		written = 0;
	return MAX(changed, written) >= 0 && (uint64_t)MAX(changed, written) + margin > now_ns;
}

int
source_xattrs(struct mover_worker *w, struct entry *e, int fd, bool opath, struct error *err)
{
	CLEAN(buf_done) struct buf list = BUF_INIT(NODE_XATTRS_MAX);
	struct error why = ERROR_INIT;
	int r = attributes_read(fd, opath ? ATTRIBUTES_OPATH : ATTRIBUTES_OPENED, &list, &why);

	if (r < 0 && why.code == ERR_NO_MEMORY)
		return error_no_memory(err);
	if (r <= 0)
		worker_warn(w, e, ERR_SOURCE, true, "extended attributes: %s", why.msg);
	return folder_entry_copy(&e->node.xattrs, buf_slice(&list), err);
}

/* Is it still what was seen when the folder was read? Fills the node anew. */
static int
look_again(struct mover_worker *w, struct entry *e, int fd, struct stat *ret_st, struct error *err)
{
	struct node before = e->node;
	uint64_t now_ns = through_now(w->mover);

	if (fstat(fd, ret_st) < 0)
		return worker_lost(w, e, errno, "fstat", err);
	if (!S_ISREG(ret_st->st_mode)) {
		/* Something else took its name meanwhile; not what was asked for, and not opened
		 * with any care for what it is. */
		e->node.type = 0;
		worker_warn(w, e, ERR_BUSY, true, "became something else while it was backed up");
		return 0;
	}
	through_stat(w->mover, folder_entry_graft(e), fd, ret_st);
	/* Another file of the same name is what that name means now. */
	(void)!attributes_stat(ret_st, &e->node);
	bool other = before.ino != e->node.ino || before.dev != e->node.dev;
	if (other || before.ctime_ns != e->node.ctime_ns)
		e->flags &= (uint8_t)~ENTRY_SAME;
	if (other && e->past != NULL)
		e->past->same_file = false;
	if (source_racy(&e->node, now_ns))
		e->flags |= ENTRY_RACY;
	else
		e->flags &= (uint8_t)~ENTRY_RACY;
	return 1;
}

int
source_open(struct mover_worker *w, int dirfd, struct entry *e, int *ret_fd, struct stat *ret_st,
	    struct error *err)
{
	struct graft *g = folder_entry_graft(e);
	CLEAN(fd_close) int fd = -1;
	int r;

	if (e->folder != NULL)
		fd = source_openat(w->mover, dirfd, (const char *)e->node.name.p, e->node.uid,
				   O_RDONLY);
	else
		fd = source_openat(w->mover, AT_FDCWD, through_source(g), e->node.uid, O_RDONLY);
	if (fd < 0)
		return worker_lost(w, e, errno, "open", err);
	r = look_again(w, e, fd, ret_st, err);
	if (r <= 0)
		return r;
	if (e->folder == NULL && g->expect_size != 0 && e->node.size != g->expect_size)
		return error_set(err, ERR_SOURCE, "'%s' has %llu bytes, not %llu", g->source,
				 (unsigned long long)e->node.size,
				 (unsigned long long)g->expect_size);
	if (!(e->flags & ENTRY_SAME) && source_xattrs(w, e, fd, false, err) < 0)
		return err->code;
	*ret_fd = STEAL_FD(fd);
	return 1;
}

static void
count(struct mover_worker *w, const struct entry *e)
{
	struct progress *p = w->mover->progress;

	atomic_fetch_add_explicit(&p->files_done, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(e->flags & ENTRY_WAS_THERE ? &p->files_changed : &p->files_new, 1,
				  memory_order_relaxed);
}

void
source_left_out(struct mover_worker *w, const struct entry *e)
{
	struct progress *p = w->mover->progress;

	atomic_fetch_add_explicit(&p->files_done, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&p->bytes_total, e->node.size, memory_order_relaxed);
}

/*
 * A file that has to be whole keeps its name for as long as it is read. A log that lost it was let go of by the
 * database, and may be written anew through its next name: size and descriptor do not tell.
 */
static int
check_named(const struct graft *g, const struct stat *read, struct error *err)
{
	struct stat named;

	if (lstat(through_source(g), &named) == 0 && named.st_ino == read->st_ino &&
	    named.st_dev == read->st_dev)
		return OK;
	(void)error_set(err, ERR_SOURCE, "'%s' was taken away while it was read", g->source);
	return error_hint(err, "whatever held it for the backup did not: with PostgreSQL, raise "
			       "max_slot_wal_keep_size; then run the backup again");
}

int
source_finish(struct mover_worker *w, struct entry *e, int fd, uint64_t size, struct error *err)
{
	const struct graft *g = folder_entry_graft(e);
	struct node now = {0};
	struct stat st;
	bool same;

	same = fstat(fd, &st) == 0;
	if (same && e->folder == NULL && g->expect_size != 0 && check_named(g, &st, err) < 0)
		return err->code;
	if (same)
		through_stat(w->mover, g, fd, &st);
	same = same && attributes_stat(&st, &now) && now.size == size && now.size == e->node.size &&
	       now.mtime_ns == e->node.mtime_ns && now.ctime_ns == e->node.ctime_ns;
	if (!same && e->folder == NULL && g->expect_size != 0 && size != g->expect_size)
		return error_set(err, ERR_SOURCE, "'%s' became shorter while it was read",
				 g->source);
	if (!same && !g->hot) {
		e->node.flags |= NODE_CHANGED_WHILE_READ;
		worker_warn(w, e, ERR_BUSY, true,
			    size < e->node.size ? "became shorter while it was read"
						: "changed while it was read");
	}
	/* Of a hot file the next backup sees newer times; but one that was cut must not pass for what
	 * it was. */
	if (size != e->node.size)
		e->node.flags |= NODE_CHANGED_WHILE_READ;
	e->node.size = size;
	if (same && !(e->flags & ENTRY_RACY))
		links_remember(w->mover->links, &e->node);
	count(w, e);
	return OK;
}

int
source_linked(struct mover_worker *w, struct entry *e, struct error *err)
{
	struct slice content;
	uint8_t flags;
	int r;

	if (e->node.nlink < 2)
		return 0;
	r = links_find(w->mover->links, &e->node, &content, &flags, err);
	if (r <= 0)
		return r;
	e->node.content = content;
	e->node.flags = flags;
	atomic_fetch_add_explicit(&w->mover->progress->bytes_done, e->node.size,
				  memory_order_relaxed);
	count(w, e);
	return 1;
}
