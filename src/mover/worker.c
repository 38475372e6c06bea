/* SPDX-License-Identifier: Apache-2.0 */

/* What a worker does, and how it tells of what it cannot read. */
#include "mover/worker.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
worker_warn(struct mover_worker *w, struct entry *e, enum err code, bool serious,
	    const char *format, ...)
{
	struct mover *m = w->mover;
	char message[512];
	const char *path;
	va_list ap;

	if (m->options.warn == NULL)
		return;
	va_start(ap, format);
	(void)vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	if (folder_entry_path(e, FOLDER_PATH_SOURCE, &w->path, NULL) == OK)
		path = (const char *)w->path.p;
	else
		path = (const char *)e->node.name.p;
	(void)pthread_mutex_lock(&m->lock);
	m->options.warn(m->options.warn_arg, path, code, serious, message);
	(void)pthread_mutex_unlock(&m->lock);
}

int
worker_lost(struct mover_worker *w, struct entry *e, int sys, const char *what, struct error *err)
{
	struct graft *g = folder_entry_graft(e);
	bool gone = sys == ENOENT || sys == ENOTDIR || sys == ELOOP || sys == ESTALE;
	char reason[128];

	e->node.type = 0;
	if (g->needed && e->folder == NULL) {
		errno = sys;
		return error_sys(err, ERR_SOURCE, "%s '%s'", what, g->source);
	}
	if (gone && g->hot && e->folder != NULL)
		return OK;
	if (gone && e->folder != NULL)
		worker_warn(w, e, ERR_NOT_FOUND, true, "vanished while it was backed up");
	else
		worker_warn(w, e, ERR_SOURCE, true, "%s: %s", what,
			    strerror_r(sys, reason, sizeof(reason)));
	return OK;
}

bool
worker_past_damaged(struct mover_worker *w, struct entry *e, struct error *err)
{
	if (err->code != ERR_CORRUPT) {
		(void)error_prefix(err, "read the previous restore point");
		return false;
	}
	worker_warn(w, e, ERR_CORRUPT, false,
		    "the previous restore point is damaged here, so it is read anew: %s", err->msg);
	*err = ERROR_INIT;
	return true;
}

void
worker_scanned(struct mover *m)
{
	if (atomic_fetch_sub(&m->unscanned, 1) == 1)
		atomic_store(&m->progress->total_known, true);
}

void
worker_fail(struct mover *m, const struct error *err)
{
	(void)pthread_mutex_lock(&m->lock);
	if (m->first.code == OK)
		m->first = *err;
	(void)pthread_mutex_unlock(&m->lock);
	jobs_stop(m->jobs);
}

void *
worker_main(void *arg)
{
	struct mover_worker *w = arg;
	struct jobs *jobs = w->mover->jobs;

	for (;;) {
		struct error err = ERROR_INIT;
		struct job *job = jobs_try(jobs);

		/* Nothing to do: others may be waiting for pages that travel with us. */
		if (job == NULL && !jobs_stopped(jobs) && travel_send(w, &err) < 0)
			worker_fail(w->mover, &err);
		if (job == NULL)
			job = jobs_wait(jobs);
		if (job == NULL)
			return NULL;
		if (job->run(job, w, &err) < 0)
			worker_fail(w->mover, &err);
	}
}
