/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Prune. What each step relies on:
 *
 *	1. read the marks; list the points; only then open the index: so that all a listed point needs
 *	   is in it
 *	2. walk all points (repo/reach.h). Any error ends the prune: nothing was changed yet
 *	3. let go of marked packs that are needed again
 *	4. copy the needed blobs of wasteful packs, flush: they are durable and indexed
 *	5. mark what is not needed
 *	6. sweep the marks that are due: first the index without the packs, then the tombstone, then the
 *	   packs, then the old mark. Killed in between, the next prune goes on from the mark
 */
#include "repo/prune.h"

#include <string.h>

#include "base/clock.h"
#include "repo/mark.h"
#include "repo/names.h"
#include "repo/object.h"
#include "repo/prune_internal.h"
#include "repo/reach.h"

#define TOMBSTONE_NS (30 * 24 * 3600 * NS_PER_S)
#define STALE_UPLOAD_S (24 * 3600)

/* ---- what is there -------------------------------------------------------------------------- */

static int
compare_usage(const void *a, const void *b)
{
	return memcmp(a, b, PACK_ID_SIZE);
}

struct pack_usage *
prune_find(struct prune *p, const struct pack_id *id)
{
	return p->n == 0 ? NULL : bsearch(id, p->packs, p->n, sizeof(*p->packs), compare_usage);
}

static int
see_pack(void *arg, const struct store_entry *entry, struct error *err)
{
	struct prune *p = arg;
	struct pack_id id;

	if (!name_parse_pack(entry->name, &id))
		return OK;
	if (p->n == p->cap) {
		size_t cap = p->cap ? 2 * p->cap : 256;
		struct pack_usage *packs = reallocarray(p->packs, cap, sizeof(*packs));

		if (packs == NULL)
			return error_no_memory(err);
		p->packs = packs;
		p->cap = cap;
	}
	p->packs[p->n++] = (struct pack_usage){.id = id, .size = entry->size_bytes};
	return OK;
}

static int
count_record(void *arg, const struct blob_id *id, const struct blob_loc *loc, bool reached,
	     struct error *err)
{
	struct prune *p = arg;
	struct pack_usage *u = prune_find(p, &loc->pack);

	(void)id;
	if (u == NULL) {
		if (reached)
			return error_set(err, ERR_PRUNE_UNSAFE,
					 "a pack that restore points need is "
					 "missing: run 'holdfast verify'");
		return OK;
	}
	u->listed = true;
	u->blob_bytes += loc->length;
	if (reached) {
		u->needed_bytes += loc->length;
		u->needed = true;
	}
	return OK;
}

static int
reach_points(struct prune *p, const struct object_id *ids, size_t n, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		CLEAN(point_freep) struct point *point = NULL;

		if (point_read(p->repo, &ids[i], &point, err) < 0) {
			if (err->code == ERR_NOT_FOUND)
				continue;
			return err->code;
		}
		p->stats->points++;
		for (size_t k = 0; k < point->n_roots; k++)
			if (reach_add_tree(p->reach, &point->roots[k].tree, p->options->cancelled,
					   err) < 0)
				return error_prefix(err, "restore point %.8s", point->id_text);
	}
	return OK;
}

static int
look(struct prune *p, struct error *err)
{
	CLEAN(free_ptr) struct object_id *ids = NULL;
	size_t n;

	if (mark_list_read(p->repo, &p->marks, err) < 0 ||
	    object_list(p->repo, OBJECT_POINT, &ids, &n, err) < 0 ||
	    repo_index_open(p->repo, &p->index, err) < 0 ||
	    mark_hide_packs(p->repo, p->index, err) < 0 ||
	    reach_new(p->repo, p->index, &p->reach, err) < 0 || reach_points(p, ids, n, err) < 0)
		return err->code;
	/* After the walk: a pack that came since is in nobody's way. */
	if (store_list(p->repo->store, NAME_PACKS, see_pack, p, err) < 0)
		return err->code;
	if (p->n > 0)
		qsort(p->packs, p->n, sizeof(*p->packs), compare_usage);
	if (p->stats->points == 0 && p->n > 0 && !p->options->allow_empty) {
		error_set(err, ERR_PRUNE_UNSAFE,
			  "the repository has data, but no restore point at all");
		return error_hint(err, "If the restore points were forgotten on purpose, give "
				       "--allow-empty; if not, find out where points/ went.");
	}
	if (reach_each(p->reach, count_record, p, err) < 0)
		return err->code;
	for (size_t i = 0; i < p->n; i++) {
		struct pack_usage *u = &p->packs[i];

		u->hidden = repo_index_hidden(p->index, &u->id);
		p->stats->packs++;
		p->stats->bytes += u->size;
		if (u->blob_bytes > 0)
			p->stats->needed_bytes += (uint64_t)((double)u->size *
							     (double)u->needed_bytes /
							     (double)u->blob_bytes);
	}
	return OK;
}

