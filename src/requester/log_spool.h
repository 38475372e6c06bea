/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where logs lie between the server and the repository: STATE_DIR/logs/GROUP, 0700, with the log files
 * of the open range, the history files of timelines, and state.json, which says up to where they are durable.
 * One process at a time has it (a lock that dies with it). What is in it can be had again from the server, as
 * long as its slot stays; a spool that does not fit the repository is emptied.
 *
 *	open -> begin a range (or go on with the one there is) -> write ... sync -> stage -> (store) -> begin ...
 */
#ifndef HF_REQUESTER_LOG_SPOOL_H
#define HF_REQUESTER_LOG_SPOOL_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "group/log_source.h"
#include "requester/log_point.h"

enum { LOG_SPOOL_PATH_MAX = 512 };

struct log_spool {
	const struct log_source_ops *ops;
	char path[LOG_SPOOL_PATH_MAX];
	int dirfd, lockfd;
	bool has_range;
	/* The open range; `to`: up to where it is on disk for sure, as of the last sync. */
	struct log_point range;
	uint64_t opened_ns; /* when the range was begun; wall clock */
	uint64_t written; /* up to where it was written; at least `to` */
	int fd; /* the log file that is being written, -1 none */
	uint64_t fd_position; /* of its first byte */
};

/* ERR_BUSY: another process has it. A state that cannot be read is no state: has_range stays false. */
CHECKED int log_spool_open(const char *state_dir, const char *group,
			   const struct log_source_ops *ops, struct log_spool *ret,
			   struct error *err);
void log_spool_close(struct log_spool *s); /* for CLEAN(), too */

/* A new range, with nothing in it but the beginning of its first file if `keep`: then everything else that
 * belongs to it stays, too. Else the spool is emptied. */
CHECKED int log_spool_begin(struct log_spool *s, const struct log_point *range, uint64_t opened_ns,
			    bool keep, struct error *err);
/* Position: where what was written ends; ERR_PROTOCOL otherwise. */
CHECKED int log_spool_write(struct log_spool *s, uint64_t position, struct slice data,
			    struct error *err);
/* Everything written is on disk afterwards, and range.to says so. */
CHECKED int log_spool_sync(struct log_spool *s, struct error *err);
/* Write state.json: after a change of the range's other fields. */
CHECKED int log_spool_save(struct log_spool *s, struct error *err);

bool log_spool_has_history(const struct log_spool *s, uint32_t timeline);
CHECKED int log_spool_put_history(struct log_spool *s, uint32_t timeline, struct slice file,
				  struct error *err);

/*
 * What is to be stored of the range as it stands on disk: whole files by name, which do not change any more,
 * and the folder `dir` with copies of everything else, cut at the range's end and filled up with zeros.
 */
struct log_stage {
	char dir[LOG_SPOOL_PATH_MAX];
	char spool[LOG_SPOOL_PATH_MAX]; /* where the whole files are */
	size_t n;
	char (*whole)[LOG_FILE_NAME_MAX];
};
CHECKED int log_spool_stage(struct log_spool *s, struct log_stage *ret, struct error *err);
void log_stage_done(struct log_stage *g);

/* Another process asks for a store at once: who has the spool looks whether that happened, and forgets. */
CHECKED int log_spool_ask(const char *state_dir, const char *group, struct error *err);
bool log_spool_asked(struct log_spool *s);

/* Pure: the first byte of the file that holds `position`. */
static inline uint64_t
log_file_start(uint64_t position, uint64_t segment_bytes)
{
	return position - position % segment_bytes;
}

#endif
