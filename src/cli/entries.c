/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Listing folders. Lines are printed as they come, so that a folder of a million files needs no
 * memory; columns therefore have fixed widths.
 */
#include "cli/entries.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/out.h"
#include "cli/printable.h"
#include "cli/units.h"

enum { ENTRIES_PATH_MAX = 1 << 20, ENTRIES_DEPTH_MAX = 4096 };

struct listing {
	const struct cli *cli;
	struct repo_reader *reader;
	bool recursive;
	struct buf path; /* of the folder being listed */
	unsigned depth;
};

static char *
mode_text(const struct node *n, char text[11])
{
	static const char types[] = {
		[NODE_FILE] = '-', [NODE_DIR] = 'd',  [NODE_SYMLINK] = 'l',
		[NODE_FIFO] = 'p', [NODE_CHAR] = 'c', [NODE_BLOCK] = 'b',
	};
	static const char bits[] = "rwxrwxrwx";

	text[0] = types[n->type];
	for (int i = 0; i < 9; i++)
		text[1 + i] = (n->mode & 0400u >> i) != 0 ? bits[i] : '-';
	if ((n->mode & 04000) != 0)
		text[3] = text[3] == 'x' ? 's' : 'S';
	if ((n->mode & 02000) != 0)
		text[6] = text[6] == 'x' ? 's' : 'S';
	if ((n->mode & 01000) != 0)
		text[9] = text[9] == 'x' ? 't' : 'T';
	text[10] = '\0';
	return text;
}

static void
put_json(const struct node *n, struct slice path)
{
	static const char *const types[] = {
		[NODE_FILE] = "file", [NODE_DIR] = "dir",   [NODE_SYMLINK] = "symlink",
		[NODE_FIFO] = "fifo", [NODE_CHAR] = "char", [NODE_BLOCK] = "block",
	};
	json_t *j = json_pack("{s:s, s:o, s:s, s:i, s:I, s:I, s:I, s:I, s:I}", "type", "entry",
			      "path", json_bytes(path.p, path.n), "kind", types[n->type], "mode",
			      (int)n->mode, "uid", (json_int_t)n->uid, "gid", (json_int_t)n->gid,
			      "size", (json_int_t)n->size, "mtime_ns", (json_int_t)n->mtime_ns,
			      "nlink", (json_int_t)n->nlink);

	if (j != NULL && n->type == NODE_SYMLINK)
		(void)json_object_set_new(j, "target", json_bytes(n->target.p, n->target.n));
	if (j != NULL && (n->type == NODE_CHAR || n->type == NODE_BLOCK)) {
		(void)json_object_set_new(j, "major", json_integer((json_int_t)(n->rdev >> 32)));
		(void)json_object_set_new(j, "minor",
					  json_integer((json_int_t)(n->rdev & UINT32_MAX)));
	}
	if (j != NULL && (n->flags & NODE_CHANGED_WHILE_READ) != 0)
		(void)json_object_set_new(j, "changed_while_read", json_true());
	if (j != NULL && (n->flags & NODE_DAMAGED_PAGES) != 0)
		(void)json_object_set_new(j, "damaged_pages", json_true());
	out_json(j);
}

static int
put_entry(const struct cli *cli, const struct node *n, struct slice path, struct error *err)
{
	CLEAN(buf_done) struct buf line = BUF_INIT(2 * ENTRIES_PATH_MAX);
	uint64_t mtime = n->mtime_ns > 0 ? (uint64_t)n->mtime_ns : 0;
	char mode[11], time[UNITS_MAX], size[UNITS_MAX];

	if (cli->json) {
		put_json(n, path);
		return OK;
	}
	if (n->type == NODE_CHAR || n->type == NODE_BLOCK)
		(void)snprintf(size, sizeof(size), "%" PRIu64 ",%" PRIu64, n->rdev >> 32,
			       n->rdev & UINT32_MAX);
	else
		(void)snprintf(size, sizeof(size), "%" PRIu64, n->size);
	if (buf_printf(&line, err, "%s %6" PRIu32 " %6" PRIu32 " %14s  %s  ", mode_text(n, mode),
		       n->uid, n->gid, size, units_time(mtime, time)) < 0 ||
	    printable_name(&line, path, err) < 0)
		return err->code;
	if (n->type == NODE_SYMLINK &&
	    (buf_printf(&line, err, " -> ") < 0 || printable_name(&line, n->target, err) < 0))
		return err->code;
	if (buf_append(&line, "\n", 1, err) < 0)
		return err->code;
	out_bytes(buf_slice(&line));
	return OK;
}

static int list_folder(struct listing *l, const struct blob_id *tree, struct error *err);

/* One entry, and what is below it. l->path comes back as it was. */
static int
list_entry(struct listing *l, const struct node *n, struct error *err)
{
	size_t before = l->path.n;
	struct slice shown = n->name;
	struct blob_id tree = n->tree;
	bool folder = n->type == NODE_DIR;

	if ((before > 0 && buf_append(&l->path, "/", 1, err) < 0) ||
	    buf_append(&l->path, n->name.p, n->name.n, err) < 0)
		return err->code;
	if (l->recursive || l->cli->json)
		shown = buf_slice(&l->path);
	if (put_entry(l->cli, n, shown, err) < 0)
		return err->code;
	if (l->recursive && folder && list_folder(l, &tree, err) < 0)
		return err->code;
	l->path.n = before;
	return OK;
}

static int
list_folder(struct listing *l, const struct blob_id *tree, struct error *err)
{
	CLEAN(tree_cursor_closep) struct tree_cursor *cursor = NULL;
	struct node n;
	int r = OK;

	if (l->depth >= ENTRIES_DEPTH_MAX)
		return error_set(err, ERR_LIMIT, "folders are nested deeper than %d",
				 ENTRIES_DEPTH_MAX);
	if (tree_cursor_open(l->reader, tree, &cursor, err) < 0)
		return err->code;
	l->depth++;
	/* Nobody reads any more: main reports why. */
	while (!out_failed() && (r = tree_cursor_next(cursor, &n, err)) > 0)
		if (list_entry(l, &n, err) < 0)
			return err->code;
	l->depth--;
	return r;
}

int
entries_show_folder(const struct cli *cli, struct repo_reader *reader, const struct blob_id *tree,
		    const char *path, bool recursive, struct error *err)
{
	struct listing l = {
		.cli = cli,
		.reader = reader,
		.recursive = recursive,
		.path = BUF_INIT(ENTRIES_PATH_MAX),
	};
	int r = buf_append(&l.path, path, strlen(path), err);

	/* Text of one folder shows names alone. */
	if (r == OK && recursive && !cli->json)
		l.path.n = 0;
	if (r == OK)
		r = list_folder(&l, tree, err);
	buf_done(&l.path);
	return r;
}

int
entries_show_node(const struct cli *cli, const struct node *node, const char *path,
		  struct error *err)
{
	return put_entry(cli, node, cli->json ? SLICE(path, strlen(path)) : node->name, err);
}