/* ---- marks that have to change ---------------------------------------------------------------- */

/* Rewrite a mark without packs that are needed again; the new one first, so that no pack of it is
 * unmarked and unneeded in between (which would only cost a later prune). */
static int
release_needed(struct prune *p, struct mark *m, struct error *err)
{
	struct object_id fresh;
	size_t kept = 0, released = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct pack_usage *u = prune_find(p, &m->packs[i]);

		if (u != NULL && u->needed) {
			u->hidden = false;
			released++;
			continue;
		}
		m->packs[kept++] = m->packs[i];
	}
	m->n = kept;
	p->stats->unmarked += released;
	if (released == 0 || p->options->dry_run)
		return OK;
	if (kept > 0 && mark_write(p->repo, m, &fresh, err) < 0)
		return err->code;
	if (mark_remove(p->repo, &m->id, err) < 0)
		return err->code;
	m->id = fresh;
	return OK;
}

static int
tend_marks(struct prune *p, struct error *err)
{
	for (size_t i = 0; i < p->marks.n; i++) {
		struct mark *m = &p->marks.marks[i];

		if (m->swept_ns == 0) {
			if (release_needed(p, m, err) < 0)
				return err->code;
		} else if (m->swept_ns + TOMBSTONE_NS < p->now && !p->options->dry_run) {
			if (mark_remove(p->repo, &m->id, err) < 0)
				return err->code;
		}
	}
	return OK;
}

/* ---- copying out of wasteful packs ------------------------------------------------------------ */

static bool
is_wasteful(const struct prune *p, const struct pack_usage *u)
{
	return u->needed && !u->hidden && u->needed_bytes * 100 < u->blob_bytes * p->repack_percent;
}

/* What a blob was is not recorded; its length tells well enough how to pack it again. */
static enum blob_class
class_of(const struct blob_loc *loc)
{
	if (loc->class == PACK_CLASS_META)
		return BLOB_META;
	return loc->length == REGION_SIZE ? BLOB_PAGES : BLOB_DATA;
}

static int
copy_blob(void *arg, const struct blob_id *id, const struct blob_loc *loc, bool reached,
	  struct error *err)
{
	struct prune *p = arg;
	struct pack_usage *u = reached ? prune_find(p, &loc->pack) : NULL;
	struct slice frame;
	struct blob_id copied;

	if (u == NULL || !u->repack)
		return OK;
	if (p->options->cancelled != NULL && atomic_load(p->options->cancelled))
		return error_set(err, ERR_CANCELLED, "stopped on request");
	if (repo_reader_frame(p->reader, loc, &frame, err) < 0 ||
	    repo_sink_put(p->sink, class_of(loc), SLICE(frame.p + loc->offset, loc->length),
			  &copied, NULL, err) < 0)
		return err->code;
	if (!blob_id_equal(id, &copied))
		return error_set(err, ERR_CORRUPT, "a blob's content does not match its id");
	return OK;
}

