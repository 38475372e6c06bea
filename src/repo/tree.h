/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Folders in the repository. A folder is a list of nodes sorted by name (bytewise), kept in pages of
 * up to TREE_PAGE_NODES nodes, each page a META blob; a folder of several pages has a list blob above
 * them. The id of a folder is the id of its page or list. Unchanged folders keep their id, and so are
 * shared between restore points.
 */
#ifndef HF_REPO_TREE_H
#define HF_REPO_TREE_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "repo/format.h"
#include "repo/read.h"
#include "repo/write.h"

enum {
	TREE_PAGE_NODES = 2048,
	TREE_PAGE_BYTES = 512 << 10, /* a page is also closed when it reaches this */
	NODE_NAME_MAX = 255,
	NODE_XATTRS_MAX = 256 << 10, /* encoded; more is left out, with a warning */
	NODE_CONTENT_MAX = 4096,
	NODE_TARGET_MAX = 4096,
};

enum node_type {
	NODE_FILE = 1,
	NODE_DIR,
	NODE_SYMLINK,
	NODE_FIFO,
	NODE_CHAR,
	NODE_BLOCK,
};

enum node_flags {
	NODE_CHANGED_WHILE_READ = 1, /* content is what was read, not one moment */
	NODE_PAGED = 2, /* content is kept as pages (regions) */
	NODE_DAMAGED_PAGES = 4, /* a database page failed its checksum when backed up */
};

/*
 * One entry of a folder. Slices point into the page (decoding) or into the caller's memory
 * (encoding).
 */
struct node {
	struct slice name; /* any bytes but '/' and 0; never "." or ".." */
	uint8_t type; /* enum node_type */
	uint8_t flags; /* enum node_flags */
	uint16_t mode; /* the low 12 bits */
	uint32_t uid, gid;
	int64_t mtime_ns, ctime_ns;
	uint64_t dev, ino, nlink; /* of the source: change detection and hard links */
	uint64_t rdev; /* CHAR and BLOCK: major << 32 | minor */
	uint64_t size; /* FILE: bytes of content */
	struct slice xattrs; /* encoded by tree_xattr_add(); ACLs are among them */
	struct slice target; /* SYMLINK */
	struct slice content; /* FILE: encoded file map (repo/map.h); empty if size is 0 */
	struct blob_id tree; /* DIR */
};

/* Append one extended attribute to an encoded list (sorted by name by the caller). */
CHECKED int tree_xattr_add(struct buf *list, struct slice name, struct slice value,
			   struct error *err);
/* Take the next attribute off an encoded list: 1 there was one, 0 end, < 0 damaged. */
CHECKED int tree_xattr_next(struct slice *list, struct slice *ret_name, struct slice *ret_value,
			    struct error *err);

/* Writes one folder. Nodes must be added in bytewise order of names, each once. */
struct tree_builder;
CHECKED int tree_builder_new(struct repo_sink *sink, struct tree_builder **ret, struct error *err);
CHECKED int tree_builder_add(struct tree_builder *b, const struct node *node, struct error *err);
CHECKED int tree_builder_finish(struct tree_builder *b, struct blob_id *ret_id, struct error *err);
/* Go on with another sink: another thread has taken the folder over. */
void tree_builder_use(struct tree_builder *b, struct repo_sink *sink);
void tree_builder_free(struct tree_builder *b);
void tree_builder_freep(struct tree_builder **b);

/* Reads one folder, in order. Holds one page in memory. */
struct tree_cursor;
CHECKED int tree_cursor_open(struct repo_reader *r, const struct blob_id *id,
			     struct tree_cursor **ret, struct error *err);
/* 1 a node (valid until the next call), 0 end, < 0 error. Every node is checked: names, types,
 * limits, order. */
CHECKED int tree_cursor_next(struct tree_cursor *c, struct node *ret, struct error *err);
/* Skip to `name` (never backwards): 1 found, 0 the folder has no such name. For comparing two sorted
 * folders side by side. */
CHECKED int tree_cursor_seek(struct tree_cursor *c, struct slice name, struct node *ret,
			     struct error *err);
/* Go on with another reader of the same repository: another thread has taken the folder over. */
void tree_cursor_use(struct tree_cursor *c, struct repo_reader *r);
void tree_cursor_close(struct tree_cursor *c);
void tree_cursor_closep(struct tree_cursor **c);

/* Parse one page from bytes nobody has vouched for; calls `each` per node. Also the fuzz target. */
typedef int tree_node_fn(void *arg, const struct node *node, struct error *err);
CHECKED int tree_page_parse(struct slice page, tree_node_fn *each, void *arg, struct error *err);

/* Look up a '/'-separated path below a folder. 1 found (*ret's slices live in `hold`, which is reset),
 * 0 not there. An empty path is not a node: 0. */
CHECKED int tree_find(struct repo_reader *r, const struct blob_id *root, const char *path,
		      struct buf *hold, struct node *ret, struct error *err);

/* Blobs a folder itself consists of (list and pages): for prune and verify. */
typedef int tree_blob_fn(void *arg, const struct blob_id *id, struct error *err);
CHECKED int tree_blobs(struct repo_reader *r, const struct blob_id *id, tree_blob_fn *each,
		       void *arg, struct error *err);

#endif
