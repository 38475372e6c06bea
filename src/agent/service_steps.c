/* SPDX-License-Identifier: Apache-2.0 */

/* The steps of a job, in the job's own thread: from what was asked to the session's functions, and from what
 * they gave to a reply. Nothing of the job but its thread's part is touched here. */
#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/service_internal.h"
#include "agent/task.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "repo/point.h"

/* Absolute, no empty component, no "." or "..", no slash at the end. */
static bool
is_normal(const char *path)
{
	if (path[0] != '/')
		return false;
	for (const char *p = path; *p == '/';) {
		const char *name = p + 1;
		size_t n = strcspn(name, "/");

		if (n == 0)
			return path[1] == '\0';
		if ((n == 1 && name[0] == '.') || (n == 2 && memcmp(name, "..", 2) == 0))
			return false;
		p = name + n;
	}
	return true;
}

/* All texts of the order into one buffer, which then stays where it is. */
static int
collect_paths(struct job *job, const json_t *paths, struct error *err)
{
	size_t i;
	json_t *path;

	json_array_foreach(paths, i, path)
	{
		size_t before = job->paths.n;

		if (json_bytes_get(path, &job->paths, err) < 0 || buf_u8(&job->paths, 0, err) < 0)
			return err->code;
		const char *text = (const char *)job->paths.p + before;
		if (strlen(text) + 1 != job->paths.n - before || !is_normal(text))
			return error_set(err, ERR_USAGE, "'%s' is no absolute, normalised path",
					 text);
	}
	return OK;
}

/* A path that is not there is told, and left out, as long as something else is there. */
static int
point_to_paths(struct job *job, struct session_order *order, json_t *missing, struct error *err)
{
	struct error last = ERROR_INIT;
	size_t n = 0;

	for (size_t at = 0; at < job->paths.n;) {
		const char *path = (const char *)job->paths.p + at;
		struct stat st;

		at += strlen(path) + 1;
		if (lstat(path, &st) == 0) {
			job->names[n++] = path;
			continue;
		}
		(void)error_sys(&last, ERR_SOURCE, "open '%s'", path);
		if (json_array_append_new(missing, json_pack("{s:o, s:s}", "path",
							     json_bytes(path, strlen(path)),
							     "message", last.msg)) < 0)
			return error_no_memory(err);
	}
	order->paths = job->names;
	order->n_paths = n;
	if (n == 0 && last.code != OK && order->n_writers == 0) {
		*err = last;
		return err->code;
	}
	if (n + order->n_writers == 0)
		return error_set(err, ERR_USAGE, "nothing to back up was given");
	return OK;
}

static int
read_order(struct job *job, json_t *json, struct session_order *order, json_t *missing,
	   struct error *err)
{
	const json_t *paths = json_object_get(json, "Paths");
	const json_t *writers = json_object_get(json, "Writers");
	const char *require = json_string_value(json_object_get(json, "Require"));
	json_t *type = json_object_get(json, "BackupType");
	char lower[32];
	size_t n_paths = json_array_size(paths), n_writers = json_array_size(writers);

