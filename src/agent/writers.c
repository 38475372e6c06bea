/* SPDX-License-Identifier: Apache-2.0 */

/* Driving several writers through the steps of a backup. Errors name the writer already. */
#include "agent/writers.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"

static bool
name_valid(const char *name)
{
	return name[0] != '\0' && strlen(name) <= 64 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(name);
}

bool
writers_is_installed(const struct writers_setup *setup, const char *name)
{
	char path[4096];

	return setup->dir != NULL && name_valid(name) &&
	       text_printf(path, sizeof(path), "%s/holdfast-writer-%s", setup->dir, name) &&
	       access(path, X_OK) == 0;
}

int
writers_start_one(const struct writers_setup *setup, const char *name, struct writer **ret,
		  struct error *err)
{
	CLEAN(json_done) json_t *settings = NULL;
	struct writer_options options = {
		.name = name,
		.dir = setup->dir,
		.event_timeout_ns = setup->timeout_ns,
	};

	/* The name becomes part of a program's path. */
	if (!name_valid(name)) {
		error_set(err, ERR_USAGE, "'%.64s' cannot be the name of a writer", name);
		return error_hint(err, "names have small letters, digits, '-' and '_'");
	}
	if (setup->settings(setup->settings_arg, name, &settings, err) < 0)
		return error_prefix(err, "settings of writer '%s'", name);
	options.settings = settings;
	return writer_start(&options, ret, err);
}

static int
start_member(struct writers_member *m, const struct writers_setup *setup, const char *type,
	     struct error *err)
{
	if (writers_start_one(setup, m->name, &m->writer, err) < 0)
		return err->code;
	if (writer_identify(m->writer, err) < 0)
		return err->code;
	return writer_prepare_backup(m->writer, type, err);
}

int
writers_start(struct writers *w, const struct writers_setup *setup, size_t n,
	      const char *const *names, const char *type, struct error *err)
{
	w->members = calloc(MAX(n, (size_t)1), sizeof(*w->members));
	if (w->members == NULL)
		return error_no_memory(err);
	for (; w->n < n; w->n++) {
		struct writers_member *m = &w->members[w->n];

		m->name = names[w->n];
		if (start_member(m, setup, type, err) < 0) {
			w->n++; /* it may be running: writers_done() ends it */
			return err->code;
		}
	}
	return OK;
}

int
writers_prepare_snapshot(struct writers *w, const struct writer_moment *moment, struct error *err)
{
	for (size_t i = 0; i < w->n; i++) {
		struct writers_member *m = &w->members[i];

		if (writer_prepare_snapshot(m->writer, moment, &m->component, err) < 0)
			return err->code;
	}
	return OK;
}

/* Freeze those of one level. */
static int
freeze_level(struct writers *w, enum writer_level level, uint64_t deadline_ns, struct error *err)
{
	for (size_t i = 0; i < w->n; i++) {
		struct writer *writer = w->members[i].writer;

		if (writer_level(writer) == level && writer_freeze(writer, deadline_ns, err) < 0)
			return err->code;
	}
	return OK;
}

int
writers_freeze(struct writers *w, uint64_t deadline_ns, struct error *err)
{
	for (int level = WRITER_FRONT_END; level >= WRITER_SYSTEM; level--) {
		struct error thaw;

		if (freeze_level(w, (enum writer_level)level, deadline_ns, err) == OK)
			continue;
		/* What failed first is the reason; a writer that cannot thaw is ended by that. */
		(void)!writers_thaw(w, &thaw);
		return err->code;
	}
	return OK;
}

static int
thaw_level(struct writers *w, enum writer_level level, int r, struct error *err)
{
	for (size_t i = w->n; i-- > 0;) {
		struct writer *writer = w->members[i].writer;
		struct error mine = ERROR_INIT;

		if (writer_level(writer) == level && writer_thaw(writer, &mine) < 0 && r == OK) {
			*err = mine;
			r = err->code;
		}
	}
	return r;
}

int
writers_thaw(struct writers *w, struct error *err)
{
	int r = OK;

	for (int level = WRITER_SYSTEM; level <= WRITER_FRONT_END; level++)
		r = thaw_level(w, (enum writer_level)level, r, err);
	return r;
}

int
writers_post_snapshot(struct writers *w, struct error *err)
{
	for (size_t i = 0; i < w->n; i++)
		if (writer_post_snapshot(w->members[i].writer, err) < 0)
			return err->code;
	return OK;
}

int
writers_check(void *arg, struct error *err)
{
	struct writers *w = arg;

	for (size_t i = 0; i < w->n; i++)
		if (writer_check(w->members[i].writer, err) < 0)
			return err->code;
	return OK;
}

int
writers_post_copy(struct writers_member *m, struct component_tail **ret, struct error *err)
{
	CLEAN(component_tail_freep) struct component_tail *tail = NULL;
	CLEAN(json_done) json_t *metadata = NULL;

	if (writer_post_copy(m->writer, &tail, err) < 0)
		return err->code;
	metadata = m->component->metadata != NULL ? json_copy(m->component->metadata)
						  : json_object();
	if (metadata == NULL ||
	    (tail->metadata != NULL && json_object_update(metadata, tail->metadata) < 0))
		return error_no_memory(err);
	m->metadata = STEAL_PTR(metadata);
	m->proven = true;
	*ret = STEAL_PTR(tail);
	return OK;
}

int
writers_complete(struct writers *w, const char *point_id, struct error *err)
{
	int r = OK;

	for (size_t i = 0; i < w->n; i++) {
		struct writers_member *m = &w->members[i];
		struct error mine = ERROR_INIT;

		if (writer_backup_complete(m->writer, point_id, &mine) == OK) {
			m->completed = true;
		} else if (r == OK) {
			*err = mine;
			r = err->code;
		}
	}
	return r;
}

void
writers_abort(struct writers *w, const struct error *cause)
{
	for (size_t i = w->n; i-- > 0;) {
		struct writers_member *m = &w->members[i];

		if (m->writer != NULL && !m->completed && !m->aborted)
			writer_abort(m->writer, cause);
		m->aborted = true;
	}
}

void
writers_excuse(struct writers *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->members[i].writer != NULL)
			writer_excuse(w->members[i].writer);
}

void
writers_done(struct writers *w)
{
	writers_abort(w, NULL);
	for (size_t i = w->n; i-- > 0;) {
		struct writers_member *m = &w->members[i];

		writer_close(m->writer);
		component_free(m->component);
		json_decref(m->metadata);
	}
	free(w->members);
	*w = (struct writers){0};
}

int
writers_root_name(const struct writers_member *m, char text[WRITERS_ROOT_MAX], struct error *err)
{
	const char *component = m->component->name;
	bool fits;

	if (strcmp(component, "main") == 0)
		fits = text_printf(text, WRITERS_ROOT_MAX, "%s", m->name);
	else
		fits = text_printf(text, WRITERS_ROOT_MAX, "%s:%s", m->name, component);
	if (!fits || strchr(text, '/') != NULL)
		return error_set(err, ERR_PROTOCOL,
				 "writer '%s': its component has an unusable name", m->name);
	return OK;
}
