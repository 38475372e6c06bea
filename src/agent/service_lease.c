/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The lease of a job as the service sees it: when it is due, that it is in jeopardy, and how it ends, which ends the
 * job. The session holds it, or its guard does; what they know goes before what is counted here. In the loop's thread.
 */
#include <string.h>

#include "agent/service_internal.h"
#include "base/clock.h"
#include "base/eventlog.h"

enum { LOOK_S = 1 };

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

void
service_lease_arm(struct job *job)
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
	service_lease_arm(job);
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

void
service_lease_due(evutil_socket_t fd, short what, void *arg)
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
			service_lease_arm(job);
		}
		return;
	}
	if (job->leased && session_check(job->session, &err) == ERR_LEASE_ENDED)
		service_job_end(job, service_job_end_of(job, LEASE_EXPIRED));
	else if (due && (!job->leased || clock_boot_ns() > job->deadline_ns + LOOK_S * NS_PER_S))
		service_job_end(job, LEASE_EXPIRED);
	else
		service_lease_arm(job);
}

void
service_lease_remember(struct job *job)
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
	if (service_order_hand_over(job, &job->end, &err) < 0) {
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
		service_lease_remember(job);
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
