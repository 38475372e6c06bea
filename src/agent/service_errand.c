/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Errands: what takes time and belongs to no job's course. A pool of threads runs them; one that has a RequestId is
 * found again by it, while it runs and for a while after, so that no reply has to be held for as long as the slowest
 * writer takes.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/service_internal.h"
#include "agent/writer_status.h"
#include "agent/writers.h"
#include "base/clock.h"
#include "base/error_json.h"
#include "base/eventlog.h"
#include "base/eventlog_read.h"
#include "base/json.h"
#include "base/text.h"

enum { EVENTS_DEFAULT = 100, NAMES_MAX = 64, KEPT_MAX = 16, KEPT_S = 60 };

struct errand {
	struct pool_work work;
	struct service_post post;
	struct service *service;
	enum api_function function;
	char peer[80]; /* whose; with the next its name */
	char request_id[REQUEST_ID_MAX]; /* "" none: nobody can come back for it */
	json_t *asked;
	json_t *reply;
	struct error error;
	bool done;
	uint64_t done_ns;
	struct requests waiting;
	TAILQ_ENTRY(errand) next; /* in service->errands_known, the newest first */
};

/* ---- in a thread of the pool ------------------------------------------------------------------- */

static int
gather(struct errand *e, struct error *err)
{
	const json_t *asked = json_object_get(e->asked, "Writers");
	const char *names[NAMES_MAX];
	size_t n = json_array_size(asked);
	json_t *list;

	if (asked != NULL && n == 0) {
		list = json_array();
	} else {
		for (size_t i = 0; i < n; i++)
			names[i] = json_string_value(json_array_get(asked, i));
		if (writers_gather(&e->service->options->session.writers, names, n, &list, err) < 0)
			return err->code;
	}
	e->reply = json_pack("{s:o}", "Writers", list);
	return e->reply != NULL ? OK : error_no_memory(err);
}

static int
list_events(struct errand *e, struct error *err)
{
	CLEAN(event_list_done) struct event_list events = {0};
	const json_t *after = json_object_get(e->asked, "After");
	const json_t *limit = json_object_get(e->asked, "Limit");
	size_t most = limit != NULL ? (size_t)json_integer_value(limit) : EVENTS_DEFAULT;
	json_int_t next = json_integer_value(after);
	const struct eventlog_filter filter = {
		.job = json_string_value(json_object_get(e->asked, "JobId")),
		.since_ns = after != NULL ? (uint64_t)next + 1 : 0,
		.last = after != NULL ? 0 : most,
	};
	json_t *list = json_array();

	if (eventlog_read(e->service->options->state_dir, &filter, &events, err) < 0) {
		json_decref(list);
		return err->code;
	}
	for (size_t i = 0; i < events.n && i < most; i++) {
		next = (json_int_t)events.items[i].time_ns;
		(void)json_array_append_new(list, event_to_json(&events.items[i]));
	}
	e->reply = json_pack("{s:o, s:I}", "Events", list, "Next", next);
	return e->reply != NULL ? OK : error_no_memory(err);
}

/* AbortSnapshot of a job that never began here. What is kept is bounded by what is installed. */
static int
blame(struct errand *e, struct error *err)
{
	const struct session_setup *setup = &e->service->options->session;
	const json_t *names = json_object_get(e->asked, "Writers");
	const json_t *ids = json_object_get(e->asked, "Instances");
	const char *job = json_string_value(json_object_get(e->asked, "JobId"));
	size_t n = json_array_size(names);
	struct error cause = ERROR_INIT;

	if (ids != NULL && json_array_size(ids) != n)
		return error_set(err, ERR_USAGE, "'Instances' are not as many as 'Writers'");
	if (error_json_unpack(json_object_get(e->asked, "Error"), &cause, err) < 0)
		return error_prefix(err, "'Error', which has to go with 'Writers'");
	for (size_t i = 0; i < n; i++) {
		const char *name = json_string_value(json_array_get(names, i));

		if (!writers_is_installed(&setup->writers, name))
			return error_set(err, ERR_NOT_FOUND, "there is no writer '%.64s' here",
					 name);
	}
	for (size_t i = 0; i < n; i++)
		if (writer_status_blame(
			    setup->state_dir, json_string_value(json_array_get(names, i)),
			    json_string_value(json_array_get(ids, i)), job, &cause, err) < 0)
			return err->code;
	e->reply = json_object();
	return e->reply != NULL ? OK : error_no_memory(err);
}

