/* SPDX-License-Identifier: Apache-2.0 */

/* Making grafts and starting them. */
#include "mover/graft.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "mover/attributes.h"
#include "mover/scan.h"
#include "mover/slice.h"
#include "mover/source.h"
#include "mover/through.h"

static bool
is_blob(const struct blob_id *id)
{
	return !blob_id_is_hole(id);
}

int
graft_new(struct mover *m, const char *at, const char *source, struct graft **ret,
	  struct error *err)
{
	struct graft *g = calloc(1, sizeof(*g));
	const char *slash;

	if (g == NULL)
		return error_no_memory(err);
	g->at = strdup(at);
	g->source = source != NULL ? strdup(source) : NULL;
	if (g->at == NULL || (source != NULL && g->source == NULL)) {
		free(g->at);
		free(g->source);
		free(g);
		return error_no_memory(err);
	}
	slash = strrchr(g->at, '/');
	const char *name = slash != NULL ? slash + 1 : g->at;
	g->entry.node.name = SLICE(name, strlen(name));
	*m->grafts_end = g;
	m->grafts_end = &g->next;
	*ret = g;
	return OK;
}

void
graft_drop_all(struct mover *m)
{
	while (m->grafts != NULL) {
		struct graft *gone = m->grafts;

		m->grafts = gone->next;
		folder_entry_done(&gone->entry);
		free(gone->at);
		free(gone->source);
		free(gone->real);
		free(gone->read);
		free(gone);
	}
	m->grafts_end = &m->grafts;
}

/* What the previous restore point has at the graft's place: 1 found. */
static int
find_past(struct mover *m, struct graft *g, struct buf *hold, struct node *ret, struct error *err)
{
	int found;

	if (!is_blob(&m->previous))
		return 0;
	if (g->at[0] == '\0') { /* the top has no node of its own */
		*ret = (struct node){.type = NODE_DIR, .tree = m->previous};
		return 1;
	}
	found = tree_find(m->workers[0].reader, &m->previous, g->at, hold, ret, err);
	if (found < 0)
		return worker_past_damaged(&m->workers[0], &g->entry, err) ? 0 : err->code;
	return found;
}

int
graft_start(struct mover *m, struct graft *g, struct error *err)
{
	CLEAN(buf_done) struct buf hold = BUF_INIT(1 << 20);
	struct mover_worker *w = &m->workers[0];
	uint64_t now_ns = through_now(m);
	enum scan_action action;
	struct node past;
	struct stat st;
	int found;

	if (through_graft(m, g, err) < 0)
		return err->code;
	if (fstatat(AT_FDCWD, through_source(g), &st, g->asked ? AT_SYMLINK_NOFOLLOW : 0) < 0)
		return worker_lost(w, &g->entry, errno, "open", err);
	if (g->component != NULL && component_is_paged(g->component, g->at))
		g->entry.flags |= ENTRY_PAGED;
	found = find_past(m, g, &hold, &past, err);
	if (found < 0)
		return err->code;
	if (scan_entry(w, AT_FDCWD, &g->entry, &st, now_ns, found ? &past : NULL, &action, err) < 0)
		return err->code;
	if (action == SCAN_FOLDER)
		return scan_push(m, &g->entry, err);
	return action == SCAN_DONE ? OK : slice_push(m, &g->entry, err);
}

/* Folders between the top and what was asked for are on this host, too; those in a component may not
 * be anywhere: they belong to whom the top belongs to. */
static int
folder_attributes(struct mover *m, struct graft *g, struct error *err)
{
	const struct node *top = &m->grafts->entry.node;
	struct mover_worker *w = &m->workers[0];
	struct node *node = &g->entry.node;
	CLEAN(fd_close) int fd = -1;
	struct stat st;

	if (g->source != NULL) {
		fd = open(g->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && fstat(fd, &st) == 0 && attributes_stat(&st, node))
			return source_xattrs(w, &g->entry, fd, true, err);
	}
	node->type = NODE_DIR;
	node->mode = 0700;
	node->uid = top->uid;
	node->gid = top->gid;
	node->mtime_ns = top->mtime_ns;
	node->nlink = 1;
	return OK;
}

int
graft_make_folder(struct mover *m, struct graft *g, struct error *err)
{
	struct folder *folder;

	if (folder_attributes(m, g, err) < 0 ||
	    folder_new(&m->fds, &g->entry, -1, &folder, err) < 0)
		return err->code;
	folder->held = true;
	g->entry.held = folder;
	return OK;
}

int
graft_make_file(struct mover *m, struct graft *g, struct slice data, uint16_t mode,
		struct error *err)
{
	const struct node *top = &m->grafts->entry.node;
	CLEAN(buf_done) struct buf content = BUF_INIT(NODE_CONTENT_MAX);
	struct map_chunk chunk = {.length = data.n};
	struct map_segment segment = {.length = data.n, .n_chunks = 1, .chunks = &chunk};
	struct progress *p = m->progress;

	if (data.n > BLOB_MAX)
		return error_set(err, ERR_LIMIT, "the file '%s' made by the writer is too large",
				 g->at);
	g->entry.node = (struct node){
		.name = g->entry.node.name,
		.type = NODE_FILE,
		.mode = mode,
		.uid = top->uid,
		.gid = top->gid,
		.mtime_ns = (int64_t)clock_wall_ns(),
		.nlink = 1,
		.size = data.n,
	};
	if (data.n > 0 &&
	    (repo_sink_put(m->workers[0].sink, BLOB_DATA, data, &chunk.id, NULL, err) < 0 ||
	     map_encode_inline(&segment, &content, err) < 0))
		return err->code;
	atomic_fetch_add(&p->files_total, 1);
	atomic_fetch_add(&p->files_done, 1);
	atomic_fetch_add(&p->files_new, 1);
	return folder_entry_copy(&g->entry.node.content, buf_slice(&content), err);
}
