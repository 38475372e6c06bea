/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Jobs: their orders, their leases, their end. The session of a job is driven by a thread of the job's own;
 * this file runs in the loop's thread, but for job_thread().
 */
#include <stdlib.h>
#include <string.h>

#include "agent/service_internal.h"
#include "base/clock.h"
#include "base/error_json.h"
#include "base/eventlog.h"
#include "base/text.h"
#include "crypto/crypto.h"

enum { TTL_DEFAULT_S = 1200, LINGER_S = 60, LOOK_S = 1 };

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

		service_orders_run(o);
		/* After the last one the job is no longer ours. */
		service_post(job->service, &o->post, order_done);
		if (last)
			return NULL;
	}
}

static int
hand_over(struct job *job, struct order *o, struct error *err)
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

/* ---- jobs ------------------------------------------------------------------------------------ */

static struct job **
bucket(struct service *s, const uint8_t id[UUID_SIZE])
{
	/* Whoever chooses ids badly makes it slow for himself: there are max_jobs at most. */
	return &s->by_id[(id[0] | id[1] << 8 | id[14] << 4 | id[15]) % SERVICE_BUCKETS];
}

struct job *
service_job_find(struct service *s, const uint8_t id[UUID_SIZE])
{
	struct job *j = *bucket(s, id);

	while (j != NULL && memcmp(j->id, id, UUID_SIZE) != 0)
		j = j->next_by_id;
	return j;
}

static void
order_free(struct order *o)
{
	json_decref(o->json);
	json_decref(o->reply);
	free(o);
}

void
service_job_free(struct job *job)
{
	struct job **at = bucket(job->service, job->id);
	struct order *o;

	while (*at != job)
		at = &(*at)->next_by_id;
	*at = job->next_by_id;
	TAILQ_REMOVE(&job->service->jobs, job, next);
	while ((o = TAILQ_FIRST(&job->orders)) != NULL) {
		TAILQ_REMOVE(&job->orders, o, next);
		order_free(o);
	}
	json_decref(job->end.reply);
	service_move_free(job);
	if (job->timer != NULL)
		event_free(job->timer);
	session_close(job->session); /* only if it never had a thread */
	json_decref(job->asked);
	free(job->names);
	buf_done(&job->paths);
	(void)pthread_mutex_destroy(&job->lock);
	(void)pthread_cond_destroy(&job->wake);
	free(job);
}

struct phase_post {
	struct service_post post;
	struct job *job;
	char text[160];
};

static void
show_phase(struct service_post *post)
{
	struct phase_post *p = (struct phase_post *)post;

	(void)text_printf(p->job->phase, sizeof(p->job->phase), "%s", p->text);
	service_move_phase(p->job, p->text);
	free(p);
}

/* In the job's thread. */
static void
on_phase(void *arg, const char *what)
{
	struct job *job = arg;
	struct phase_post *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return;
	p->job = job;
	(void)text_printf(p->text, sizeof(p->text), "%s", what);
	service_post(job->service, &p->post, show_phase);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg);

static int
job_new(struct service *s, struct request *r, struct job **ret, struct error *err)
{
	struct session_setup setup = s->options->session;
	struct job *job = calloc(1, sizeof(*job));
	const json_t *writers = json_object_get(r->json, "Writers");
	const char *provider = request_text(r, "Provider");

	if (job == NULL)
		return error_no_memory(err);
	job->service = s;
	job->peer = r->peer;
	(void)!uuid_parse(request_text(r, "JobId"), job->id); /* checked by the table */
	(void)uuid_text(job->id, job->id_text);
	memcpy(job->lease.job, job->id, UUID_SIZE);
	job->lease.ttl_s = request_number(r, "TTL", TTL_DEFAULT_S);
	/* Programs that a thread started are killed when it ends. */
	job->stays = json_array_size(writers) > 0 || provider == NULL ||
		     strcmp(provider, "direct") != 0;
	job->paths = BUF_INIT(1 << 20);
	TAILQ_INIT(&job->orders);
	STAILQ_INIT(&job->queue);
	TAILQ_INIT(&job->end.waiting);
	job->end.job = job;
	(void)pthread_mutex_init(&job->lock, NULL);
	(void)pthread_cond_init(&job->wake, NULL);
	TAILQ_INSERT_TAIL(&s->jobs, job, next);
	job->next_by_id = *bucket(s, job->id);
	*bucket(s, job->id) = job;
	setup.phase = on_phase;
	setup.phase_arg = job;
	job->timer = evtimer_new(s->base, on_deadline, job);
	if (job->timer == NULL || session_open(&setup, &job->session, err) < 0) {
		service_job_free(job);
		return error_no_memory(err);
	}
	s->n_jobs++;
	service_job_set_deadline(job);
	service_look_idle(s);
	*ret = job;
	return OK;
}

/* ---- the lease -------------------------------------------------------------------------------- */

static uint64_t
half(const struct job *job)
{
	return job->lease.ttl_s * NS_PER_S / 2;
}

