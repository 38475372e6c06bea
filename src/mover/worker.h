/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the files of the backup side share: the mover, its workers, and how they warn and stop. A
 * worker belongs to one thread at a time: its own thread while jobs run, whoever called the mover
 * between.
 */
#ifndef HF_MOVER_WORKER_H
#define HF_MOVER_WORKER_H

#include <pthread.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "mover/backup.h"
#include "mover/folder.h"
#include "mover/jobs.h"
#include "mover/links.h"
#include "mover/travel.h"
#include "repo/chunker.h"
#include "repo/map.h"

enum {
	WORKER_BUFFER = 2 << 20, /* chunks: what is left of one read, and another megabyte */
	/* What one worker uses with its sink and reader (measured: 10 to 14 MiB): how many fit the limit. */
	WORKER_MEMORY = 16 << 20,
	WORKER_PATH_MAX = 16 << 20,
};

struct mover_worker {
	struct mover *mover;
	pthread_t thread;
	struct repo_sink *sink;
	struct repo_reader *reader;
	uint8_t *buffer; /* WORKER_BUFFER */
	struct map_chunk *chunks; /* MAP_SEGMENT_CHUNKS_MAX */
	struct travel travel; /* changed pages on their way */
	struct buf path, scratch;
};

struct mover {
	struct repo *repo;
	struct repo_index *index;
	struct repo_writer *writer;
	struct mover_options options;
	struct progress *progress;
	struct chunker chunker;
	uid_t euid;
	bool privileged; /* may open any file with O_NOATIME */

	struct jobs *jobs;
	struct links *links;
	struct folder_fds fds;
	unsigned n_workers;
	struct mover_worker *workers;

	pthread_mutex_t lock; /* for warnings, and: */
	struct error first; /* of the failures that stop everything; code OK: none */
	struct job *deferred; /* to run when everything else is done */
	struct slice_file *files; /* being read */

	atomic_size_t unscanned; /* folders whose entries are not all known yet */

	/* The tree being made. */
	struct graft *grafts; /* the first is the top; in the order they were added */
	struct graft **grafts_end;
	struct blob_id previous; /* zero: none */
	bool component_open; /* between mover_component_begin and _end */
	bool broken; /* something failed: only mover_free() is left */
};

/* Give a warning about an entry. Never fails: when memory is gone, the path is shortened. */
void worker_warn(struct mover_worker *w, struct entry *e, enum err code, bool serious,
		 const char *format, ...) PRINTF_LIKE(5, 6);
/*
 * An entry cannot be read: leave it out, and warn as its graft asks: silently when it vanished from a
 * hot copy; as an error when it is needed. `sys` is the errno, `what` what was tried.
 */
CHECKED int worker_lost(struct mover_worker *w, struct entry *e, int sys, const char *what,
			struct error *err);

/*
 * Something of the previous restore point could not be read. True if that is damage: it is told, `err`
 * is reset, and the caller goes on as if there had been no such thing; what is backed up now does not
 * depend on it. Any other failure is one.
 */
CHECKED bool worker_past_damaged(struct mover_worker *w, struct entry *e, struct error *err);

/* A folder's entries are all known: when there is none left of which they are not, so is the total. */
void worker_scanned(struct mover *m);
/* Stop everything with this error, unless something failed before. */
void worker_fail(struct mover *m, const struct error *err);
/* A worker's thread: jobs until there are no more. arg: struct mover_worker. */
void *worker_main(void *arg);

#endif
