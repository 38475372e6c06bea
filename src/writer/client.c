/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The course of one backup or restore through a writer: builds each event's request, checks that it
 * may come now and that the reply's state is the one it leads to, and unpacks what it gives. The
 * conversation itself, with its deadlines and its hostile ends, is exchange.c.
 */
#include "writer/client.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "writer/exchange.h"
#include "writer/state.h"
#include "writer/wire.h"

#define EVENT_TIMEOUT_NS (15 * 60 * NS_PER_S)
/* Nobody's writes may stand still for longer. Source: VSS's limit for a freeze. */
#define FREEZE_TIMEOUT_NS (60 * NS_PER_S)
#define LATE_TIMEOUT_NS (10 * NS_PER_MS)
#define ABORT_TIMEOUT_NS (5 * NS_PER_S)
#define CLOSE_TIMEOUT_NS (5 * NS_PER_S)

enum { WRITER_NAME_MAX = 32, IDENTIFY_PATHS_MAX = 1024 };

struct writer {
	char *name;
	uint64_t event_timeout_ns;
	struct exchange x;
	struct state state;
	struct error last_error;
	json_t *metadata; /* NULL until identify succeeded */
	size_t n_paths; /* of identify, too */
	char **paths;
	enum writer_level level;
	uint64_t frozen_until_ns; /* 0: not frozen; else when thaw must have been answered */
};

const char *
writer_state_text(enum writer_state state)
{
	return state_text(state);
}

enum writer_state
writer_state_of(const struct writer *w)
{
	return w->state.shown;
}

const struct error *
writer_last_error(const struct writer *w)
{
	return &w->last_error;
}

const json_t *
writer_metadata(const struct writer *w)
{
	return w->metadata;
}

const char *const *
writer_paths(const struct writer *w, size_t *ret_n)
{
	*ret_n = w->n_paths;
	return (const char *const *)w->paths;
}

enum writer_level
writer_level(const struct writer *w)
{
	return w->level;
}

int
writer_pidfd(const struct writer *w)
{
	return w->x.child.pidfd;
}

/* Keep the failure as the last error, and hand it up with the writer's name before it. */
static enum err
remember(struct writer *w, const struct error *failure, struct error *err)
{
	w->last_error = *failure;
	if (err == NULL)
		return failure->code;
	*err = *failure;
	return error_prefix(err, "writer '%s'", w->name);
}

static uint64_t
timeout_of(const struct writer *w, enum writer_event event)
{
	if (event == EVENT_ABORT)
		return MIN(w->event_timeout_ns, ABORT_TIMEOUT_NS);
	if (event != EVENT_FREEZE && event != EVENT_THAW)
		return w->event_timeout_ns;
	uint64_t limit_ns = MIN(w->event_timeout_ns, FREEZE_TIMEOUT_NS);
	if (w->frozen_until_ns == 0)
		return limit_ns;
	/* What is late gets no more time than it takes to find an answer that is already there. */
	uint64_t now_ns = clock_boot_ns();
	uint64_t left_ns = w->frozen_until_ns > now_ns ? w->frozen_until_ns - now_ns : 0;
	return MIN(limit_ns, MAX(left_ns, LATE_TIMEOUT_NS));
}

static bool
has_large_reply(enum writer_event event)
{
	return event == EVENT_PREPARE_SNAPSHOT || event == EVENT_POST_COPY;
}

/* The program and we run the same machine; if they differ, one of us is wrong about the
 * database. */
static int
check_state(struct writer *w, enum writer_event event, struct error *err)
{
	if (w->x.shown == w->state.shown)
		return OK;
	enum writer_state told = w->x.shown;
	child_kill(&w->x.child);
	(void)error_set(&w->x.failure, ERR_PROTOCOL,
			"after '%s' the writer is '%s' where '%s' is right",
			state_event_name(event), state_text(told), state_text(w->state.shown));
	state_lost(&w->state);
	*err = w->x.failure;
	return err->code;
}

/* One event from request to state. `fields` is consumed; NULL means that memory was short. */
static int
run_event(struct writer *w, enum writer_event event, json_t *fields, json_t **ret_reply,
	  struct error *err)
{
	CLEAN(json_done) json_t *request = fields;
	CLEAN(json_done) json_t *reply = NULL;
	struct error why = ERROR_INIT;