static void errand_done(struct service_post *post);

static void
errand_run(struct pool_work *work)
{
	struct errand *e = CONTAINER_OF(work, struct errand, work);

	if (e->function == API_LIST_EVENTS)
		(void)!list_events(e, &e->error);
	else if (e->function == API_ABORT_SNAPSHOT)
		(void)!blame(e, &e->error);
	else
		(void)!gather(e, &e->error);
	service_post(e->service, &e->post, errand_done);
}

/* ---- its outcome ------------------------------------------------------------------------------- */

static void
errand_free(struct errand *e)
{
	TAILQ_REMOVE(&e->service->errands_known, e, next);
	json_decref(e->asked);
	json_decref(e->reply);
	free(e);
}

void
service_errand_free_all(struct service *s)
{
	struct errand *e;

	while ((e = TAILQ_FIRST(&s->errands_known)) != NULL)
		errand_free(e);
}

static void
forget_old(struct service *s)
{
	uint64_t now = clock_boot_ns();
	struct errand *e, *next;
	unsigned n = 0;

	for (e = TAILQ_FIRST(&s->errands_known); e != NULL; e = next) {
		next = TAILQ_NEXT(e, next);
		if (e->done && (e->request_id[0] == '\0' || ++n > KEPT_MAX ||
				now - e->done_ns > KEPT_S * NS_PER_S))
			errand_free(e);
	}
}

static void
tell(const struct errand *e, struct request *r)
{
	if (e->error.code != OK) {
		request_fail(r, &e->error);
		return;
	}
	service_log(r->service, LOG_LEVEL_INFO, "RPC: %s. Ok.", api_table_of(r->function)->name);
	request_reply(r, 200, json_incref(e->reply));
}

static void
errand_done(struct service_post *post)
{
	struct errand *e = CONTAINER_OF(post, struct errand, post);
	struct request *r;

	e->done = true;
	e->done_ns = clock_boot_ns();
	while ((r = TAILQ_FIRST(&e->waiting)) != NULL) {
		TAILQ_REMOVE(&e->waiting, r, next);
		r->lost = NULL;
		tell(e, r);
	}
	forget_old(e->service);
}

/* ---- waiting for it ---------------------------------------------------------------------------- */

static void
waiter_lost(struct request *r)
{
	struct errand *e = r->owner;

	TAILQ_REMOVE(&e->waiting, r, next);
	request_reply(r, 200, NULL); /* frees it: nobody reads this */
}

static void
waiter_held_out(struct request *r)
{
	struct errand *e = r->owner;
	const char *name = api_table_of(r->function)->name;

	TAILQ_REMOVE(&e->waiting, r, next);
	request_reply(r, 202,
		      json_pack("{s:{s:s, s:s}}", "Running", "Function", name, "Phase",
				"waiting for writers"));
}

static void
attach(struct errand *e, struct request *r)
{
	struct error err = ERROR_INIT;

	if (e->done) {
		tell(e, r);
		return;
	}
	r->owner = e;
	r->lost = waiter_lost;
	TAILQ_INSERT_TAIL(&e->waiting, r, next);
	if (e->request_id[0] != '\0' &&
	    request_hold(r, request_number(r, "Hold", SERVICE_HOLD_MS), waiter_held_out, &err) < 0)
		waiter_held_out(r);
}

static struct errand *
find(const struct request *r)
{
	const char *id = request_text(r, "RequestId");
	struct errand *e;

	if (id == NULL)
		return NULL;
	TAILQ_FOREACH(e, &r->service->errands_known, next)
		if (e->function == r->function && strcmp(e->request_id, id) == 0 &&
		    strcmp(e->peer, r->peer.key) == 0)
			return e;
	return NULL;
}

/* ---- ReleaseSnapshot --------------------------------------------------------------------------- */