/* Hide the packs, so that their blobs count as new; then put them again. */
static int
repack(struct prune *p, struct error *err)
{
	size_t n = 0, hidden = 0;

	for (size_t i = 0; i < p->n; i++) {
		p->packs[i].repack = is_wasteful(p, &p->packs[i]);
		if (!p->packs[i].repack)
			continue;
		n++;
		p->stats->repacked++;
		p->stats->repacked_bytes += p->packs[i].size;
	}
	if (n == 0 || p->options->dry_run)
		return OK;
	if (repo_writer_open(p->repo, p->index, NULL, &p->writer, err) < 0)
		return err->code;
	struct pack_id *packs = calloc(p->n, sizeof(*packs));
	if (packs == NULL)
		return error_no_memory(err);
	/* Unneeded ones as well: a copy of a blob in a pack that is about to be marked is no reason not to
	 * take this one along. */
	for (size_t i = 0; i < p->n; i++)
		if (p->packs[i].repack || p->packs[i].hidden || !p->packs[i].needed)
			packs[hidden++] = p->packs[i].id;
	repo_index_hide(p->index, packs, hidden);
	if (repo_reader_open(p->repo, p->index, &p->reader, err) < 0 ||
	    repo_sink_open(p->writer, &p->sink, err) < 0 || prune_copy(p, copy_blob, err) < 0)
		return err->code;
	int r = repo_sink_close(STEAL_PTR(p->sink), err);
	if (r < 0 || repo_writer_flush(p->writer, err) < 0)
		return error_prefix(err, "copy needed data out of wasteful packs");
	/* Only now are the old copies superfluous. */
	for (size_t i = 0; i < p->n; i++)
		if (p->packs[i].repack)
			p->packs[i].needed = false;
	return OK;
}

/* ---- marking ----------------------------------------------------------------------------------- */

static int
mark_unneeded(struct prune *p, struct error *err)
{
	struct mark m = {.created_ns = p->now, .sweep_after_ns = p->now + p->options->grace_ns};
	int r = OK;

	m.packs = calloc(MAX(p->n, (size_t)1), sizeof(*m.packs));
	if (m.packs == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < p->n; i++) {
		const struct pack_usage *u = &p->packs[i];

		if (u->needed || u->hidden)
			continue;
		m.packs[m.n++] = u->id;
		p->stats->marked_bytes += u->size;
	}
	p->stats->marked = m.n;
	if (m.n > 0 && !p->options->dry_run)
		r = mark_write(p->repo, &m, &m.id, err);
	if (r == OK && m.n > 0 && !p->options->dry_run && p->options->grace_ns == 0)
		r = prune_sweep(p, &m, err);
	else if (m.n > 0)
		p->stats->next_sweep_ns = m.sweep_after_ns;
	free(m.packs);
	return r;
}

static int
sweep_due(struct prune *p, struct error *err)
{
	for (size_t i = 0; i < p->marks.n; i++) {
		struct mark *m = &p->marks.marks[i];

		if (m->swept_ns != 0 || m->n == 0)
			continue;
		if (m->sweep_after_ns <= p->now) {
			if (!p->options->dry_run && prune_sweep(p, m, err) < 0)
				return err->code;
			if (p->options->dry_run)
				p->stats->removed += m->n;
			continue;
		}
		p->stats->waiting += m->n;
		for (size_t k = 0; k < m->n; k++) {
			const struct pack_usage *u = prune_find(p, &m->packs[k]);

			p->stats->waiting_bytes += u == NULL ? 0 : u->size;
		}
		if (p->stats->next_sweep_ns == 0 || m->sweep_after_ns < p->stats->next_sweep_ns)
			p->stats->next_sweep_ns = m->sweep_after_ns;
	}
	return OK;
}

/* ---- the recipe ---------------------------------------------------------------------------------- */

static int
run(struct prune *p, struct error *err)
{
	if (look(p, err) < 0) {
		if (err->code == ERR_CORRUPT)
			err->code = ERR_PRUNE_UNSAFE;
		error_prefix(err, "nothing was removed");
		return err->code;
	}
	if (tend_marks(p, err) < 0 || repack(p, err) < 0 || sweep_due(p, err) < 0 ||
	    mark_unneeded(p, err) < 0)
		return err->code;
	if (p->options->dry_run)
		return OK;
	return store_tidy(p->repo->store, STALE_UPLOAD_S, err);
}

int
prune_run(struct repo *repo, const struct prune_options *options, struct prune_stats *ret,
	  struct error *err)
{
	struct prune_stats stats = {0};
	struct prune p = {
		.repo = repo, .options = options, .stats = &stats, .now = clock_wall_ns()};
	int r;

	p.repack_percent = options->repack_percent ? MIN(options->repack_percent, 100u) : 50;
	r = run(&p, err);
	repo_sink_abort(p.sink);
	repo_reader_close(p.reader);
	repo_writer_close(p.writer);
	reach_free(p.reach);
	repo_index_close(p.index);
	mark_list_done(&p.marks);
	free(p.packs);
	if (r == OK)
		*ret = stats;
	return r;
}