/* Half of the time is over without a keep-alive: say so, once. */
static void
look_for_jeopardy(struct job *job)
{
	uint64_t now = clock_boot_ns();

	if (job->jeopardy || job->lease.end != LEASE_NOT_ENDED ||
	    now + half(job) < job->deadline_ns)
		return;
	job->jeopardy = true;
	eventlog_add(job->service->options->session.events, EVENT_LEASE_JEOPARDY, job->id_text,
		     "ttl_s=%u since_ms=%u", (unsigned)job->lease.ttl_s,
		     (unsigned)((now + 2 * half(job) - job->deadline_ns) / NS_PER_MS));
}

static void
arm(struct job *job)
{
	uint64_t now = clock_boot_ns();
	uint64_t left = job->deadline_ns > now ? job->deadline_ns - now : 0;
	bool look = job->leased && job->lease.end == LEASE_NOT_ENDED;
	struct timeval tv;

	if (!job->jeopardy && job->lease.end == LEASE_NOT_ENDED)
		left = left > half(job) ? left - half(job) : left;
	/* What the guard does by itself is looked for. */
	if (look)
		left = MIN(left + 20 * NS_PER_MS, LOOK_S * NS_PER_S);
	tv = (struct timeval){.tv_sec = (time_t)(left / NS_PER_S),
			      .tv_usec = (suseconds_t)(left % NS_PER_S / 1000)};
	(void)evtimer_add(job->timer, &tv);
}

void
service_job_set_deadline(struct job *job)
{
	const uint64_t ttl_ns = job->lease.ttl_s * NS_PER_S;

	job->deadline_ns = clock_boot_ns() + ttl_ns;
	job->lease.last_keep_ns = clock_wall_ns();
	job->lease.deadline_ns = job->lease.last_keep_ns + ttl_ns;
	arm(job);
}

/* The session's own word for how the lease ended, if it has one. */
enum lease_end
service_job_end_of(struct job *job, enum lease_end otherwise)
{
	json_t *status = NULL;
	enum lease_end end = otherwise;

	if (session_status(job->session, &status, NULL) == OK) {
		const char *name = json_string_value(json_object_get(status, "end"));

		for (enum lease_end e = LEASE_FINISHED; name != NULL && e <= LEASE_RESTARTED; e++)
			if (strcmp(lease_end_name(e), name) == 0)
				end = e;
	}
	json_decref(status);
	return end;
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;
	struct error err = ERROR_INIT;
	bool due = clock_boot_ns() >= job->deadline_ns;

	(void)fd, (void)what;
	if (job->cleaned) {
		service_job_free(job);
		return;
	}
	if (job->closing)
		return;
	look_for_jeopardy(job);
	if (job->finished) {
		if (due) {
			service_log(job->service, LOG_LEVEL_WARN,
				    "No BackupComplete in time. JobId: %s", job->id_text);
			service_job_end(job, LEASE_EXPIRED);
		} else {
			arm(job);
		}
		return;
	}
	if (job->leased && session_check(job->session, &err) == ERR_LEASE_ENDED)
		service_job_end(job, service_job_end_of(job, LEASE_EXPIRED));
	else if (due && (!job->leased || clock_boot_ns() > job->deadline_ns + LOOK_S * NS_PER_S))
		service_job_end(job, LEASE_EXPIRED);
	else
		arm(job);
}

static void
remember(struct job *job)
{
	service_ended_add(job->service->ended, &job->lease);
	service_quick_save(job->service);
}

void
service_job_close(struct job *job)
{
	struct error err = ERROR_INIT;

	if (job->keeping > 0 || job->over)
		return; /* the last keep-alive calls again */
	job->over = true;
	if (hand_over(job, &job->end, &err) < 0) {
		/* No thread for it: wait for better times. */
		job->over = false;
		service_log(job->service, LOG_LEVEL_ERROR, "%s", err.msg);
		const struct timeval soon = {.tv_sec = 1};
		job->closing = false;
		(void)evtimer_add(job->timer, &soon);
	}
}

void
service_job_end(struct job *job, enum lease_end why)
{
	struct service *s = job->service;
	struct error err = ERROR_INIT;

	if (job->closing)
		return;
	job->closing = true;
	if (job->lease.end == LEASE_NOT_ENDED) {
		job->lease.end = why;
		job->lease.ended_ns = clock_wall_ns();
		if (why == LEASE_EXPIRED) {
			service_log(s, LOG_LEVEL_WARN, "Snapshot timeout occurred.");
			if (!job->guarded)
				eventlog_add(s->options->session.events, EVENT_SNAPSHOT_TIMEOUT,
					     job->id_text, "ttl_s=%u", (unsigned)job->lease.ttl_s);
		}
		remember(job);
	}
	(void)service_ended_fail(&job->lease, clock_wall_ns(), &err);
	session_cancel(job->session);
	service_move_cancel(job, &err);
	service_job_close(job);
}

