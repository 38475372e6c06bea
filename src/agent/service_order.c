/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Orders: each step of a job waits for its turn, is carried out by the job's own thread (service_steps.c), and its
 * outcome is kept for whoever asks again. In the loop's thread, but for job_thread().
 */
#include <stdlib.h>
#include <string.h>

#include "agent/service_internal.h"
#include "base/clock.h"
#include "base/error_json.h"
#include "base/eventlog.h"
#include "base/text.h"

enum { LINGER_S = 60 };

/* ---- the thread ------------------------------------------------------------------------------ */

static void order_done(struct service_post *post);

static void *
job_thread(void *arg)
{
	struct job *job = arg;

	for (;;) {
		(void)pthread_mutex_lock(&job->lock);
		while (STAILQ_EMPTY(&job->queue) && job->stays)
			(void)pthread_cond_wait(&job->wake, &job->lock);
		struct order *o = STAILQ_FIRST(&job->queue);
		if (o == NULL)
			job->threaded = false;
		else
			STAILQ_REMOVE_HEAD(&job->queue, queue);
		(void)pthread_mutex_unlock(&job->lock);
		if (o == NULL)
			return NULL;
		bool last = o->function == API_NONE;

		service_steps_run(o);
		/* After the last one the job is no longer ours. */
		service_post(job->service, &o->post, order_done);
		if (last)
			return NULL;
	}
}

