/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Placing entries. In a folder we made nothing can be in the way, and creating exclusively says so if
 * something is. In a folder that was there before every name is looked at first, through a
 * descriptor of the entry itself.
 */
#include "mover/restore_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "mover/attributes.h"
#include "mover/beneath.h"
#include "mover/restore_file.h"
#include "mover/restore_plan.h"

/* Folders with more than this do not keep it until they are complete: the way down may be long. */
enum { XATTRS_KEPT_MAX = 2 << 10 };

/* An entry on its way to its place. */
struct place {
	struct restore_planner *planner;
	struct restore_run *run;
	struct restore_item *parent;
	int parent_fd; /* pinned */
	const struct node *node;
	char name[BENEATH_NAME_MAX + 1];
	bool existing; /* what is there can stay */
	struct stat st; /* of it */
};

static int
place_begin(struct place *p, struct restore_planner *planner, struct restore_item *parent,
	    const struct node *node, struct error *err)
{
	*p = (struct place){
		.planner = planner,
		.run = planner->run,
		.parent = parent,
		.node = node,
	};
	if (!beneath_name_valid(node->name))
		return error_set(err, ERR_CORRUPT, "an entry with an impossible name");
	memcpy(p->name, node->name.p, node->name.n);
	return restore_fds_pin(&p->run->fds, parent, &p->parent_fd, err);
}

static void
place_end(struct place *p)
{
	restore_fds_unpin(&p->run->fds, p->parent);
}

/* Stop the restore or just report; 0 is "reported". */
static int
judge(const struct place *p, const struct error *why, struct error *err)
{
	int rc = restore_run_judge(p->run, p->parent, p->node->name, why);

	if (rc < 0)
		*err = *why;
	return rc;
}

/* Remove what is in the place of the entry. Only a restore that makes the target equal takes away a
 * folder with all that is in it. */
static int
clear_way(struct place *p, const struct stat *st, struct error *err)
{
	uint64_t removed = 0;

	if (S_ISDIR(st->st_mode) && p->run->options->mode != RESTORE_DELTA) {
		if (unlinkat(p->parent_fd, p->name, AT_REMOVEDIR) == 0)
			return OK;
		if (errno == ENOTEMPTY || errno == EEXIST)
			return error_set(err, ERR_EXISTS, "a folder with content is in its place");
		return error_sys(err, ERR_IO, "remove the folder in its place");
	}
	int rc = beneath_remove(p->parent_fd, p->name, &removed, err);
	if (rc < 0)
		return error_prefix(err, "remove what is in its place");
	return OK;
}

static bool
same_target(int fd, struct slice target)
{
	char text[NODE_TARGET_MAX + 1];
	ssize_t n = readlinkat(fd, "", text, sizeof(text));

	return n >= 0 && (size_t)n == target.n && memcmp(text, target.p, target.n) == 0;
}

static dev_t
device_of(const struct node *node)
{
	return makedev((unsigned)(node->rdev >> 32), (unsigned)(node->rdev & UINT32_MAX));
}

/* Can what is there stay, and be made right in place? Never if it has other names: they may lie
 * anywhere, and would change with it. */
static bool
can_stay(const struct place *p, int fd, const struct stat *st)
{
	const struct node *node = p->node;

	if (st->st_nlink != 1)
		return false;
	switch (node->type) {
	case NODE_FILE:
		return S_ISREG(st->st_mode) && p->run->options->mode == RESTORE_DELTA;
	case NODE_SYMLINK:
		return S_ISLNK(st->st_mode) && same_target(fd, node->target);
	case NODE_FIFO:
		return S_ISFIFO(st->st_mode);
	case NODE_CHAR:
		return S_ISCHR(st->st_mode) && st->st_rdev == device_of(node);
	case NODE_BLOCK:
		return S_ISBLK(st->st_mode) && st->st_rdev == device_of(node);
	default:
		return false;
	}
}

/* Look at what has the name now; afterwards it is either gone or p->existing. */
static int
look(struct place *p, struct error *err)
{
	CLEAN(fd_close) int fd = -1;

	if (p->parent->fresh)
		return OK;
	int rc = beneath_look(p->parent_fd, p->name, &fd, &p->st, err);
	if (rc <= 0)
		return rc;
	p->existing = can_stay(p, fd, &p->st);
	return p->existing ? OK : clear_way(p, &p->st, err);
}

/* ---- folders ---- */

static int
open_or_make_dir(struct place *p, int *ret_fd, bool *ret_made, struct error *err)
{
	CLEAN(fd_close) int in_the_way = -1;
	struct stat st;
	int rc = 0;

	if (!p->parent->fresh)
		rc = beneath_open_dir(p->parent_fd, p->name, ret_fd, &p->st, err);
	if (rc != 0) {
		*ret_made = false;
		return rc < 0 ? rc : OK;
	}
	if (!p->parent->fresh) {
		rc = beneath_look(p->parent_fd, p->name, &in_the_way, &st, err);
		if (rc > 0)
			rc = clear_way(p, &st, err);
		if (rc < 0)
			return rc;
	}
	*ret_made = true;
	return beneath_make_dir(p->parent_fd, p->name, ret_fd, &p->st, err);
}