	if (request == NULL ||
	    json_object_set_new(request, "event", json_string(state_event_name(event))) < 0)
		return error_no_memory(err);
	if (!state_accepts(&w->state, event)) {
		(void)error_set(&why, ERR_BAD_STATE, "'%s' cannot come now: the writer is '%s'",
				state_event_name(event), state_text(w->state.shown));
		/* After a failure its reason says more than what it makes impossible. */
		return remember(w, w->state.phase == PHASE_FAILED ? &w->last_error : &why, err);
	}
	if (w->x.child.pid == 0) {
		state_lost(&w->state);
		return remember(w, &w->x.failure, err);
	}
	int rc = exchange_call(&w->x, request,
			       has_large_reply(event) ? WIRE_LARGE_MAX : WIRE_LINE_MAX,
			       timeout_of(w, event), &reply, &why);
	/* A failure told meanwhile is the reason of any other, and counts even if there is none;
	 * except against the two events that follow failures. */
	if (w->x.failure.code != OK && event != EVENT_THAW && event != EVENT_ABORT) {
		why = w->x.failure;
		rc = why.code;
	}
	if (rc < 0) {
		state_failed(&w->state, event);
		return remember(w, &why, err);
	}
	state_done(&w->state, event);
	if (event == EVENT_ABORT)
		w->x.failure = ERROR_INIT;
	if (check_state(w, event, &why) < 0)
		return remember(w, &why, err);
	if (ret_reply != NULL)
		*ret_reply = STEAL_PTR(reply);
	return OK;
}

/* A reply whose contents are not what they should be: the writer cannot be relied upon. */
static enum err
refuse_reply(struct writer *w, enum writer_event event, struct error *why, struct error *err)
{
	(void)error_prefix(why, "reply to '%s'", state_event_name(event));
	child_kill(&w->x.child);
	w->x.failure = *why;
	state_lost(&w->state);
	return remember(w, why, err);
}

static int
program_path(const struct writer_options *o, char **ret, struct error *err)
{
	size_t n = strspn(o->name, "abcdefghijklmnopqrstuvwxyz0123456789-_");
	char *path;

	if (n == 0 || o->name[n] != 0 || n > WRITER_NAME_MAX)
		return error_set(err, ERR_CONFIG, "'%s' is not the name of a writer", o->name);
	if (asprintf(&path, "%s/holdfast-writer-%s", o->dir, o->name) < 0)
		return error_no_memory(err);
	if (access(path, X_OK) < 0) {
		(void)error_sys(err, ERR_SPAWN, "writer '%s': '%s'", o->name, path);
		free(path);
		return error_hint(err,
				  "install the program holdfast-writer-%s, or set "
				  "HOLDFAST_WRITER_DIR to the folder where it is",
				  o->name);
	}
	*ret = path;
	return OK;
}

static int
say_start(struct writer *w, json_t *settings, struct error *err)
{
	CLEAN(json_done) json_t *reply = NULL;
	CLEAN(json_done) json_t *none = json_object();
	struct error why = ERROR_INIT;
	uint64_t version;
	const char *name;

	json_t *fields = json_pack("{s:i, s:O}", "protocol", WIRE_PROTOCOL, "settings",
				   settings != NULL ? settings : none);
	int rc = run_event(w, EVENT_START, fields, &reply, err);
	if (rc < 0)
		return rc;
	rc = json_get_u64(reply, "protocol", &version, &why);
	if (rc == OK)
		rc = json_get_str(reply, "name", &name, &why);
	if (rc == OK && version != WIRE_PROTOCOL)
		rc = error_set(&why, ERR_PROTOCOL, "the writer speaks another protocol");
	if (rc == OK && strcmp(name, w->name) != 0)
		rc = error_set(&why, ERR_PROTOCOL, "the writer has another name");
	return rc < 0 ? (int)refuse_reply(w, EVENT_START, &why, err) : OK;
}

int
writer_start(const struct writer_options *options, struct writer **ret, struct error *err)
{
	CLEAN(free_ptr) char *path = NULL;
	CLEAN(writer_closep) struct writer *w = NULL;

	int rc = program_path(options, &path, err);
	if (rc < 0)
		return rc;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return error_no_memory(err);
	w->x.child = CHILD_INIT;
	w->state = STATE_INIT;
	w->level = WRITER_BACK_END;
	w->event_timeout_ns = options->event_timeout_ns > 0 ? options->event_timeout_ns
							    : EVENT_TIMEOUT_NS;
	w->name = strdup(options->name);
	if (w->name == NULL)
		return error_no_memory(err);
	rc = exchange_open(path, &w->x, err);
	if (rc < 0)
		return error_prefix(err, "writer '%s'", w->name);
	rc = say_start(w, options->settings, err);
	if (rc < 0)
		return rc;
	*ret = STEAL_PTR(w);
	return OK;
}

