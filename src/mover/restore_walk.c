/* SPDX-License-Identifier: Apache-2.0 */

/* A stack of folders on the heap. The path is only kept while something special may lie below it. */
#include "mover/restore_walk.h"

#include <string.h>

#include "mover/restore_extra.h"
#include "mover/restore_file.h"

/* Cursors kept open: each holds a page of its folder. */
enum { CURSORS_MAX = 16, PATH_MAX_SPECIAL = 1 << 20 };

struct level {
	struct restore_item *dir; /* the planner's hold */
	struct blob_id tree;
	struct tree_cursor *cursor; /* NULL: closed for now; it goes on behind `child` */
	uint8_t child_len;
	uint8_t child[NODE_NAME_MAX]; /* the folder we went down into */
	bool watch; /* something special may lie below; the walk's path is of this level */
	size_t path_len;
};

struct walk {
	struct restore_planner *planner;
	const struct restore_special_paths *special;
	size_t n, cap;
	struct level *levels;
	struct buf path; /* of the deepest watched level */
};

static void
leave(struct walk *w)
{
	struct level *level = &w->levels[--w->n];

	tree_cursor_close(level->cursor);
	/* Roots are their owner's. */
	if (level->dir->parent != NULL)
		restore_file_release(w->planner->run, level->dir);
}

static void
walk_done(struct walk *w)
{
	while (w->n > 0)
		leave(w);
	free(w->levels);
	buf_done(&w->path);
}

/* A folder that cannot be read (any further): reported, or the end. */
static int
judge_dir(struct walk *w, struct restore_item *dir, struct error *why, struct error *err)
{
	(void)error_prefix(why, "entries of this folder are missing");
	int rc = restore_run_judge(w->planner->run, dir, SLICE(NULL, 0), why);
	if (rc < 0)
		*err = *why;
	return rc;
}

/* A restore that makes the target equal first removes what is too much, which may make room. */
static int
remove_extra(struct walk *w, const struct level *level, struct error *err)
{
	struct restore_run *run = w->planner->run;
	struct restore_item *dir = level->dir;
	struct error why = ERROR_INIT;

	if (run->options->mode != RESTORE_DELTA || dir->fresh)
		return OK;
	int rc = restore_extra_remove(run, w->planner->reader, dir, &level->tree,
				      dir->parent == NULL, &why);
	if (rc == OK)
		return OK;
	(void)error_prefix(&why, "look for what the restore point does not have");
	rc = restore_run_judge(run, dir, SLICE(NULL, 0), &why);
	if (rc < 0)
		*err = why;
	return rc;
}

/* Go down. The walk takes over the hold on `dir`, also on failure. */
static int
enter(struct walk *w, struct restore_item *dir, const struct blob_id *tree, bool watch,
      struct error *err)
{
	struct restore_run *run = w->planner->run;
	struct error why = ERROR_INIT;

	if (w->n == w->cap) {
		size_t cap = w->cap > 0 ? w->cap * 2 : 32;
		struct level *levels = realloc(w->levels, cap * sizeof(*levels));
		if (levels == NULL) {
			if (dir->parent != NULL)
				restore_file_release(run, dir);
			return error_no_memory(err);
		}
		w->levels = levels;
		w->cap = cap;
	}
	w->levels[w->n++] = (struct level){
		.dir = dir,
		.tree = *tree,
		.watch = watch,
		.path_len = w->path.n,
	};
	if (w->n > CURSORS_MAX) {
		struct level *above = &w->levels[w->n - 1 - CURSORS_MAX];
		tree_cursor_close(above->cursor);
		above->cursor = NULL;
	}

	struct level *level = &w->levels[w->n - 1];
	int rc = remove_extra(w, level, err);
	if (rc < 0)
		return rc;
	if (tree_cursor_open(w->planner->reader, tree, &level->cursor, &why) == OK)
		return OK;
	rc = judge_dir(w, dir, &why, err);
	leave(w);
	return rc;
}

/* Back in a folder whose cursor had been closed. */
static int
open_again(struct walk *w, struct level *level, struct error *err)
{
	struct node node;

	int rc = tree_cursor_open(w->planner->reader, &level->tree, &level->cursor, err);
	if (rc < 0)
		return rc;
	rc = tree_cursor_seek(level->cursor, SLICE(level->child, level->child_len), &node, err);
	if (rc == 0)
		return error_set(err, ERR_INTERNAL, "a folder changed between two looks at it");
	return rc < 0 ? rc : OK;
}

