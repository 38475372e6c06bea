/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A component, in two steps. The first reads its folders, and last what must be last; the folders near
 * the top stay in memory. The second reads the tail, adds what the writer made, and writes the tree.
 */
#include <string.h>

#include "mover/backup.h"
#include "mover/graft.h"
#include "mover/run.h"
#include "mover/worker.h"

static int
start_path(struct mover *m, const struct component_path *p, const struct component *c,
	   const struct page_inspector *inspector, struct error *err)
{
	struct graft *g;

	if (graft_new(m, p->at, p->source, &g, err) < 0)
		return err->code;
	g->component = c;
	g->inspector = inspector;
	g->expect_size = p->expect_size;
	/* The last log of a standby's backup is still being written to, behind what is needed of it. */
	g->hot = c != NULL || p->expect_size != 0;
	g->live = c == NULL; /* the tail came into being after the moment */
	g->needed = true;
	return OK;
}

/* All grafts first: while the first is walked, the places of the others must be known. */
static int
start_all(struct mover *m, struct graft *g, struct error *err)
{
	for (; g != NULL; g = g->next) {
		if (graft_start(m, g, err) < 0)
			return err->code;
	}
	return OK;
}

/* NULL if nothing is to be checked. */
static int
find_inspector(const struct component *c, const struct page_inspector **ret, struct error *err)
{
	*ret = NULL;
	if (!c->has_pages || !c->pages.checksums || c->pages.format[0] == '\0')
		return OK;
	*ret = page_inspector_find(c->pages.format);
	if (*ret == NULL)
		return error_set(err, ERR_PROTOCOL,
				 "the writer wants the checksums of '%s' pages verified, which is "
				 "not a format known here",
				 c->pages.format);
	return OK;
}

static int
run_deferred(struct mover *m, struct error *err)
{
	if (m->deferred == NULL)
		return OK;
	while (m->deferred != NULL) {
		struct job *job = m->deferred;

		m->deferred = job->next;
		jobs_push(m->jobs, job);
	}
	return run_jobs(m, err);
}

static int
begin(struct mover *m, const struct component *c, struct error *err)
{
	const struct page_inspector *inspector;

	if (c->n_paths == 0 || c->paths[0].at[0] != '\0')
		return error_set(err, ERR_PROTOCOL, "a component without a top folder");
	if (find_inspector(c, &inspector, err) < 0)
		return err->code;
	for (size_t i = 0; i < c->n_paths; i++) {
		if (start_path(m, &c->paths[i], c, inspector, err) < 0)
			return err->code;
	}
	if (start_all(m, m->grafts, err) < 0 || run_jobs(m, err) < 0 || run_deferred(m, err) < 0)
		return err->code;
	if (m->grafts->entry.held == NULL)
		return error_set(err, ERR_PROTOCOL, "the component's top, '%s', is not a folder",
				 c->paths[0].source);
	return OK;
}

int
mover_component_begin(struct mover *m, const struct component *c, const struct blob_id *previous,
		      struct error *err)
{
	if (run_check(m, err) < 0)
		return err->code;
	if (m->component_open)
		return error_set(err, ERR_BAD_STATE, "another component is being backed up");
	m->previous = previous != NULL ? *previous : (struct blob_id){0};
	m->component_open = true;
	m->broken = true; /* until it went well */
	if (begin(m, c, err) < 0)
		return error_prefix(err, "back up component '%s'", c->name);
	m->broken = false;
	return OK;
}

static int
end(struct mover *m, const struct component_tail *tail, struct blob_id *ret_tree, struct error *err)
{
	struct graft **first = m->grafts_end, *g;

	for (size_t i = 0; i < tail->n_paths; i++) {
		if (start_path(m, &tail->paths[i], NULL, NULL, err) < 0)
			return err->code;
	}
	if (start_all(m, *first, err) < 0 || run_jobs(m, err) < 0)
		return err->code;
	for (size_t i = 0; i < tail->n_files; i++) {
		const struct component_file *f = &tail->files[i];

		if (graft_new(m, f->at, NULL, &g, err) < 0 ||
		    graft_make_file(m, g, SLICE(f->data, f->n), f->mode, err) < 0)
			return err->code;
	}
	return graft_write(m, ret_tree, err);
}

int
mover_component_end(struct mover *m, const struct component_tail *tail, struct blob_id *ret_tree,
		    struct error *err)
{
	if (run_check(m, err) < 0)
		return err->code;
	if (!m->component_open)
		return error_set(err, ERR_BAD_STATE, "no component is being backed up");
	m->broken = true; /* until it went well */
	if (end(m, tail, ret_tree, err) < 0)
		return error_prefix(err, "back up the end of the component");
	m->component_open = false;
	m->broken = false;
	return OK;
}
