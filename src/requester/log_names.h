/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Restore points that somebody named (pg_create_restore_point) in the logs of a restore point of type log:
 *
 *	"logs": {..., "names": [{"name", "lsn", "end", "time"}, ...]}
 *
 * All of them whose record lies whole in these logs, by their position. So a name is found without reading logs.
 * Without "names" nothing is known of them: so it is in open points, in those of earlier versions, and where there
 * are too many or the logs could not be understood. Then they have to be read.
 *
 * A record that begins in one file and ends in the next is whole in no point, if its end was not there when one point
 * was closed and the next began with the file after it: see LOG_NAME_SPAN.
 */
#ifndef HF_REQUESTER_LOG_NAMES_H
#define HF_REQUESTER_LOG_NAMES_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "repo/point.h"
#include "requester/log_point.h"

struct log_source_ops;
struct log_stage;

/* No record of a name is longer, with all page headers within: so far behind its first byte a point has it whole. */
enum { LOG_NAME_MAX = 64, LOG_NAMES_MAX = 1000, LOG_NAME_SPAN = 512 };

struct log_name {
	char name[LOG_NAME_MAX];
	uint64_t lsn, end; /* of its record */
	uint64_t time_ns; /* the server's clock */
};

struct log_names {
	bool known;
	size_t n;
	struct log_name *all;
};
void log_names_done(struct log_names *l); /* for CLEAN(), too */

/* Takes one more in; false: it cannot be kept, and nothing is known any more. */
bool log_names_add(struct log_names *l, const char *name, uint64_t lsn, uint64_t end,
		   uint64_t time_ns);
/* Out of what is about to be stored. Reads all of it; what hinders that makes them unknown. */
void log_names_find(const struct log_stage *stage, const struct log_source_ops *ops,
		    const struct log_point *logs, struct log_names *ret);

/* New reference; NULL out of memory. They are known. */
json_t *log_names_json(const struct log_names *l);
/* ERR_CORRUPT: it has such a list, and it makes no sense. */
CHECKED int log_names_of(const struct point *p, struct log_names *ret, struct error *err);

#endif