/* Long lists of attributes are set now and not kept; an ACL opens nothing before its time, as the
 * mode that follows takes its rights away until the folder is complete. */
static void
apply_xattrs_early(struct place *p, struct restore_item *dir, int fd)
{
	struct error err = ERROR_INIT;
	struct node node;

	restore_item_node(dir, &node);
	node.mode = S_IRWXU;
	if (attributes_apply(fd, ATTRIBUTES_OPENED, &node, ATTRIBUTES_XATTRS | ATTRIBUTES_MODE,
			     &err) < 0)
		restore_run_warn(p->run, dir, SLICE(NULL, 0), &err);
	dir->xattrs_done = true;
	restore_item_free_xattrs(dir);
}

static int
place_dir(struct place *p, struct restore_item **ret_dir, struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	struct restore_item *dir;
	bool made = false;

	int rc = open_or_make_dir(p, &fd, &made, err);
	if (rc < 0)
		return rc;
	rc = restore_item_new(p->parent, p->node, &dir, err);
	if (rc < 0)
		return rc;
	dir->dev = p->st.st_dev;
	dir->ino = p->st.st_ino;
	dir->fresh = made;
	atomic_store(&dir->present, true);
	if (dir->dev != p->parent->dev)
		restore_run_note_file_system(p->run, fd, dir->dev);
	if (dir->xattrs.n > XATTRS_KEPT_MAX)
		apply_xattrs_early(p, dir, fd);
	restore_fds_attach(&p->run->fds, dir, STEAL_FD(fd));
	restore_fds_unpin(&p->run->fds, dir);
	*ret_dir = dir;
	return OK;
}

int
restore_place_dir(struct restore_planner *planner, struct restore_item *parent,
		  const struct node *node, struct restore_item **ret_dir, struct error *err)
{
	struct error why = ERROR_INIT;
	struct place p;

	int rc = place_begin(&p, planner, parent, node, &why);
	if (rc == OK) {
		rc = place_dir(&p, ret_dir, &why);
		place_end(&p);
	}
	if (rc < 0) {
		(void)error_prefix(&why, "this folder and all in it is missing");
		return judge(&p, &why, err);
	}
	atomic_fetch_add(&p.run->dirs, 1);
	atomic_fetch_add(&p.run->options->progress->dirs, 1);
	return 1;
}

/* ---- links and special files ---- */

static int
make_special(const struct place *p, struct error *err)
{
	const struct node *node = p->node;
	char target[NODE_TARGET_MAX + 1];
	int rc;

	switch (node->type) {
	case NODE_SYMLINK:
		if (node->target.n == 0 || node->target.n > NODE_TARGET_MAX ||
		    memchr(node->target.p, '\0', node->target.n) != NULL)
			return error_set(err, ERR_CORRUPT, "a symbolic link without a target");
		memcpy(target, node->target.p, node->target.n);
		target[node->target.n] = '\0';
		rc = symlinkat(target, p->parent_fd, p->name);
		break;
	case NODE_FIFO:
		rc = mknodat(p->parent_fd, p->name, S_IFIFO | 0600, 0);
		break;
	case NODE_CHAR:
	case NODE_BLOCK:
		if (!p->run->privileged)
			return error_set(err, ERR_PERMISSION,
					 "a device, which only root can create");
		rc = mknodat(p->parent_fd, p->name,
			     (node->type == NODE_CHAR ? S_IFCHR : S_IFBLK) | 0600, device_of(node));
		break;
	default:
		return error_set(err, ERR_CORRUPT, "an entry of unknown type");
	}
	return rc < 0 ? error_sys(err, ERR_IO, "create") : OK;
}

/* A link, FIFO or device: there are no later steps, so all of it happens here. */
static int
place_special(struct place *p, struct restore_item *item, struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	struct node is;
	struct stat st;

	int rc = p->existing ? OK : make_special(p, err);
	if (rc < 0)
		return rc;
	fd = beneath_open(p->parent_fd, p->name, O_PATH, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, ERR_IO, "open what was created");
	/* A file with other names did not come from us: somebody put it there. */
	if (!attributes_stat(&st, &is) || is.type != p->node->type || st.st_nlink != 1)
		return error_set(err, ERR_IO, "somebody else replaced it meanwhile");
	item->dev = st.st_dev;
	item->ino = st.st_ino;
	atomic_store(&item->present, true);
	atomic_fetch_add(&p->run->others, 1);
	rc = attributes_apply(fd, ATTRIBUTES_OPATH, p->node, p->run->set, err);
	return rc < 0 ? restore_run_judge(p->run, p->parent, p->node->name, err) : OK;
}

/* ---- hard links ---- */