	job->asked = json_incref(json);
	job->names = calloc(n_paths + n_writers + 1, sizeof(*job->names));
	if (job->names == NULL)
		return error_no_memory(err);
	*order = (struct session_order){
		.job = job->id_text,
		.n_writers = n_writers,
		.writers = job->names + n_paths,
		.provider = json_string_value(json_object_get(json, "Provider")),
		.ttl_ns = job->lease.ttl_s * NS_PER_S,
		.freeze_cap_ns = (uint64_t)json_integer_value(
					 json_object_get(json, "FreezeLimit")) *
				 NS_PER_S,
		.label = json_string_value(json_object_get(json, "Label")),
	};
	for (size_t i = 0; i < n_writers; i++)
		job->names[n_paths + i] = json_string_value(json_array_get(writers, i));
	if (require != NULL && !point_consistency_find(require, &order->require))
		return error_set(err, ERR_USAGE,
				 "field 'Require' is not application, crash or none");
	if (type != NULL) {
		/* VSS writes FULL, our writers full. */
		(void)text_printf(lower, sizeof(lower), "%s", json_string_value(type));
		for (char *p = lower; *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
		if (json_string_set(type, lower) < 0)
			return error_no_memory(err);
		order->backup_type = json_string_value(type);
	}
	if (collect_paths(job, paths, err) < 0)
		return err->code;
	return point_to_paths(job, order, missing, err);
}

static int
prepare(struct order *o, struct error *err)
{
	CLEAN(session_prepared_done) struct session_prepared prepared = {0};
	CLEAN(json_done) json_t *missing = json_array();
	struct job *job = o->job;
	struct session_order order;
	char set[UUID_TEXT_SIZE];

	if (missing == NULL)
		return error_no_memory(err);
	if (read_order(job, o->json, &order, missing, err) < 0 ||
	    session_prepare(job->session, &order, &prepared, err) < 0)
		return err->code;
	o->leased = prepared.leased;
	o->guarded = prepared.guarded;
	if (prepared.leased) {
		memcpy(o->set, prepared.key.set, UUID_SIZE);
		o->epoch = prepared.key.epoch;
	} else if (crypto_random(o->set, sizeof(o->set), err) < 0) {
		return err->code;
	}
	o->reply = json_pack("{s:s, s:s, s:I, s:I, s:b, s:O, s:O}", "JobId", job->id_text, "SetId",
			     uuid_text(o->set, set), "Epoch", (json_int_t)o->epoch, "TTL",
			     (json_int_t)job->lease.ttl_s, "Leased", prepared.leased ? 1 : 0,
			     "Plan", prepared.plan, "Missing", missing);
	return o->reply != NULL ? OK : error_no_memory(err);
}

static int
create(struct order *o, struct error *err)
{
	CLEAN(session_moment_done) struct session_moment moment = {0};

	if (session_create(o->job->session, &moment, err) < 0)
		return err->code;
	o->reply = json_pack("{s:{s:I, s:I, s:b, s:O}}", "Moment", "time_ns",
			     (json_int_t)moment.time_ns, "frozen_ns", (json_int_t)moment.frozen_ns,
			     "proven", moment.proven ? 1 : 0, "members", moment.members);
	return o->reply != NULL ? OK : error_no_memory(err);
}

static int
finish(struct order *o, struct error *err)
{
	CLEAN(session_verdict_done) struct session_verdict v = {0};

	if (json_is_true(json_object_get(o->json, "Skip")) && task_skip(o->job->session, err) < 0)
		return err->code;
	if (session_finish(o->job->session, &v, err) < 0)
		return err->code;
	o->reply = json_pack("{s:{s:b, s:b, s:s, s:O}}", "Verdict", "proven", v.proven ? 1 : 0,
			     "as_required", v.as_required ? 1 : 0, "reason", v.reason, "roots",
			     v.roots);
	return o->reply != NULL ? OK : error_no_memory(err);
}

/* The restore point is stored whatever a writer does now: its failure is told, and is none of the call. */
static int
complete(struct order *o, struct error *err)
{
	struct error failure = ERROR_INIT;
	const char *point = json_string_value(json_object_get(o->json, "Point"));
	int r = session_complete(o->job->session, point, &failure);

	if (r == ERR_BAD_STATE || r == ERR_CANCELLED) {
		*err = failure;
		return r;
	}
	o->reply = json_object();
	if (o->reply == NULL)
		return error_no_memory(err);
	if (r < 0)
		(void)json_object_set_new(o->reply, "Warning", json_string(failure.msg));
	return OK;
}

static int
run(struct order *o, struct error *err)
{
	switch (o->function) {
	case API_PREPARE_SNAPSHOT:
		return prepare(o, err);
	case API_CREATE_SNAPSHOT:
		return create(o, err);
	case API_MOVE_DATA:
		return service_move_run(o, err);
	case API_FINISH_SNAPSHOT:
	case API_FINISH_SNAPSHOT_EX:
		return finish(o, err);
	case API_BACKUP_COMPLETE:
		return complete(o, err);
	default:
		return error_set(err, ERR_INTERNAL, "no such step");
	}
}

/* What the requester gave up for may come in while a step is failing of just that. */
static void
abort_session(struct job *job)
{
	struct error cause;

	(void)pthread_mutex_lock(&job->lock);
	cause = job->cause;
	(void)pthread_mutex_unlock(&job->lock);
	session_abort(job->session, cause.code != OK ? &cause : NULL);
}

void
service_steps_run(struct order *o)
{
	struct job *job = o->job;
	json_t *writers = NULL;

	if (o->function == API_NONE) {
		abort_session(job);
		/* As they are left: for whoever asks after the end. */
		if (session_writers(job->session, &writers, NULL) == OK)
			o->reply = json_pack("{s:o}", "Writers", writers);
		session_close(job->session);
		return;
	}
	int r = run(o, &o->error);
	/* A call that came out of order has changed nothing. */
	if (r < 0 && (r != ERR_BAD_STATE || o->function == API_PREPARE_SNAPSHOT))
		abort_session(job);
	if (r == OK && o->function != API_MOVE_DATA &&
	    session_writers(job->session, &writers, NULL) == OK)
		(void)json_object_set_new(o->reply, "Writers", writers);
}