int
service_order_hand_over(struct job *job, struct order *o, struct error *err)
{
	pthread_attr_t detached;
	pthread_t thread;
	int r = 0;

	(void)pthread_mutex_lock(&job->lock);
	STAILQ_INSERT_TAIL(&job->queue, o, queue);
	if (!job->threaded) {
		(void)pthread_attr_init(&detached);
		(void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
		r = pthread_create(&thread, &detached, job_thread, job);
		(void)pthread_attr_destroy(&detached);
		job->threaded = r == 0;
		if (r != 0)
			STAILQ_REMOVE(&job->queue, o, order, queue);
	} else {
		(void)pthread_cond_signal(&job->wake);
	}
	(void)pthread_mutex_unlock(&job->lock);
	if (r == 0)
		return OK;
	errno = r;
	return error_sys(err, ERR_BUSY, "start a thread");
}

void
service_order_free(struct order *o)
{
	json_decref(o->json);
	json_decref(o->reply);
	free(o);
}

/* ---- outcomes ----------------------------------------------------------------------------------- */

static void
tell_outcome(struct order *o, struct request *r)
{
	const struct job *job = o->job;

	if (o->error.code != OK) {
		request_fail_ended(r, &o->error, &job->lease);
		return;
	}
	service_log(r->service, LOG_LEVEL_INFO, "RPC: %s. Ok.", api_table_of(r->function)->name);
	request_reply(r, 200, o->reply != NULL ? json_incref(o->reply) : json_object());
}

static void
waiter_lost(struct request *r)
{
	struct order *o = r->owner;

	TAILQ_REMOVE(&o->waiting, r, next);
	request_reply(r, 200, NULL); /* frees it: nobody reads this */
}

static void
waiter_held_out(struct request *r)
{
	struct order *o = r->owner;
	const struct job *job = o->job;
	json_t *running = json_pack("{s:s, s:s}", "Function", api_table_of(r->function)->name,
				    "Phase", job->phase);
	char set[UUID_TEXT_SIZE];

	if (running != NULL && job->named) {
		(void)json_object_set_new(running, "SetId",
					  json_string(uuid_text(job->lease.set, set)));
		(void)json_object_set_new(running, "Epoch",
					  json_integer((json_int_t)job->lease.epoch));
	}
	TAILQ_REMOVE(&o->waiting, r, next);
	request_reply(r, 202, json_pack("{s:o}", "Running", running));
}

/* The request waits for the order's outcome, or gets it. */
static void
attach(struct order *o, struct request *r)
{
	struct error err = ERROR_INIT;

	if (o->done) {
		tell_outcome(o, r);
		return;
	}
	r->owner = o;
	r->lost = waiter_lost;
	TAILQ_INSERT_TAIL(&o->waiting, r, next);
	if (request_text(r, "RequestId") != NULL &&
	    request_hold(r, request_number(r, "Hold", SERVICE_HOLD_MS), waiter_held_out, &err) < 0)
		waiter_held_out(r);
}

void
service_job_wait_end(struct job *job, struct request *r)
{
	attach(&job->end, r);
}

static void
tell_all(struct order *o)
{
	struct request *r;

	while ((r = TAILQ_FIRST(&o->waiting)) != NULL) {
		TAILQ_REMOVE(&o->waiting, r, next);
		r->lost = NULL;
		tell_outcome(o, r);
	}
}

static void
forget_outcomes(struct job *job)
{
	struct order *o = TAILQ_LAST(&job->orders, orders), *before;
	unsigned n = 0;

	for (; o != NULL; o = before) {
		before = TAILQ_PREV(o, orders, next);
		if (o->done && ++n > JOB_OUTCOMES_MAX) {
			TAILQ_REMOVE(&job->orders, o, next);
			service_order_free(o);
		}
	}
}

static void
session_ended(struct job *job)
{
	struct service *s = job->service;
	const struct timeval linger = {.tv_sec = LINGER_S};

	job->session = NULL;
	job->cleaned = true;
	s->n_jobs--;
	job->end.done = true;
	tell_all(&job->end);
	service_quick_save(s);
	(void)evtimer_add(job->timer, &linger);
	service_look_idle(s);
}

static void
name_lease(struct job *job, const struct order *o)
{
	memcpy(job->lease.set, o->set, UUID_SIZE);
	job->lease.epoch = o->epoch;
	job->leased = o->leased;
	job->guarded = o->guarded;
	job->named = true;
	if (!job->closing)
		service_lease_arm(job);
}

/* A step of the job is over; what does it mean for the job? */
static void
order_done(struct service_post *post)
{
	struct order *o = CONTAINER_OF(post, struct order, post);
	struct job *job = o->job;

	if (o->function == API_NONE) {
		session_ended(job);
		return;
	}
	o->done = true;
	job->n_orders--;
	if (o->error.code != OK && job->lease.end != LEASE_NOT_ENDED && !job->finished)
		/* What it failed of is that its lease had ended. */
		(void)service_ended_fail(&job->lease, clock_wall_ns(), &o->error);
	else if (o->error.code == ERR_LEASE_ENDED)
		service_job_end(job, service_job_end_of(job, LEASE_EXPIRED));
	switch (o->function) {
	case API_PREPARE_SNAPSHOT:
	case API_CREATE_SNAPSHOT:
		if (o->error.code == ERR_BAD_STATE && o->function == API_CREATE_SNAPSHOT)
			break; /* out of order: nothing happened */
		if (o->error.code != OK)
			service_job_end(job, LEASE_ABORTED);
		else if (o->function == API_PREPARE_SNAPSHOT)
			name_lease(job, o);
		service_quick_save(job->service);
		break;
	case API_MOVE_DATA:
		service_move_done(o);
		break;
	case API_FINISH_SNAPSHOT:
	case API_FINISH_SNAPSHOT_EX:
		if (o->error.code == ERR_BAD_STATE)
			break;
		if (o->error.code != OK) {
			service_job_end(job, LEASE_ABORTED);
		} else if (job->lease.end == LEASE_NOT_ENDED) {
			job->finished = true;
			job->lease.ttl_s = (uint64_t)json_integer_value(
				json_object_get(o->json, "TTL"));
			service_job_set_deadline(job);
			job->lease.end = LEASE_FINISHED;
			job->lease.ended_ns = clock_wall_ns();
			service_lease_remember(job);
		}
		break;
	case API_BACKUP_COMPLETE:
		if (o->error.code != ERR_BAD_STATE)
			service_job_end(job, LEASE_FINISHED);
		break;
	default:
		break;
	}
	tell_all(o);
	forget_outcomes(job);
}

int
service_job_add_order(struct job *job, enum api_function function, json_t *json, struct order **ret,
		      struct error *err)
{
	struct order *o;
	const char *id = json_string_value(json_object_get(json, "RequestId"));

	if (job->n_orders >= JOB_ORDERS_MAX)
		return error_set(err, ERR_BUSY, "too many orders wait for this job");
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return error_no_memory(err);
	o->job = job;
	o->function = function;
	o->json = json_incref(json);
	o->epoch = function == API_PREPARE_SNAPSHOT ? ++job->service->last_epoch : 0;
	TAILQ_INIT(&o->waiting);
	(void)text_printf(o->request_id, sizeof(o->request_id), "%s", id != NULL ? id : "");
	/* A time to live that is not asked for stays what it is. */
	if ((function == API_FINISH_SNAPSHOT || function == API_FINISH_SNAPSHOT_EX) &&
	    json_object_get(json, "TTL") == NULL)
		(void)json_object_set_new(o->json, "TTL",
					  json_integer((json_int_t)job->lease.ttl_s));
	if (service_order_hand_over(job, o, err) < 0) {
		service_order_free(o);
		return err->code;
	}
	TAILQ_INSERT_TAIL(&job->orders, o, next);
	job->n_orders++;
	*ret = o;
	return OK;
}

/* ---- requests ----------------------------------------------------------------------------------- */

static struct order *
known_order(struct job *job, const struct request *r)
{
	const char *id = request_text(r, "RequestId");
	struct order *o;

	if (id == NULL)
		return NULL;
	TAILQ_FOREACH(o, &job->orders, next)
		if (o->function == r->function && strcmp(o->request_id, id) == 0)
			return o;
	return NULL;
}

static void
prepare(struct request *r, struct job *job)
{
	struct service *s = r->service;
	struct error err = ERROR_INIT;
	struct order *o;
	unsigned max = s->options->max_jobs != 0 ? s->options->max_jobs : SERVICE_JOBS_DEFAULT;

	if (job != NULL && !job->cleaned)
		(void)error_set(&err, ERR_EXISTS, "job %s is open", job->id_text);
	else if (s->ending)
		(void)error_set(&err, ERR_BUSY, "the agent is ending");
	else if (s->n_jobs >= max)
		(void)error_set(&err, ERR_BUSY, "%u jobs are open: agent.max_jobs", s->n_jobs);
	if (err.code != OK) {
		request_fail(r, &err);
		return;
	}
	if (job != NULL)
		service_job_free(job);
	service_log(s, LOG_LEVEL_INFO, "Prepare snapshot. JobId: %s, from %s",
		    request_text(r, "JobId"), r->peer.name);
	eventlog_add(s->options->session.events, EVENT_REQUESTER_CONNECTED,
		     request_text(r, "JobId"), "peer=%s", r->peer.name);
	if (service_job_new(s, r, &job, &err) < 0) {
		request_fail(r, &err);
		return;
	}
	if (service_job_add_order(job, r->function, r->json, &o, &err) < 0) {
		s->n_jobs--;
		service_job_free(job);
		request_fail(r, &err);
		return;
	}
	attach(o, r);
}

static void
give_up(struct request *r, struct job *job)
{
	const json_t *error = json_object_get(r->json, "Error");
	struct error cause = ERROR_INIT, ignored;

	service_log(r->service, LOG_LEVEL_INFO, "Abort snapshot. JobId: %s", job->id_text);
	if (error != NULL && error_json_unpack(error, &cause, &ignored) == OK) {
		(void)pthread_mutex_lock(&job->lock);
		job->cause = cause;
		(void)pthread_mutex_unlock(&job->lock);
	}
	service_job_end(job, LEASE_ABORTED);
	service_job_wait_end(job, r);
}

void
service_job_order(struct request *r)
{
	struct service *s = r->service;
	struct error err = ERROR_INIT;
	uint8_t id[UUID_SIZE];
	struct order *o;
	struct job *job;

	(void)!uuid_parse(request_text(r, "JobId"), id);
	job = service_job_find(s, id);
	if (job != NULL && !service_job_is_theirs(job, r))
		return;
	o = job != NULL ? known_order(job, r) : NULL;
	if (o != NULL) {
		attach(o, r);
	} else if (r->function == API_PREPARE_SNAPSHOT) {
		prepare(r, job);
	} else if (r->function == API_ABORT_SNAPSHOT && (job == NULL || job->cleaned) &&
		   json_object_get(r->json, "Writers") != NULL) {
		service_errand_blame(r);
	} else if (r->function == API_ABORT_SNAPSHOT && job != NULL) {
		give_up(r, job);
	} else if (r->function == API_ABORT_SNAPSHOT &&
		   service_ended_of_job(s->ended, id) != NULL) {
		request_reply(r, 200, json_object());
	} else {
		job = service_job_of(r);
		if (job == NULL)
			return;
		service_log(s, LOG_LEVEL_INFO, "%s. JobId: %s", api_table_of(r->function)->name,
			    job->id_text);
		/* The thread is busy with that; whoever wants its end aborts. */
		if (service_move_running(job)) {
			(void)error_set(&err, ERR_BAD_STATE, "data is still being moved");
			request_fail(r, &err);
		} else if (service_job_add_order(job, r->function, r->json, &o, &err) < 0)
			request_fail(r, &err);
		else
			attach(o, r);
	}
}