void
writer_set_timeout(struct writer *w, uint64_t event_timeout_ns)
{
	w->event_timeout_ns = event_timeout_ns;
}

static void
forget_paths(struct writer *w)
{
	for (size_t i = 0; i < w->n_paths; i++)
		free(w->paths[i]);
	free(STEAL_PTR(w->paths));
	w->n_paths = 0;
}

void
writer_close(struct writer *w)
{
	if (w == NULL)
		return;
	exchange_close(&w->x, clock_boot_ns() + CLOSE_TIMEOUT_NS);
	forget_paths(w);
	json_decref(w->metadata);
	free(w->name);
	free(w);
}

void
writer_closep(struct writer **w)
{
	writer_close(*w);
}

/* What identify may say beside the metadata. */
static int
take_identity(struct writer *w, const json_t *reply, struct error *err)
{
	json_t *paths = json_object_get(reply, "paths");
	uint64_t level;

	forget_paths(w);
	int rc = json_opt_u64(reply, "freeze_order", WRITER_BACK_END, &level, err);
	if (rc == OK && (level < WRITER_SYSTEM || level > WRITER_FRONT_END))
		rc = error_set(err, ERR_PROTOCOL, "field 'freeze_order' is not 1, 2 or 3");
	if (rc == OK && paths != NULL)
		rc = json_get_arr(reply, "paths", &paths, err);
	if (rc == OK && json_array_size(paths) > IDENTIFY_PATHS_MAX)
		rc = error_set(err, ERR_LIMIT, "field 'paths' has more than %d entries",
			       IDENTIFY_PATHS_MAX);
	if (rc < 0)
		return rc;
	w->level = (enum writer_level)level;
	w->paths = calloc(json_array_size(paths) + 1, sizeof(*w->paths));
	if (w->paths == NULL)
		return error_no_memory(err);
	for (size_t i = 0; rc == OK && i < json_array_size(paths); i++) {
		rc = component_source_parse(json_array_get(paths, i), &w->paths[i], err);
		if (rc == OK)
			w->n_paths++;
	}
	return rc < 0 ? (int)error_prefix(err, "field 'paths'") : OK;
}

int
writer_identify(struct writer *w, struct error *err)
{
	CLEAN(json_done) json_t *reply = NULL;
	struct error why = ERROR_INIT;
	json_t *metadata;
	const char *name;

	int rc = run_event(w, EVENT_IDENTIFY, json_object(), &reply, err);
	if (rc < 0)
		return rc;
	if (json_get_obj(reply, "metadata", &metadata, &why) < 0 ||
	    json_get_str(metadata, "name", &name, &why) < 0 || take_identity(w, reply, &why) < 0)
		return refuse_reply(w, EVENT_IDENTIFY, &why, err);
	json_decref(w->metadata);
	w->metadata = json_incref(metadata);
	return OK;
}

int
writer_prepare_backup(struct writer *w, const char *backup_type, struct error *err)
{
	/* A new sequence begins: what went wrong in the one before is history. */
	if (state_accepts(&w->state, EVENT_PREPARE_BACKUP))
		w->last_error = ERROR_INIT;
	return run_event(w, EVENT_PREPARE_BACKUP, json_pack("{s:s}", "backup_type", backup_type),
			 NULL, err);
}

/* The fields of prepare-snapshot; NULL when memory is short. */
static json_t *
moment_fields(const struct writer_moment *m)
{
	CLEAN(json_done) json_t *sources = json_array();

	for (size_t i = 0; i < m->n_sources; i++)
		if (json_array_append_new(sources,
					  json_bytes(m->sources[i], strlen(m->sources[i]))) < 0)
			return NULL;
	return json_pack("{s:s, s:b, s:O, s:s}", "provider", m->provider, "atomic", (int)m->atomic,
			 "sources", sources, "label", m->label);
}

int
writer_prepare_snapshot(struct writer *w, const struct writer_moment *moment,
			struct component **ret, struct error *err)
{
	CLEAN(json_done) json_t *reply = NULL;
	struct error why = ERROR_INIT;
	json_t *component;

