/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The mover itself: its workers, and running them. Threads live as long as there are jobs; their
 * sinks, readers and buffers as long as the mover.
 */
#include "mover/backup.h"

#include <errno.h>
#include <signal.h>

#include "mover/graft.h"
#include "mover/run.h"
#include "mover/slice.h"
#include "mover/worker.h"

enum { WATCH_MS = 100, WORKERS_MAX = 64, WORKERS_EXTRA = 2 };
#define MEMORY_DEFAULT (UINT64_C(128) << 20)
#define MEMORY_SHARED (UINT64_C(24) << 20) /* program, index, names of large folders */

static unsigned
worker_count(const struct mover_options *o)
{
	uint64_t limit = o->memory_limit != 0 ? o->memory_limit : MEMORY_DEFAULT;
	uint64_t fit = limit > MEMORY_SHARED ? (limit - MEMORY_SHARED) / WORKER_MEMORY : 0;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t n = o->workers;

	if (n == 0)
		n = (uint64_t)MAX(cores, 1L) + WORKERS_EXTRA;
	n = MIN(n, fit);
	return (unsigned)(n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : n);
}

static int
worker_open(struct mover *m, struct mover_worker *w, struct error *err)
{
	w->mover = m;
	w->path = BUF_INIT(WORKER_PATH_MAX);
	w->scratch = BUF_INIT(WORKER_PATH_MAX);
	w->buffer = malloc(WORKER_BUFFER);
	w->chunks = calloc(MAP_SEGMENT_CHUNKS_MAX, sizeof(*w->chunks));
	if (w->buffer == NULL || w->chunks == NULL)
		return error_no_memory(err);
	if (repo_sink_open(m->writer, &w->sink, err) < 0 ||
	    repo_reader_open(m->repo, m->index, &w->reader, err) < 0)
		return err->code;
	return OK;
}

static void
worker_close(struct mover_worker *w)
{
	travel_done(&w->travel);
	repo_sink_abort(w->sink);
	repo_reader_close(w->reader);
	free(w->buffer);
	free(w->chunks);
	buf_done(&w->path);
	buf_done(&w->scratch);
}

int
mover_new(struct repo *repo, struct repo_index *index, struct repo_writer *writer,
	  const struct mover_options *options, struct mover **ret, struct error *err)
{
	CLEAN(mover_freep) struct mover *m = calloc(1, sizeof(*m));
	unsigned n = worker_count(options);

	if (m == NULL)
		return error_no_memory(err);
	m->repo = repo;
	m->index = index;
	m->writer = writer;
	m->options = *options;
	m->progress = options->progress;
	m->euid = geteuid();
	m->privileged = m->euid == 0;
	m->grafts_end = &m->grafts;
	(void)pthread_mutex_init(&m->lock, NULL);
	folder_fds_init(&m->fds);
	if (chunker_init(&m->chunker, repo->keys.chunker, err) < 0 || jobs_new(&m->jobs, err) < 0 ||
	    links_new(&m->links, err) < 0)
		return err->code;
	m->workers = calloc(n, sizeof(*m->workers));
	if (m->workers == NULL)
		return error_no_memory(err);
	for (; m->n_workers < n; m->n_workers++) {
		if (worker_open(m, &m->workers[m->n_workers], err) < 0) {
			m->n_workers++;
			return err->code;
		}
	}
	*ret = STEAL_PTR(m);
	return OK;
}

void
mover_free(struct mover *m)
{
	if (m == NULL)
		return;
	while (m->deferred != NULL) {
		struct job *job = m->deferred;

		m->deferred = job->next;
		job->drop(job);
	}
	jobs_free(m->jobs);
	slice_drop_all(m);
	folder_fds_done(&m->fds);
	graft_drop_all(m);
	for (unsigned i = 0; i < m->n_workers; i++)
		worker_close(&m->workers[i]);
	free(m->workers);
	links_free(m->links);
	(void)pthread_mutex_destroy(&m->lock);
	free(m);
}

void
mover_freep(struct mover **m)
{
	mover_free(*m);
}

int
mover_finish(struct mover *m, struct error *err)
{
	if (run_check(m, err) < 0)
		return err->code;
	m->broken = true; /* nothing more can be backed up */
	for (unsigned i = 0; i < m->n_workers; i++) {
		if (repo_sink_close(STEAL_PTR(m->workers[i].sink), err) < 0)
			return err->code;
	}
	return OK;
}

/* ---- running --------------------------------------------------------------------------------- */

static void
look(struct mover *m)
{
	struct repo_write_stats stats;
	struct error err = ERROR_INIT;

	repo_writer_stats(m->writer, &stats);
	atomic_store(&m->progress->bytes_stored, stats.bytes_stored);
	if (atomic_load(&m->progress->cancelled))
		(void)error_set(&err, ERR_CANCELLED, "stopped on request");
	else if (m->options.check != NULL)
		(void)!m->options.check(m->options.check_arg, &err);
	if (err.code != OK)
		worker_fail(m, &err);
}

/* What the calling thread does while the workers work; once more after the last byte, so that a
 * failure during the copy never goes unseen, however short it was. */
static void
watch(struct mover *m)
{
	bool all_left;

	do {
		all_left = jobs_watch(m->jobs, WATCH_MS);
		look(m);
	} while (!all_left);
}

/* Signals are for the thread that called. */
static int
start_threads(struct mover *m, unsigned *ret_n)
{
	sigset_t all, before;
	int rc = 0;

	*ret_n = 0;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 0; i < m->n_workers && rc == 0; i++) {
		rc = pthread_create(&m->workers[i].thread, NULL, worker_main, &m->workers[i]);
		*ret_n += rc == 0;
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int
run_check(struct mover *m, struct error *err)
{
	if (m->broken)
		return error_set(err, ERR_BAD_STATE, "this backup has ended or failed before");
	return OK;
}

int
run_jobs(struct mover *m, struct error *err)
{
	unsigned n;
	int rc;

	jobs_begin(m->jobs, m->n_workers);
	rc = start_threads(m, &n);
	if (rc != 0) {
		struct error why = ERROR_INIT;

		errno = rc;
		(void)error_sys(&why, ERR_NO_MEMORY, "start a thread");
		worker_fail(m, &why);
	} else {
		watch(m);
	}
	for (unsigned i = 0; i < n; i++)
		(void)pthread_join(m->workers[i].thread, NULL);
	if (m->first.code == OK)
		return OK;
	*err = m->first;
	return err->code;
}
