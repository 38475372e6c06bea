/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table. A new function is a line in enum api_function, an entry here, its description in doc/api.md and
 * doc/openapi.yaml (a test asks for it), and its handler.
 */
#include "agent/api_table.h"

#include <string.h>

#include "base/uuid.h"

enum {
	BODY = 256 * 1024,
	BODY_MOVE = 4 * 1024 * 1024,
	BODY_EXCHANGE = 4 * 1024 * 1024 + 64 * 1024 + 4,
	NAME_MAX_BYTES = 255,
};

/* clang-format off */
#define JOB		{"JobId", API_GUID, true, 0, 0, "the job"}
#define JOB_OPTIONAL	{"JobId", API_GUID, false, 0, 0, "the job"}
#define SET(must)	{"SetId", API_GUID, must, 0, 0, "the snapshot set"}
#define EPOCH(must)	{"Epoch", API_NUMBER, must, 0, INT64_MAX, "of the lease"}
#define TTL(must)	{"TTL", API_NUMBER, must, 1, 86400, "seconds for which the lease lives without a keep-alive"}
#define REQUEST_ID	{"RequestId", API_TEXT, false, 1, 64, "the requester's name for this order"}
#define HOLD(most)	{"Hold", API_NUMBER, false, 0, most, "milliseconds to hold the reply back for"}
#define SKIP		{"Skip", API_BOOL, false, 0, 0, "true: instead of MoveData; nothing was copied, this is a test"}
#define ORDER_FIELDS	JOB, SET(true), EPOCH(true), REQUEST_ID, HOLD(30000)

static const struct api_def table[API_COUNT] = {
	[API_HELLO] = {"Hello", API_QUICK, BODY, "who is there",
		{{.name = NULL}},
		{"Product", "Version", "Api", "HostName", "BootId", "Now", "Peer", "Functions", "Writers",
		 "Limits", "Jobs"}},
	[API_GATHER_WRITER_METADATA] = {"GatherWriterMetadata", API_ERRAND, BODY, "ask writers who they are",
		{{"Writers", API_NAMES, false, 0, 64, "names; absent: all"}, REQUEST_ID, HOLD(30000)},
		{"Writers"}},
	[API_GATHER_WRITER_STATUS] = {"GatherWriterStatus", API_QUICK, BODY, "state and last error of writers",
		{JOB_OPTIONAL},
		{"Writers"}},
	[API_PREPARE_SNAPSHOT] = {"PrepareSnapshot", API_ORDER, BODY, "begin a job: plan, writers, lease",
		{JOB,
		 {"Paths", API_PATHS, false, 0, 4096, "folders and files"},
		 {"Writers", API_NAMES, false, 0, 64, "names"},
		 {"Provider", API_TEXT, false, 1, 15, "auto, or a provider's name"},
		 TTL(false),
		 {"FreezeLimit", API_NUMBER, false, 1, 60, "seconds for which anything may be frozen"},
		 {"BackupType", API_TEXT, false, 1, 16, "FULL, COPY, INCREMENTAL"},
		 {"Require", API_TEXT, false, 1, 16, "application, crash, none"},
		 {"Label", API_TEXT, false, 1, 63, "shown in the database"},
		 REQUEST_ID, HOLD(30000)},
		{"JobId", "SetId", "Epoch", "TTL", "Leased", "Plan", "Missing", "Writers"}},
	[API_CREATE_SNAPSHOT] = {"CreateSnapshot", API_ORDER, BODY, "freeze, snapshot, thaw",
		{ORDER_FIELDS},
		{"Moment", "Writers"}},
	[API_KEEP_SNAPSHOT] = {"KeepSnapshot", API_LEASE, BODY, "keep-alive",
		{JOB, SET(false), EPOCH(false)},
		{"JobId", "TTL", "LeftMs", "Deadline"}},
	[API_KEEP_SNAPSHOT_EX] = {"KeepSnapshotEx", API_LEASE, BODY, "keep-alive with a new time to live",
		{JOB, TTL(true), SET(false), EPOCH(false)},
		{"JobId", "TTL", "LeftMs", "Deadline"}},
	[API_MOVE_DATA] = {"MoveData", API_STREAM, BODY_MOVE, "start the mover, or listen to it again",
		{JOB, SET(true), EPOCH(true),
		 {"After", API_NUMBER, false, 0, INT64_MAX, "last line seen"},
		 {"Order", API_OBJECT, false, 0, 0, "what to move, where to"}},
		{NULL}},
	[API_STORE_EXCHANGE] = {"StoreExchange", API_EXCHANGE, BODY_EXCHANGE, "answer one operation of the mover, get the next",
		{JOB, SET(true), EPOCH(true), HOLD(1000),
		 {"Connection", API_NUMBER, false, 1, UINT64_C(1) << 53, "the requester's name for this connection"},
		 {"Answer", API_OBJECT_OR_NULL, false, 0, 0, "to the operation got before"}},
		{"Operation", "Closed"}},
	[API_FINISH_SNAPSHOT] = {"FinishSnapshot", API_ORDER, BODY, "end the lease: what was achieved",
		{ORDER_FIELDS, SKIP},
		{"Verdict", "Writers"}},
	[API_FINISH_SNAPSHOT_EX] = {"FinishSnapshotEx", API_ORDER, BODY, "end the lease: what was achieved",
		{ORDER_FIELDS, SKIP, TTL(true)},
		{"Verdict", "Writers"}},
	[API_BACKUP_COMPLETE] = {"BackupComplete", API_ORDER, BODY, "the restore point is stored",
		{ORDER_FIELDS, {"Point", API_TEXT, true, 1, 128, "id of the restore point"}},
		{"Writers", "Warning"}},
	[API_ABORT_SNAPSHOT] = {"AbortSnapshot", API_ORDER, BODY, "give up",
		{JOB, SET(false), EPOCH(false),
		 {"Error", API_OBJECT, false, 0, 0, "what the requester gives up for: the writers' last error from now on"},
		 {"Writers", API_NAMES, false, 0, 8, "with Error, of a job that never began: whose last error it is"},
		 {"Instances", API_NAMES, false, 0, 8, "of each of Writers, in their order: which application is meant"},
		 REQUEST_ID, HOLD(30000)},
		{"Writers"}},
	[API_LIST_SNAPSHOTS] = {"ListSnapshots", API_QUICK, BODY, "what is held, what ended",
		{{.name = NULL}},
		{"Snapshots", "Ended"}},
	[API_RELEASE_SNAPSHOT] = {"ReleaseSnapshot", API_ERRAND, BODY, "end a lease by hand",
		{SET(true), REQUEST_ID, HOLD(30000)},
		{"Writers"}},
	[API_LIST_EVENTS] = {"ListEvents", API_ERRAND, BODY, "the event log",
		{{"After", API_NUMBER, false, 0, INT64_MAX, "position to begin after"},
		 {"Limit", API_NUMBER, false, 1, 1000, "how many at most"}, JOB_OPTIONAL},
		{"Events", "Next"}},
};
/* clang-format on */

