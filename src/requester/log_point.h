/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Restore points of logs: what "logs" in the record says (doc/json.md). Pure.
 *
 *	"type": "log", "host": "group:NAME", "roots": [{"name": "logs", ...}],
 *	"logs": {"engine", "identity", "segment_bytes", "timeline", "from", "to", "from_time", "to_time",
 *		 "closed", "history": [{"timeline", "from"}, ...], "names"?: log_names.h,
 *		 "copier"?: {"id", "host"}}: log_plan.h
 *
 * The root's tree is a folder of log files as the server names them, and of timeline history files. All log
 * files are of `timeline`, but those of earlier ones that `history` names; of the last one only what is before `to`
 * counts, zeros follow.
 *
 * Points follow each other: one begins where the file begins in which the one before ended, so that both
 * have that file's beginning. An open point is replaced by a longer one of the same beginning; a closed one
 * is final.
 */
#ifndef HF_REQUESTER_LOG_POINT_H
#define HF_REQUESTER_LOG_POINT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "repo/point.h"

#define LOG_ROOT "logs"
#define LOG_TYPE "log"

enum { LOG_HISTORY_MAX = 64, LOG_HOST_MAX = 64 };

/* From `from` on the log is that of `timeline`. */
struct log_history {
	uint32_t timeline;
	uint64_t from;
};

struct log_point {
	char engine[16]; /* "postgresql" */
	char identity[32]; /* of the database: its system identifier */
	uint64_t segment_bytes; /* of one log file */
	uint32_t timeline; /* at `to` */
	uint64_t from, to; /* all bytes of [from, to) are there */
	/* The server's wall clock. Every commit that was answered before to_time is contained. from_time: the
	 * to_time of the point before; 0 not known. */
	uint64_t from_time_ns, to_time_ns;
	bool closed;
	size_t n_history; /* at least 1; the first is at `from`, the last is of `timeline` */
	struct log_history history[LOG_HISTORY_MAX];
};

/* "group:NAME", the host of all restore points of a group. Returns text. */
char *log_host(const char *group, char text[LOG_HOST_MAX]);

/* New reference; NULL out of memory. */
json_t *log_point_json(const struct log_point *p);
/* ERR_CORRUPT if this is no sensible "logs". */
CHECKED int log_point_parse(const json_t *logs, struct log_point *ret, struct error *err);
/* Is this restore point one of logs, and of this group (NULL: of any)? 1 yes, 0 no; ERR_CORRUPT: it says so,
 * but what it says makes no sense. */
CHECKED int log_point_of(const struct point *p, const char *group, struct log_point *ret,
			 struct error *err);

#endif
