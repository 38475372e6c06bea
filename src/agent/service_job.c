/* SPDX-License-Identifier: Apache-2.0 */

/* The table of jobs: which there are, whose, and what they are doing. In the loop's thread. */
#include <stdlib.h>
#include <string.h>

#include "agent/service_internal.h"
#include "base/clock.h"
#include "base/text.h"

enum { TTL_DEFAULT_S = 1200 };

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
		service_order_free(o);
	}
	json_decref(job->end.reply);
	service_move_free(job);
	if (job->timer != NULL)
		event_free(job->timer);
	session_close(job->session); /* only if it never had a thread */
	json_decref(job->asked);
	json_decref(job->writers);
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

int
service_job_new(struct service *s, struct request *r, struct job **ret, struct error *err)
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
	job->writers = writers != NULL ? json_deep_copy(writers) : NULL;
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
	job->timer = evtimer_new(s->base, service_lease_due, job);
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

/* ---- the job of a request ------------------------------------------------------------------------ */

bool
service_job_is_theirs(const struct job *job, struct request *r)
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
	return job != NULL && service_job_is_theirs(job, r) ? job : NULL;
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