static void
release(struct request *r)
{
	struct service *s = r->service;
	struct error err = ERROR_INIT;
	uint8_t set[UUID_SIZE];
	struct job *job;

	(void)!uuid_parse(request_text(r, "SetId"), set); /* checked by the table */
	TAILQ_FOREACH(job, &s->jobs, next)
		if (job->named && memcmp(job->lease.set, set, UUID_SIZE) == 0)
			break;
	/* Twice is as good as once: the first reply may have been lost. */
	if (job != NULL && job->lease.end == LEASE_BY_HAND) {
		service_job_wait_end(job, r);
		return;
	}
	if (job == NULL || job->lease.end != LEASE_NOT_ENDED) {
		const struct ended *e = service_ended_of_set(s->ended, set);

		(void)service_ended_fail(e, clock_wall_ns(), &err);
		request_fail_ended(r, &err, e);
		return;
	}
	if (r->peer.kind != PEER_UNIX && strcmp(r->peer.key, job->peer.key) != 0) {
		(void)error_set(&err, ERR_PERMISSION, "this set was made for another requester");
		request_fail(r, &err);
		return;
	}
	service_log(s, LOG_LEVEL_WARN, "Release snapshot. JobId: %s, by %s", job->id_text,
		    r->peer.name);
	eventlog_add(s->options->session.events, EVENT_SNAPSHOT_BY_HAND, job->id_text, "user=%s",
		     r->peer.name);
	service_job_end(job, LEASE_BY_HAND);
	service_job_wait_end(job, r);
}

/* ---- AbortSnapshot of a job that never began ----------------------------------------------------- */

static bool
takes_part(const struct job *job, const char *name)
{
	size_t i;
	json_t *each;

	json_array_foreach(job->writers, i, each)
	{
		if (strcmp(json_string_value(each), name) == 0)
			return true;
	}
	return false;
}

/* A writer that is at work says itself how it is. */
static int
check_at_work(const struct service *s, const json_t *names, struct error *err)
{
	const struct job *job;
	const json_t *each;
	size_t i;

	TAILQ_FOREACH(job, &s->jobs, next) {
		json_array_foreach(names, i, each)
		{
			if (!job->cleaned && takes_part(job, json_string_value(each)))
				return error_set(err, ERR_BUSY,
						 "writer '%.64s' takes part in job %s",
						 json_string_value(each), job->id_text);
		}
	}
	return OK;
}

void
service_errand_blame(struct request *r)
{
	struct error err = ERROR_INIT;

	service_log(r->service, LOG_LEVEL_INFO, "Abort snapshot. JobId: %s, which never began here",
		    request_text(r, "JobId"));
	if (check_at_work(r->service, json_object_get(r->json, "Writers"), &err) < 0)
		request_fail(r, &err);
	else
		service_errand(r);
}

/* ---- all of them ------------------------------------------------------------------------------- */

static void
begin(struct request *r)
{
	struct service *s = r->service;
	struct errand *e = calloc(1, sizeof(*e));
	const char *id = request_text(r, "RequestId");
	struct error err = ERROR_INIT;

	if (e == NULL) {
		(void)error_no_memory(&err);
		request_fail(r, &err);
		return;
	}
	*e = (struct errand){.service = s, .function = r->function, .asked = json_incref(r->json)};
	(void)text_printf(e->peer, sizeof(e->peer), "%s", r->peer.key);
	(void)text_printf(e->request_id, sizeof(e->request_id), "%s", id != NULL ? id : "");
	TAILQ_INIT(&e->waiting);
	TAILQ_INSERT_HEAD(&s->errands_known, e, next);
	if (!service_pool_add(&s->errands, &e->work, errand_run)) {
		errand_free(e);
		(void)error_set(&err, ERR_BUSY, "too many calls wait");
		request_fail(r, &err);
		return;
	}
	attach(e, r);
}

void
service_errand(struct request *r)
{
	struct errand *e;

	if (r->function == API_RELEASE_SNAPSHOT) {
		release(r);
		return;
	}
	forget_old(r->service);
	e = find(r);
	if (e != NULL)
		attach(e, r);
	else
		begin(r);
}