/* Give `first` another name. 1 done; 0 it cannot be had, *err says why; < 0 never. */
static int
try_link(struct place *p, struct restore_item *first, struct error *err)
{
	int first_fd = -1;
	struct stat st;

	if (p->existing || !p->parent->fresh) {
		CLEAN(fd_close) int fd = -1;
		int rc = beneath_look(p->parent_fd, p->name, &fd, &st, err);
		if (rc > 0 && st.st_dev == first->dev && st.st_ino == first->ino)
			return 1;
		if (rc > 0)
			rc = clear_way(p, &st, err);
		if (rc < 0)
			return 0;
	}
	int rc = restore_fds_pin(&p->run->fds, first->parent, &first_fd, err);
	if (rc < 0)
		return 0;
	rc = linkat(first_fd, first->name, p->parent_fd, p->name, 0);
	if (rc < 0)
		(void)error_sys(err, ERR_IO, "link to the other name of this file");
	restore_fds_unpin(&p->run->fds, first->parent);
	if (rc < 0)
		return 0;
	if (fstatat(p->parent_fd, p->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_dev == first->dev && st.st_ino == first->ino)
		return 1;
	(void)unlinkat(p->parent_fd, p->name, 0);
	(void)error_set(err, ERR_IO, "somebody else replaced the other name of this file");
	return 0;
}

/* 1: the entry is another name of a file restored before. 0: it is to be restored by itself. */
static int
place_link(struct place *p)
{
	struct restore_planner *planner = p->planner;
	struct progress *progress = p->run->options->progress;
	struct error why = ERROR_INIT;
	bool differs = false;

	if (p->node->nlink <= 1)
		return 0;
	struct restore_item *first = restore_links_find(planner->links, p->node, &differs);
	if (differs) {
		(void)error_set(&why, ERR_BUSY,
				"it changed while it was backed up: restored as a file of its own");
		restore_run_note(p->run, p->parent, p->node->name, &why);
	}
	if (first == NULL)
		return 0;
	if (atomic_load(&first->failed) || try_link(p, first, &why) == 0) {
		/* If the first was not restored either, that is the loss, and reported. */
		if (!atomic_load(&first->failed))
			restore_run_warn(p->run, p->parent, p->node->name, &why);
		restore_links_drop(planner->links, p->node);
		return 0;
	}
	restore_links_used(planner->links, p->node);
	atomic_fetch_add(p->node->type == NODE_FILE ? &p->run->files : &p->run->others, 1);
	if (p->node->type == NODE_FILE) {
		atomic_fetch_add(&progress->files_done, 1);
		atomic_fetch_add(&progress->bytes_done, p->node->size);
		atomic_fetch_add(&p->run->bytes, p->node->size);
	}
	return 1;
}

static void
remember_link(const struct place *p, struct restore_item *item)
{
	struct error why = ERROR_INIT;

	if (p->node->nlink > 1 && restore_links_add(p->planner->links, p->node, item, &why) < 0)
		restore_run_warn(p->run, p->parent, p->node->name, &why);
}

/* ---- files ---- */

/* The workers do the rest; a file with several names must be there before the next name comes. */
static int
place_file(struct place *p, struct restore_item *item, struct error *err)
{
	struct error why = ERROR_INIT;
	int fd = -1;

	if (p->existing) {
		item->existing = true;
		item->dev = p->st.st_dev;
		item->ino = p->st.st_ino;
	}
	if (p->node->nlink > 1) {
		if (restore_file_pin(p->run, item, &fd, &why) < 0) {
			restore_file_fail(p->run, item, &why);
			return OK;
		}
		restore_file_unpin(p->run, item);
		remember_link(p, item);
	}
	return restore_plan_content(p->planner, item, p->node->content, err);
}

/* With the parent pinned: everything but folders. */
static int
place_entry(struct place *p, struct error *err)
{
	struct error why = ERROR_INIT;
	struct restore_item *item;

	if (place_link(p) > 0)
		return OK;
	if (look(p, &why) < 0)
		return judge(p, &why, err);
	int rc = restore_item_new(p->parent, p->node, &item, err);
	if (rc < 0)
		return rc;
	if (p->node->type == NODE_FILE) {
		rc = place_file(p, item, err);
	} else if (place_special(p, item, &why) < 0) {
		rc = judge(p, &why, err);
	} else {
		remember_link(p, item);
	}
	restore_file_release(p->run, item);
	return rc;
}

int
restore_place_entry(struct restore_planner *planner, struct restore_item *parent,
		    const struct node *node, struct error *err)
{
	struct progress *progress = planner->run->options->progress;
	struct error why = ERROR_INIT;
	struct place p;

	if (node->type == NODE_FILE && !atomic_load(&progress->total_known)) {
		atomic_fetch_add(&progress->files_total, 1);
		atomic_fetch_add(&progress->bytes_total, node->size);
	}
	if (place_begin(&p, planner, parent, node, &why) < 0)
		return judge(&p, &why, err);
	int rc = place_entry(&p, err);
	place_end(&p);
	return rc;
}
