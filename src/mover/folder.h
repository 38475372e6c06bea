/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A folder while it is backed up: names read once and sorted, then taken in windows of bounded size.
 * When the last entry of a window is done, whichever worker did it writes the nodes, in order of
 * names, and the folder goes on with the next window; after the last window its own node is done,
 * which may complete its parent's window, and so on upwards.
 *
 *	names:   a b c d e f g h | i j k l m n o p | q r s t
 *	          written          the window        later
 *
 * No path is ever opened: each folder is opened below its parent's descriptor. Descriptors are kept
 * for the folders used last (folder_fds); others are opened again on the way down from the root, and
 * must prove to be the same folder.
 *
 * Places that come from elsewhere (grafts: the paths asked for, tablespaces, the tail of a component)
 * are entries of no folder until they are attached; folders they may be attached to are held, which
 * means that they stay in memory until mover_hold_finish() writes them.
 */
#ifndef HF_MOVER_FOLDER_H
#define HF_MOVER_FOLDER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "mover/jobs.h"
#include "mover/pages.h"
#include "repo/tree.h"
#include "writer/component.h"

struct folder;
struct graft;
struct mover_worker;

enum { FOLDER_WINDOW = 2048 };

enum entry_flags {
	ENTRY_WAS_THERE = 1, /* the previous restore point has a node of that name */
	ENTRY_PAGED = 2, /* the writer says that it consists of pages */
	/* So fresh when it was looked at that a later change might carry the same times. Its node gets
	 * the ctime 0, which never compares as unchanged. */
	ENTRY_RACY = 4,
	ENTRY_SAME = 8, /* attributes are as they were: xattrs are taken over */
	ENTRY_LAST = 16, /* to be read after everything else */
};

/* What the previous restore point has for a file that must be read again. */
struct entry_past {
	uint64_t size;
	uint8_t node_flags;
	bool same_file; /* changed in place: same inode and size, other times */
	size_t n;
	uint8_t content[];
};

/* One name in a folder, on its way to becoming a node. */
struct entry {
	struct folder *folder; /* NULL: a graft's */
	/* type 0: left out. name ends in a zero byte. xattrs, target and content are owned (malloc).
	 * tree: of a folder that is not finished, the tree of the previous restore point, or zero. */
	struct node node;
	struct entry_past *past; /* owned; NULL if there is none, or it is of no use */
	struct folder *held; /* this folder, when it is held */
	uint8_t flags; /* enum entry_flags */
	/* To be read with its neighbours. Not among the flags: who reads a group looks at this of all
	 * entries, also of those that others are working on. */
	bool small;
};

/* A tree, or a single file, with a place of its own. */
struct graft {
	struct graft *next;
	char *at; /* relative; "" is the top */
	char *source; /* absolute, live; NULL: made here, not read */
	char *real; /* the same without symbolic links, if it may be read through a snapshot; or NULL */
	char *read; /* if so, where; see through.h */
	struct entry entry;
	const struct component *component; /* filters what is below; NULL: none */
	const struct page_inspector *inspector; /* NULL: pages are not looked at */
	uint64_t dev; /* file system it lies on */
	uint64_t expect_size; /* 0: any */
	bool live; /* never read through a snapshot */
	bool asked; /* by a user: exclude patterns apply, a link is the link itself */
	bool hot; /* copied while in use: that files change and vanish is normal */
	bool needed; /* without it the backup fails */
	bool attached; /* it is in its folder */
};

struct folder_name {
	uint64_t ino;
	uint32_t at; /* where in names */
	uint8_t length;
};

struct folder {
	struct job job; /* for going on with the next window */
	struct folder *parent;
	struct entry *entry; /* in the parent, or a graft's */
	struct graft *graft;
	unsigned depth; /* below the graft */
	bool held;
	bool elsewhere; /* not opened below its parent: its descriptor stays open */
	bool crosses; /* below it there are places that are read elsewhere */

	/* Under folder_fds.lock. */
	int fd;
	unsigned pins; /* users of fd: it stays open */
	struct folder *older, *newer; /* among those with an open fd */
	struct folder *previous, *next; /* among all */
	struct folder *down; /* trail of folder_pin() */
	uint64_t dev, ino;

	struct buf names; /* each with its zero */
	struct folder_name *refs; /* sorted */
	size_t n_refs, taken;

	struct entry *window;
	size_t n_window;
	struct entry **extra; /* attached grafts, sorted before they are written; not owned */
	size_t n_extra;
	atomic_size_t pending; /* entries of the window that are not done, and one while scanning */
	struct tree_cursor *cursor; /* the previous folder, at the window */
	struct tree_builder *builder;
};

/* All folders in memory, and which of them have a descriptor. */
struct folder_fds {
	pthread_mutex_t lock;
	struct folder *all;
	struct folder *oldest, *newest;
	unsigned n_open, max_open;
};

void folder_fds_init(struct folder_fds *f);
void folder_fds_done(struct folder_fds *f); /* frees all folders */

/* A folder for `entry`, which is a NODE_DIR; fd (may be -1) is taken over in any case, and is pinned. */
CHECKED int folder_new(struct folder_fds *f, struct entry *entry, int fd, struct folder **ret,
		       struct error *err);
void folder_free(struct folder_fds *f, struct folder *folder);

/*
 * Its descriptor, pinned until folder_unpin(). 1: *ret_fd; 0: it is not there any more, or is another
 * one now, errno says why.
 */
CHECKED int folder_pin(struct folder_fds *f, struct folder *folder, int *ret_fd);
void folder_unpin(struct folder_fds *f, struct folder *folder);

/* For folder_new() and folder_free(): in and out of the lists. */
void folder_adopt(struct folder_fds *f, struct folder *folder, int fd);
void folder_abandon(struct folder_fds *f, struct folder *folder);
/* <0, 0, >0: bytewise, as in the repository. */
int folder_name_order(struct slice a, struct slice b);

/* n entries of the window are done. Writes what that completes; see above. */
CHECKED int folder_release(struct mover_worker *w, struct folder *folder, size_t n,
			   struct error *err);
/* Write a held folder's nodes and the folder: no entry is pending. */
CHECKED int folder_write_held(struct mover_worker *w, struct folder *folder, struct blob_id *ret_id,
			      struct error *err);

struct graft *folder_entry_graft(struct entry *e);
/* Replace what an owned slice of a node holds by a copy of `from`. */
CHECKED int folder_entry_copy(struct slice *owned, struct slice from, struct error *err);
void folder_entry_done(struct entry *e);

enum folder_path {
	FOLDER_PATH_SOURCE = 1, /* on the host: absolute, live */
	FOLDER_PATH_REAL, /* the same without symbolic links; only if the graft has it */
	FOLDER_PATH_AT, /* in the tree: relative */
};
/* The path of an entry (zero-terminated) into `path`, which is reset. */
CHECKED int folder_entry_path(struct entry *e, enum folder_path kind, struct buf *path,
			      struct error *err);

#endif
