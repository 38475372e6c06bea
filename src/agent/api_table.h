/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The agent's functions, once: the parser of requests, doc/openapi.yaml's test and the list in Hello all come
 * from this table. doc/api.md tells people the same.
 */
#ifndef HF_AGENT_API_TABLE_H
#define HF_AGENT_API_TABLE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

enum api_function {
	API_NONE = 0,
	API_HELLO,
	API_GATHER_WRITER_METADATA,
	API_GATHER_WRITER_STATUS,
	API_PREPARE_SNAPSHOT,
	API_CREATE_SNAPSHOT,
	API_KEEP_SNAPSHOT,
	API_KEEP_SNAPSHOT_EX,
	API_MOVE_DATA,
	API_STORE_EXCHANGE,
	API_FINISH_SNAPSHOT,
	API_FINISH_SNAPSHOT_EX,
	API_BACKUP_COMPLETE,
	API_ABORT_SNAPSHOT,
	API_LIST_SNAPSHOTS,
	API_RELEASE_SNAPSHOT,
	API_LIST_EVENTS,
	API_COUNT,
};

enum api_type {
	API_GUID = 1, /* {8-4-4-4-12} */
	API_NUMBER, /* min … max */
	API_BOOL,
	API_TEXT, /* max bytes */
	API_NAMES, /* array of at most max texts of at most 255 bytes */
	API_PATHS, /* array of at most max texts or {"bytes"} */
	API_OBJECT, /* looked into by whoever gets it */
	API_OBJECT_OR_NULL,
};

/* Who answers, and whether it may take time. */
enum api_kind {
	API_QUICK = 1, /* from the service's own memory */
	API_LEASE, /* a keep-alive: goes before everything */
	API_ORDER, /* a step of a job, in its turn */
	API_ERRAND, /* takes time, belongs to no job */
	API_STREAM, /* MoveData */
	API_EXCHANGE, /* StoreExchange: framed, not JSON */
};

struct api_field {
	const char *name;
	enum api_type type;
	bool required;
	uint64_t min, max;
	const char *help;
};

enum { API_FIELDS_MAX = 12 };

struct api_def {
	const char *name;
	enum api_kind kind;
	size_t body_max;
	const char *help;
	struct api_field fields[API_FIELDS_MAX]; /* ends with a NULL name */
	const char *reply[API_FIELDS_MAX]; /* the names in a reply; ends with NULL */
};

/* NULL for API_NONE and beyond the end. */
const struct api_def *api_table_of(enum api_function id);
/* API_NONE: there is none. */
enum api_function api_table_find(const char *name);

/* Is this request as the table says? ERR_USAGE names the field that is not. */
CHECKED int api_table_check(const struct api_def *def, const json_t *request, struct error *err);

#endif
