/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The requester's end of the writer protocol (doc/writer-protocol.md): start holdfast-writer-NAME,
 * send events, read states, all in JSON lines over its standard input and output.
 *
 *	start -> identify -> prepare-backup -> prepare-snapshot -> freeze -> thaw -> post-snapshot
 *	-> (data moves; writer_check between) -> post-copy -> backup-complete | abort -> close
 *	restore: start -> pre-restore -> (data moves) -> post-restore -> close
 *
 * thaw and abort may follow every start, even a failed one, and may come twice. A writer that
 * misses a deadline, dies, floods its output or breaks the protocol is killed; its database session
 * ends with it, and with the session the backup mode. What it prints on standard error is kept
 * (bounded) and appended to the error.
 *
 * One thread drives it; writer_check() may be called from that same thread only.
 */
#ifndef HF_WRITER_CLIENT_H
#define HF_WRITER_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "writer/component.h"
#include "writer/state.h"

struct writer_options {
	const char *name; /* "postgresql": runs holdfast-writer-postgresql */
	const char *dir; /* folder of the writer programs */
	json_t *settings; /* borrowed: the [writer.NAME] section as an object of strings */
	uint64_t event_timeout_ns; /* for each event; 0: 15 minutes (VSS's prepare limit) */
};

/* How the moment will be made, for prepare-snapshot. */
struct writer_moment {
	const char *provider; /* "direct": the live files are read */
	bool atomic; /* all of `sources` as they were at one single instant */
	size_t n_sources; /* the live tops that the snapshot set is made of */
	const char *const *sources;
	const char *label; /* for the application's own records */
};

/* In which order writers freeze: front ends before what they stand on; thaw is in reverse. Source:
 * VSS_APPLICATION_LEVEL. */
enum writer_level {
	WRITER_SYSTEM = 1,
	WRITER_BACK_END = 2, /* of a writer that says nothing */
	WRITER_FRONT_END = 3,
};

struct writer;

CHECKED int writer_start(const struct writer_options *options, struct writer **ret,
			 struct error *err);
/* From the next event on. For tests: of one event alone it can be short without that the others fail of it. */
void writer_set_timeout(struct writer *w, uint64_t event_timeout_ns);
/* Ends the program (kindly, then by force) and frees. NULL is fine. */
void writer_close(struct writer *w);
void writer_closep(struct writer **w);

const char *writer_state_text(enum writer_state state); /* "Waiting for completion" */
enum writer_state writer_state_of(const struct writer *w);
const struct error *writer_last_error(const struct writer *w); /* code OK: no error */
/* {"name", "id", "version", ...} as the writer gave it at identify; owned by the writer handle. */
const json_t *writer_metadata(const struct writer *w);

CHECKED int writer_identify(struct writer *w, struct error *err);
/* As of identify. The folders that its component is going to consist of, as far as they are known
 * (*ret_n may be 0): for choosing what to snapshot. Owned by the handle, until the next identify. */
const char *const *writer_paths(const struct writer *w, size_t *ret_n);
enum writer_level writer_level(const struct writer *w);
/* Readable when the process has ended; -1 if it has been reaped. Owned by the handle. */
int writer_pidfd(const struct writer *w);

CHECKED int writer_prepare_backup(struct writer *w, const char *backup_type, struct error *err);
/* Gives the component. Its paths are to be read through the snapshot, where there is one; those of
 * the tail always from the live files. */
CHECKED int writer_prepare_snapshot(struct writer *w, const struct writer_moment *moment,
				    struct component **ret, struct error *err);
/* deadline_ns: boot clock; by then the writer has thawed again or is killed, 60 s at most. */
CHECKED int writer_freeze(struct writer *w, uint64_t deadline_ns, struct error *err);
CHECKED int writer_thaw(struct writer *w, struct error *err);
CHECKED int writer_post_snapshot(struct writer *w, struct error *err);
/* Has the writer told of a failure (lost session ...) or died? OK if all is well. Never blocks.
 * Call it at least once a second while data moves. */
CHECKED int writer_check(struct writer *w, struct error *err);
/* After the last byte of the component was read: end of backup mode, and what belongs to it. */
CHECKED int writer_post_copy(struct writer *w, struct component_tail **ret, struct error *err);
/* The restore point is stored: logs may be released. */
CHECKED int writer_backup_complete(struct writer *w, const char *point_id, struct error *err);
/* Best effort, bounded to a few seconds. cause: what the backup failed of, if that was not this writer; it is then
 * the writer's last error all the same, as people look for it there. NULL: nothing to be told. */
void writer_abort(struct writer *w, const struct error *cause);
/* Its program was killed on purpose, to end a wait: that it died is no failure of its own, and nothing of what
 * it held is left. Anything else stays as it is. */
void writer_excuse(struct writer *w);

/* What a restore's writer is told, before and after; all lent. */
struct writer_restore {
	const json_t *metadata; /* the component object of the restore point */
	const char *target;
	const json_t *map; /* {"OLD": "NEW"} or NULL */
	/* To which moment, and with which logs, as the protocol has it; NULL: as it was backed up. A writer
	 * that does not say that it takes notice of it fails. */
	const json_t *recovery;
};

CHECKED int writer_pre_restore(struct writer *w, const struct writer_restore *restore,
			       struct error *err);
CHECKED int writer_post_restore(struct writer *w, const struct writer_restore *restore,
				struct error *err);

#endif
