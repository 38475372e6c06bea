/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The agent's service: listens, and answers the functions of doc/api.md.
 *
 * One thread runs the event loop and owns everything but the sessions: connections, the table of jobs,
 * what is waiting for what. It never blocks. Each job has a thread that drives its session; keep-alives of
 * leases that a guard holds, and errands that belong to no job, have small pools of threads. They hand
 * results back to the loop (service_post).
 */
#ifndef HF_AGENT_SERVICE_H
#define HF_AGENT_SERVICE_H

#include <stdbool.h>

#include "agent/session.h"
#include "base/base.h"
#include "base/error.h"

enum {
	SERVICE_CONNECTIONS_DEFAULT = 512,
	SERVICE_JOBS_DEFAULT = 32,
};

struct service_options {
	const char *state_dir; /* certificates, and what is remembered of ended leases */
	const char *cache_dir; /* for the indexes of repositories; its subfolders are ours */
	struct session_setup session; /* phase is set by the service */
	size_t n_listen;
	const char *const *listen; /* "unix:PATH", "tls://ADDRESS:PORT"; one at least */
	const char *group; /* whose members may use unix sockets, too; NULL or "": nobody's */
	unsigned max_connections; /* 0: SERVICE_CONNECTIONS_DEFAULT */
	unsigned max_jobs; /* 0: SERVICE_JOBS_DEFAULT */
	uint64_t
		exit_idle_ns; /* end when there was no connection and no job for so long; 0: never */
	int log_fd; /* -1: no log */
	void (*ready)(void *arg); /* it listens; may be NULL */
	void *ready_arg;
};

/* Until SIGTERM or SIGINT (which it handles while it runs), or idle for too long: new jobs are refused, those
 * that run are aborted, and it returns OK. */
CHECKED int service_run(const struct service_options *options, struct error *err);

#endif