/* What is special about an entry. */
struct special {
	bool skip;
	bool watch; /* keep looking below it */
	struct restore_item *elsewhere; /* relocated */
};

/* Leaves the entry's path in w->path. */
static int
find_special(struct walk *w, const struct level *level, const struct node *node,
	     struct special *ret, struct error *err)
{
	const struct restore_special_paths *s = w->special;

	*ret = (struct special){.skip = false};
	w->path.n = level->path_len;
	if (!level->watch)
		return OK;
	if (w->path.n > 0) {
		int rc = buf_u8(&w->path, '/', err);
		if (rc < 0)
			return rc;
	}
	int rc = buf_append(&w->path, node->name.p, node->name.n, err);
	if (rc < 0)
		return rc;
	struct slice path = buf_slice(&w->path);
	ret->skip = restore_paths_find(&s->skip, path) != SIZE_MAX;
	ret->watch = restore_paths_below(&s->skip, path) || restore_paths_below(&s->relocate, path);
	size_t i = restore_paths_find(&s->relocate, path);
	if (i != SIZE_MAX)
		ret->elsewhere = s->elsewhere[i];
	return OK;
}

/* The folder's content goes elsewhere, a link to there takes its place. */
static int
relocate(struct walk *w, struct level *level, const struct node *node,
	 const struct special *special, struct error *err)
{
	struct restore_item *root = special->elsewhere;
	struct node link = *node;
	struct blob_id tree = node->tree;

	link.type = NODE_SYMLINK;
	link.mode = 0777;
	link.nlink = 1;
	link.xattrs = SLICE(NULL, 0);
	link.target = SLICE(root->name, root->name_len);
	int rc = restore_item_describe(root, node, err);
	if (rc == OK)
		rc = restore_place_entry(w->planner, level->dir, &link, err);
	return rc < 0 ? rc : enter(w, root, &tree, special->watch, err);
}

static int
walk_dir(struct walk *w, struct level *level, const struct node *node,
	 const struct special *special, struct error *err)
{
	struct blob_id tree = node->tree;
	struct restore_item *dir;

	level->child_len = (uint8_t)node->name.n;
	memcpy(level->child, node->name.p, node->name.n);
	if (special->elsewhere != NULL)
		return relocate(w, level, node, special, err);
	int rc = restore_place_dir(w->planner, level->dir, node, &dir, err);
	return rc <= 0 ? rc : enter(w, dir, &tree, special->watch, err);
}

/* One step: the next entry of the deepest folder, or out of it. */
static int
step(struct walk *w, struct error *err)
{
	struct level *level = &w->levels[w->n - 1];
	struct error why = ERROR_INIT;
	struct special special;
	struct node node;
	int rc = OK;

	if (level->cursor == NULL)
		rc = open_again(w, level, &why);
	if (rc == OK)
		rc = tree_cursor_next(level->cursor, &node, &why);
	if (rc < 0)
		rc = judge_dir(w, level->dir, &why, err);
	if (rc < 0)
		return rc;
	if (rc == 0) {
		leave(w);
		return OK;
	}
	rc = find_special(w, level, &node, &special, err);
	if (rc < 0 || special.skip)
		return rc;
	if (node.type == NODE_DIR)
		return walk_dir(w, level, &node, &special, err);
	return restore_place_entry(w->planner, level->dir, &node, err);
}

int
restore_walk_tree(struct restore_planner *planner, struct restore_item *root,
		  const struct blob_id *tree, const struct restore_special_paths *special,
		  struct error *err)
{
	CLEAN(walk_done)
	struct walk w = {
		.planner = planner,
		.special = special,
		.path = BUF_INIT(PATH_MAX_SPECIAL),
	};

	int rc = enter(&w, root, tree, special->skip.n + special->relocate.n > 0, err);
	while (rc == OK && w.n > 0) {
		if (restore_run_stopped(planner->run))
			return restore_run_result(planner->run, err);
		rc = step(&w, err);
	}
	return rc;
}