const struct api_def *
api_table_of(enum api_function id)
{
	return id > API_NONE && id < API_COUNT ? &table[id] : NULL;
}

enum api_function
api_table_find(const char *name)
{
	for (enum api_function id = API_NONE + 1; id < API_COUNT; id++)
		if (strcmp(table[id].name, name) == 0)
			return id;
	return API_NONE;
}

static bool
text_fits(const json_t *v, uint64_t min, uint64_t max)
{
	return json_is_string(v) && json_string_length(v) >= min && json_string_length(v) <= max;
}

static bool
path_fits(const json_t *v)
{
	const json_t *bytes;

	if (json_is_string(v))
		return json_string_length(v) > 0;
	bytes = json_object_get(v, "bytes");
	return json_object_size(v) == 1 && text_fits(bytes, 1, UINT64_MAX);
}

static int
check_field(const struct api_field *f, const json_t *v, struct error *err)
{
	uint8_t id[UUID_SIZE];
	size_t i;
	json_t *item;

	switch (f->type) {
	case API_GUID:
		if (json_is_string(v) && uuid_parse(json_string_value(v), id))
			return OK;
		return error_set(err, ERR_USAGE, "field '%s' is not of the form {8-4-4-4-12}",
				 f->name);
	case API_NUMBER:
		if (json_is_integer(v) && json_integer_value(v) >= 0 &&
		    (uint64_t)json_integer_value(v) >= f->min &&
		    (uint64_t)json_integer_value(v) <= f->max)
			return OK;
		return error_set(err, ERR_USAGE, "field '%s' is not a number from %llu to %llu",
				 f->name, (unsigned long long)f->min, (unsigned long long)f->max);
	case API_BOOL:
		if (json_is_boolean(v))
			return OK;
		return error_set(err, ERR_USAGE, "field '%s' is neither true nor false", f->name);
	case API_TEXT:
		if (text_fits(v, f->min, f->max))
			return OK;
		return error_set(err, ERR_USAGE, "field '%s' is not a text of %llu to %llu bytes",
				 f->name, (unsigned long long)f->min, (unsigned long long)f->max);
	case API_NAMES:
	case API_PATHS:
		if (!json_is_array(v) || json_array_size(v) > f->max)
			return error_set(err, ERR_USAGE,
					 "field '%s' is not an array of at most %llu", f->name,
					 (unsigned long long)f->max);
		json_array_foreach(v, i, item) if (
			f->type == API_PATHS
				? !path_fits(item)
				: !text_fits(
					  item, 1,
					  NAME_MAX_BYTES)) return error_set(err, ERR_USAGE,
									    "field '%s': entry %zu is no name",
									    f->name, i);
		return OK;
	case API_OBJECT_OR_NULL:
		if (json_is_null(v))
			return OK;
		/* fall through */
	case API_OBJECT:
		if (json_is_object(v))
			return OK;
		return error_set(err, ERR_USAGE, "field '%s' is not an object", f->name);
	}
	return error_set(err, ERR_INTERNAL, "field '%s' has no type", f->name);
}

static const struct api_field *
field_of(const struct api_def *def, const char *name)
{
	for (const struct api_field *f = def->fields; f->name != NULL; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

int
api_table_check(const struct api_def *def, const json_t *request, struct error *err)
{
	const char *name;
	json_t *value;

	if (!json_is_object(request))
		return error_set(err, ERR_USAGE, "a request is a JSON object");
	/* jansson's iteration macro wants a mutable one, and changes nothing. */
	json_object_foreach((json_t *)(uintptr_t)request, name, value)
	{
		const struct api_field *f = field_of(def, name);

		if (f == NULL)
			return error_set(err, ERR_USAGE, "%s has no field '%.64s'", def->name,
					 name);
		if (check_field(f, value, err) < 0)
			return ERR_USAGE;
	}
	for (const struct api_field *f = def->fields; f->name != NULL; f++)
		if (f->required && json_object_get(request, f->name) == NULL)
			return error_set(err, ERR_USAGE, "field '%s' is missing", f->name);
	return OK;
}