void
service_job_end_all(struct service *s, enum lease_end why)
{
	struct job *j;

	TAILQ_FOREACH(j, &s->jobs, next)
		service_job_end(j, why);
}

/* ---- orders ----------------------------------------------------------------------------------- */

void
service_job_fail(struct request *r, const struct ended *lease)
{
	struct error err = ERROR_INIT;
	uint64_t now = clock_wall_ns();
	bool finish = r->function == API_FINISH_SNAPSHOT || r->function == API_FINISH_SNAPSHOT_EX;

	if (finish || api_table_of(r->function)->kind == API_LEASE)
		eventlog_add(r->service->options->session.events,
			     finish ? EVENT_FINISH_REFUSED : EVENT_KEEP_REFUSED,
			     request_text(r, "JobId"), "cause=%s ended_ms=%u",
			     lease != NULL ? lease_end_name(lease->end) : "unknown",
			     lease != NULL && now > lease->ended_ns
				     ? (unsigned)((now - lease->ended_ns) / NS_PER_MS)
				     : 0U);
	(void)service_ended_fail(lease, now, &err);
	request_fail_ended(r, &err, lease);
}

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
			order_free(o);
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
		arm(job);
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
			remember(job);
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
	if (hand_over(job, o, err) < 0) {
		order_free(o);
		return err->code;
	}
	TAILQ_INSERT_TAIL(&job->orders, o, next);
	job->n_orders++;
	*ret = o;
	return OK;
}

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

static bool
is_theirs(const struct job *job, struct request *r)
{
	struct error err = ERROR_INIT;

	if (strcmp(job->peer.key, r->peer.key) == 0)
		return true;
	(void)error_set(&err, ERR_PERMISSION, "this job was prepared by another requester");
	request_fail(r, &err);
	return false;
}

static bool
names_lease(const struct job *job, const struct request *r)
{
	uint8_t set[UUID_SIZE];
	const char *text = request_text(r, "SetId");

	if (text != NULL &&
	    (!job->named || !uuid_parse(text, set) || memcmp(set, job->lease.set, UUID_SIZE) != 0))
		return false;
	return json_object_get(r->json, "Epoch") == NULL ||
	       (job->named && request_number(r, "Epoch", 0) == job->lease.epoch);
}

struct job *
service_job_known(struct request *r)
{
	struct service *s = r->service;
	uint8_t id[UUID_SIZE];
	struct job *job;

	(void)!uuid_parse(request_text(r, "JobId"), id);
	job = service_job_find(s, id);
	if (job == NULL)
		service_job_fail(r, service_ended_of_job(s->ended, id));
	return job != NULL && is_theirs(job, r) ? job : NULL;
}

struct job *
service_job_of(struct request *r)
{
	struct service *s = r->service;
	struct job *job = service_job_known(r);

	if (job == NULL)
		return NULL;
	if (!names_lease(job, r)) {
		uint8_t set[UUID_SIZE];
		const char *text = request_text(r, "SetId");

		service_job_fail(r, text != NULL && uuid_parse(text, set)
					    ? service_ended_of_set(s->ended, set)
					    : NULL);
		return NULL;
	}
	if (job->lease.end != LEASE_NOT_ENDED &&
	    (job->closing || !job->finished || r->function != API_BACKUP_COMPLETE)) {
		service_job_fail(r, &job->lease);
		return NULL;
	}
	return job;
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
	if (job_new(s, r, &job, &err) < 0) {
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
	if (job != NULL && !is_theirs(job, r))
		return;
	o = job != NULL ? known_order(job, r) : NULL;
	if (o != NULL) {
		attach(o, r);
	} else if (r->function == API_PREPARE_SNAPSHOT) {
		prepare(r, job);
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

/* ---- for ListSnapshots ------------------------------------------------------------------------ */

json_t *
service_job_show(const struct job *job)
{
	char set[UUID_TEXT_SIZE], last[32];
	uint64_t now = clock_boot_ns();
	json_t *status = NULL;
	json_t *j;

	if (job->session == NULL || job->over || session_status(job->session, &status, NULL) < 0)
		return NULL;
	j = json_pack(
		"{s:s, s:s, s:I, s:s, s:s, s:I, s:I, s:s, s:s, s:O?}", "JobId", job->id_text,
		"SetId", job->named ? uuid_text(job->lease.set, set) : "", "Epoch",
		(json_int_t)job->lease.epoch, "State",
		job->finished ? "finished" : json_string_value(json_object_get(status, "state")),
		"Peer", job->peer.name, "TTL", (json_int_t)job->lease.ttl_s, "LeftMs",
		(json_int_t)(job->deadline_ns > now ? (job->deadline_ns - now) / NS_PER_MS : 0),
		"LastKeep", clock_format_utc(job->lease.last_keep_ns, last), "Phase", job->phase,
		"Members", json_object_get(status, "members"));
	json_decref(status);
	return j;
}
