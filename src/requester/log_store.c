/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Storing logs: the mover reads them as it reads any component, the whole files from where they are and the
 * rest from the stage. A log that cannot be read fails it; there is no such thing as logs with a hole.
 */
#include "requester/log_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"
#include "mover/backup.h"
#include "requester/warnings.h"
#include "writer/component.h"

enum { WORKERS = 2, MEMORY = 48 << 20 };

struct paths {
	struct component_path *p;
	size_t n;
};

static void
paths_done(struct paths *all)
{
	for (size_t i = 0; i < all->n; i++) {
		free(all->p[i].source);
		free(all->p[i].at);
	}
	free(all->p);
}

static int
add_path(struct paths *all, const char *dir, const char *name, uint64_t size, struct error *err)
{
	char source[LOG_SPOOL_PATH_MAX + LOG_FILE_NAME_MAX];
	struct component_path *p = &all->p[all->n];

	(void)text_printf(source, sizeof(source), "%s%s%s", dir, name[0] != '\0' ? "/" : "", name);
	p->source = strdup(source);
	p->at = strdup(name);
	p->expect_size = size;
	all->n++;
	return p->source != NULL && p->at != NULL ? OK : error_no_memory(err);
}

static int
gather(const struct log_store_order *o, struct paths *all, struct error *err)
{
	all->p = calloc(o->stage->n + 1, sizeof(*all->p));
	if (all->p == NULL)
		return error_no_memory(err);
	if (add_path(all, o->stage->dir, "", 0, err) < 0)
		return err->code;
	for (size_t i = 0; i < o->stage->n; i++)
		if (add_path(all, o->stage->spool, o->stage->whole[i], o->logs->segment_bytes,
			     err) < 0)
			return err->code;
	return OK;
}

struct moving {
	struct repo_index *index;
	struct repo_writer *writer;
	struct mover *mover;
	struct warnings warnings;
};

static void
moving_done(struct moving *m)
{
	mover_free(m->mover);
	repo_writer_close(m->writer);
	repo_index_close(m->index);
	warnings_done(&m->warnings);
}

static int
move(const struct log_store_order *o, struct paths *all, struct log_stored *ret, struct error *err)
{
	CLEAN(moving_done) struct moving m = {0};
	struct component component = {
		.name = (char *)(uintptr_t)LOG_ROOT, .n_paths = all->n, .paths = all->p};
	const struct component_tail nothing = {0};
	struct mover_options options = {
		.workers = WORKERS,
		.memory_limit = MEMORY,
		.warn = warnings_add,
		.warn_arg = &m.warnings,
		.progress = o->progress,
	};

	if (warnings_init(&m.warnings, NULL, NULL, err) < 0 ||
	    repo_index_open(o->repo, &m.index, err) < 0 ||
	    repo_writer_open(o->repo, m.index, &o->write, &m.writer, err) < 0 ||
	    mover_new(o->repo, m.index, m.writer, &options, &m.mover, err) < 0 ||
	    mover_component_begin(m.mover, &component, o->previous, err) < 0 ||
	    mover_component_end(m.mover, &nothing, &ret->tree, err) < 0 ||
	    mover_finish(m.mover, err) < 0 || repo_writer_flush(m.writer, err) < 0)
		return err->code;
	repo_writer_stats(m.writer, &ret->write);
	if (m.warnings.serious > 0) {
		const json_t *first = json_array_get(m.warnings.kept, 0);
		const char *message = json_string_value(json_object_get(first, "message"));

		return error_set(err, ERR_SOURCE, "spooled logs cannot be read: %s",
				 message != NULL ? message : "?");
	}
	return OK;
}

static json_t *
tags_json(const struct log_store_order *o)
{
	CLEAN(json_done) json_t *all = json_array();

	for (size_t i = 0; all != NULL && i < o->n_tags; i++)
		if (json_array_append_new(all, json_bytes(o->tags[i], strlen(o->tags[i]))) < 0)
			return NULL;
	return STEAL_PTR(all);
}

static json_t *
logs_json(const struct log_store_order *o)
{
	CLEAN(json_done) json_t *logs = log_point_json(o->logs);

	if (logs == NULL ||
	    (o->copier != NULL && json_object_set_new(logs, "copier",
						      json_pack("{s:s, s:s}", "id", o->copier,
								"host", o->holder)) < 0) ||
	    (o->names != NULL && o->names->known &&
	     json_object_set_new(logs, "names", log_names_json(o->names)) < 0))
		return NULL;
	return STEAL_PTR(logs);
}

static json_t *
record(const struct log_store_order *o, const struct log_stored *stored)
{
	const char *consistency = point_consistency_name(CONSISTENCY_APPLICATION);
	char host[LOG_HOST_MAX], tree[2 * BLOB_ID_SIZE + 1];
	json_t *logs = logs_json(o), *tags = tags_json(o);
	json_t *stats = json_pack("{s:I, s:I, s:I, s:I}", "files",
				  (json_int_t)atomic_load(&o->progress->files_done), "bytes",
				  (json_int_t)atomic_load(&o->progress->bytes_done), "bytes_new",
				  (json_int_t)stored->write.bytes_new, "bytes_stored",
				  (json_int_t)stored->write.bytes_stored);

	/* What is NULL makes it fail, and is taken over all the same. */
	return json_pack(
		"{s:s, s:s, s:s, s:I, s:I, s:s, s:b, s:I, s:[], s:[], s:o, s:[{s:s, s:s, s:s}], s:o, s:o}",
		"program", "holdfast " HF_VERSION, "host", log_host(o->group, host), "type",
		LOG_TYPE, "start", (json_int_t)o->start_ns, "end", (json_int_t)clock_wall_ns(),
		"consistency", consistency, "incomplete", 0, "warning_count", (json_int_t)0,
		"warnings", "paths", "tags", tags, "roots", "name", LOG_ROOT, "tree",
		hex_encode(stored->tree.b, BLOB_ID_SIZE, tree), "consistency", consistency, "stats",
		stats, "logs", logs);
}

int
log_store(const struct log_store_order *order, struct log_stored *ret, struct error *err)
{
	CLEAN(paths_done) struct paths all = {0};
	CLEAN(json_done) json_t *json = NULL;
	struct log_stored stored = {0};

	if (gather(order, &all, err) < 0 || move(order, &all, &stored, err) < 0)
		return error_prefix(err, "store logs");
	json = record(order, &stored);
	if (json == NULL)
		return error_no_memory(err);
	if (point_write(order->repo, json, &stored.id, err) < 0)
		return err->code;
	/* One that stays is only superfluous; the next start removes it. */
	if (order->replaces != NULL) {
		struct error ignored = ERROR_INIT;

		(void)!point_remove(order->repo, order->replaces, &ignored);
	}
	*ret = stored;
	return OK;
}
