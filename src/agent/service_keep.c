/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keep-alives. They go before everything: a lease without a guard is renewed on the spot; one that a guard holds
 * by a thread of a pool that does nothing else, whatever the job's own thread is busy with.
 */
#include "agent/service_internal.h"
#include "base/clock.h"
#include "base/eventlog.h"

struct keep {
	struct pool_work work;
	struct service_post post;
	struct request *request;
	struct job *job;
	uint64_t ttl_s;
	struct error error;
};

static void
kept(struct job *job, struct request *r, uint64_t ttl_s)
{
	char deadline[32];

	if (job->jeopardy)
		eventlog_add(r->service->options->session.events, EVENT_LEASE_SAFE, job->id_text,
			     "since_ms=%u",
			     (unsigned)((clock_wall_ns() - job->lease.last_keep_ns) / NS_PER_MS));
	job->jeopardy = false;
	job->lease.ttl_s = ttl_s;
	service_job_set_deadline(job);
	service_log(r->service, LOG_LEVEL_INFO, "KeepSnapshot. TTL: [%llu]",
		    (unsigned long long)ttl_s);
	service_log(r->service, LOG_LEVEL_INFO, "Keep snapshot. JobId: %s. Ok.", job->id_text);
	service_log(r->service, LOG_LEVEL_INFO, "RPC: %s. Ok.", api_table_of(r->function)->name);
	request_reply(r, 200,
		      json_pack("{s:s, s:I, s:I, s:s}", "JobId", job->id_text, "TTL",
				(json_int_t)ttl_s, "LeftMs", (json_int_t)ttl_s * 1000, "Deadline",
				clock_format_utc(job->lease.deadline_ns, deadline)));
}

static void
keep_done(struct service_post *post)
{
	struct keep *k = CONTAINER_OF(post, struct keep, post);
	struct job *job = k->job;

	job->keeping--;
	if (k->error.code == ERR_LEASE_ENDED && job->lease.end == LEASE_NOT_ENDED)
		service_job_end(job, service_job_end_of(job, LEASE_EXPIRED));
	if (job->lease.end != LEASE_NOT_ENDED)
		service_job_fail(k->request, &job->lease);
	else if (k->error.code != OK)
		request_fail(k->request, &k->error);
	else
		kept(job, k->request, k->ttl_s);
	if (job->closing)
		service_job_close(job);
	free(k);
}

/* In a keeper's thread. */
static void
keep_run(struct pool_work *work)
{
	struct keep *k = CONTAINER_OF(work, struct keep, work);

	(void)!session_keep(k->job->session, k->ttl_s * NS_PER_S, &k->error);
	service_post(k->job->service, &k->post, keep_done);
}

void
service_job_keep(struct request *r)
{
	struct error err = ERROR_INIT;
	struct job *job;
	struct keep *k;
	uint64_t ttl_s;

	service_log(r->service, LOG_LEVEL_INFO, "Keep snapshot. JobId: %s",
		    request_text(r, "JobId"));
	job = service_job_of(r);
	if (job == NULL)
		return;
	ttl_s = request_number(r, "TTL", job->lease.ttl_s);
	service_log(r->service, LOG_LEVEL_INFO, "Snapshot job id: %s, ttl: %llu.", job->id_text,
		    (unsigned long long)ttl_s);
	/* Without a guard the lease is ours. */
	if (job->named && !job->leased) {
		kept(job, r, ttl_s);
		return;
	}
	k = calloc(1, sizeof(*k));
	if (k == NULL) {
		(void)error_no_memory(&err);
		request_fail(r, &err);
		return;
	}
	*k = (struct keep){.request = r, .job = job, .ttl_s = ttl_s};
	job->keeping++;
	if (!service_pool_add(&r->service->keepers, &k->work, keep_run)) {
		job->keeping--;
		free(k);
		(void)error_set(&err, ERR_BUSY, "too many keep-alives wait");
		request_fail(r, &err);
	}
}