	int rc = run_event(w, EVENT_PREPARE_SNAPSHOT, moment_fields(moment), &reply, err);
	if (rc < 0)
		return rc;
	if (json_get_obj(reply, "component", &component, &why) < 0 ||
	    component_parse(component, ret, &why) < 0)
		return refuse_reply(w, EVENT_PREPARE_SNAPSHOT, &why, err);
	return OK;
}

int
writer_freeze(struct writer *w, uint64_t deadline_ns, struct error *err)
{
	w->frozen_until_ns = deadline_ns;
	return run_event(w, EVENT_FREEZE, json_object(), NULL, err);
}

int
writer_thaw(struct writer *w, struct error *err)
{
	int rc = run_event(w, EVENT_THAW, json_object(), NULL, err);

	w->frozen_until_ns = 0;
	return rc;
}

int
writer_post_snapshot(struct writer *w, struct error *err)
{
	return run_event(w, EVENT_POST_SNAPSHOT, json_object(), NULL, err);
}

int
writer_check(struct writer *w, struct error *err)
{
	struct error why = ERROR_INIT;

	if (exchange_look(&w->x, &why) == OK)
		return OK;
	state_lost(&w->state);
	return remember(w, &why, err);
}

int
writer_post_copy(struct writer *w, struct component_tail **ret, struct error *err)
{
	CLEAN(json_done) json_t *reply = NULL;
	struct error why = ERROR_INIT;
	json_t *tail;

	int rc = run_event(w, EVENT_POST_COPY, json_object(), &reply, err);
	if (rc < 0)
		return rc;
	if (json_get_obj(reply, "tail", &tail, &why) < 0 ||
	    component_tail_parse(tail, ret, &why) < 0)
		return refuse_reply(w, EVENT_POST_COPY, &why, err);
	return OK;
}

int
writer_backup_complete(struct writer *w, const char *point_id, struct error *err)
{
	return run_event(w, EVENT_BACKUP_COMPLETE, json_pack("{s:s}", "point", point_id), NULL,
			 err);
}

void
writer_abort(struct writer *w, const struct error *cause)
{
	struct error last = w->last_error;

	(void)!run_event(w, EVENT_ABORT, json_object(), NULL, NULL);
	/* Why it had to be aborted is what people will ask for. */
	if (last.code != OK)
		w->last_error = last;
	else if (cause != NULL && cause->code != OK)
		w->last_error = *cause;
}

void
writer_excuse(struct writer *w)
{
	if (w->last_error.code != ERR_WRITER_DIED)
		return;
	w->last_error = ERROR_INIT;
	state_done(&w->state, EVENT_ABORT);
}

static json_t *
restore_fields(const struct writer_restore *r)
{
	/* Copies, because a request counts references on what it holds, and these are only lent. */
	CLEAN(json_done)
	json_t *metadata = r->metadata != NULL ? json_deep_copy(r->metadata) : json_object();
	CLEAN(json_done) json_t *map = r->map != NULL ? json_deep_copy(r->map) : json_object();
	json_t *fields = json_pack("{s:o, s:O, s:O}", "target",
				   json_bytes(r->target, strlen(r->target)), "metadata", metadata,
				   "map", map);

	if (r->recovery != NULL && fields != NULL &&
	    json_object_set_new(fields, "recovery", json_deep_copy(r->recovery)) < 0) {
		json_decref(fields);
		return NULL;
	}
	return fields;
}

static int
run_restore(struct writer *w, enum writer_event event, const struct writer_restore *r,
	    struct error *err)
{
	CLEAN(json_done) json_t *reply = NULL;
	struct error why = ERROR_INIT;

	int rc = run_event(w, event, restore_fields(r), &reply, err);
	if (rc < 0 || r->recovery == NULL || json_is_true(json_object_get(reply, "recovery")))
		return rc;
	(void)error_set(&why, ERR_PROTOCOL, "it cannot restore to a moment");
	(void)error_hint(&why, "upgrade the writer on this machine");
	return refuse_reply(w, event, &why, err);
}

int
writer_pre_restore(struct writer *w, const struct writer_restore *restore, struct error *err)
{
	if (state_accepts(&w->state, EVENT_PRE_RESTORE))
		w->last_error = ERROR_INIT;
	return run_restore(w, EVENT_PRE_RESTORE, restore, err);
}

int
writer_post_restore(struct writer *w, const struct writer_restore *restore, struct error *err)
{
	return run_restore(w, EVENT_POST_RESTORE, restore, err);
}
