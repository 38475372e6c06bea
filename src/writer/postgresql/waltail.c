/* SPDX-License-Identifier: Apache-2.0 */

/* Listing the logs of a backup. */
#include "writer/postgresql/waltail.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "writer/component.h"

struct making {
	const struct waltail *t;
	const char *wal_dir; /* the real one, behind a link */
	json_t *paths;
	json_t *files;
	json_t *names; /* of the logs, for the metadata */
};

static int
add_path(struct making *m, const char *name, uint64_t size, struct error *err)
{
	CLEAN(free_ptr) char *source = NULL;
	CLEAN(free_ptr) char *at = NULL;

	if (asprintf(&source, "%s/%s", m->wal_dir, name) < 0 ||
	    asprintf(&at, "pg_wal/%s", name) < 0)
		return error_no_memory(err);
	json_t *path = json_pack("{s:o, s:s, s:I}", "source", json_bytes(source, strlen(source)),
				 "at", at, "expect_size", (json_int_t)size);
	if (json_array_append_new(m->paths, path) < 0 ||
	    json_array_append_new(m->names, json_string(name)) < 0)
		return error_no_memory(err);
	return OK;
}

/* The size of a file in the log's folder; 0 if there is none. */
static int
size_of(const struct making *m, const char *name, uint64_t *ret, struct error *err)
{
	CLEAN(free_ptr) char *path = NULL;
	struct stat st;

	if (asprintf(&path, "%s/%s", m->wal_dir, name) < 0)
		return error_no_memory(err);
	if (stat(path, &st) == 0)
		*ret = (uint64_t)st.st_size;
	else if (errno == ENOENT)
		*ret = 0;
	else
		return error_sys(err, ERR_SOURCE, "look at the log '%s'", path);
	return OK;
}

static int
add_segments(struct making *m, struct error *err)
{
	uint64_t segment = m->t->cluster->wal_segment_bytes;
	struct walrange range;

	if (!walrange_make(m->t->timeline, m->t->start_lsn, m->t->stop_lsn, segment, &range))
		return error_set(err, ERR_WRITER_FAILED, "the server gives no range of the log");
	if (walrange_count(&range) > COMPONENT_LIST_MAX - 1)
		return error_set(err, ERR_LIMIT, "%" PRIu64 " logs were written during the backup",
				 walrange_count(&range));
	for (uint64_t i = range.first; i <= range.last; i++) {
		char name[WALRANGE_NAME_LEN + 1];
		uint64_t size = 0;

		int rc = size_of(m, walrange_name(&range, i, name), &size, err);
		if (rc == OK && size != segment)
			rc = error_set(err, ERR_WRITER_RETRYABLE,
				       "the log %s is %s although it was held for the backup", name,
				       size == 0 ? "missing" : "cut short");
		if (rc == OK)
			rc = add_path(m, name, size, err);
		if (rc < 0)
			return rc;
	}
	return OK;
}

/* How a timeline came about. Recovery within one timeline can do without; later ones cannot. */
static int
add_history(struct making *m, struct error *err)
{
	char name[32];
	uint64_t size = 0;

	if (m->t->timeline == 1)
		return OK;
	(void)snprintf(name, sizeof(name), "%08" PRIX32 ".history", m->t->timeline);
	int rc = size_of(m, name, &size, err);
	return rc == OK && size > 0 ? add_path(m, name, size, err) : rc;
}

static int
add_file(struct making *m, const char *at, struct slice data, struct error *err)
{
	unsigned mode = m->t->cluster->dir_mode & 0640;

	if (data.n == 0)
		return OK;
	json_t *file = json_pack("{s:s, s:o, s:i}", "at", at, "data", json_bytes(data.p, data.n),
				 "mode", (int)mode);
	return json_array_append_new(m->files, file) == 0 ? OK : (int)error_no_memory(err);
}

static json_t *
metadata_of(const struct making *m)
{
	char start[WALRANGE_LSN_LEN + 1], stop[WALRANGE_LSN_LEN + 1];

	walrange_format_lsn(m->t->stop_lsn, stop);
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:O}", "start_lsn",
			 walrange_format_lsn(m->t->start_lsn, start), "held_lsn", stop, "stop_lsn",
			 stop, "timeline", (json_int_t)m->t->timeline, "stop_timeline",
			 (json_int_t)m->t->timeline, "start_time", (json_int_t)m->t->start_time_ns,
			 "stop_time", (json_int_t)m->t->stop_time_ns, "wal", m->names);
}

static int
fill(struct making *m, struct error *err)
{
	int rc = add_segments(m, err);
	if (rc == OK)
		rc = add_history(m, err);
	if (rc == OK)
		rc = add_file(m, "backup_label", m->t->label, err);
	if (rc == OK)
		rc = add_file(m, "tablespace_map", m->t->map, err);
	return rc;
}

int
waltail_make(const struct waltail *t, json_t **ret, struct error *err)
{
	CLEAN(json_done) json_t *paths = json_array();
	CLEAN(json_done) json_t *files = json_array();
	CLEAN(json_done) json_t *names = json_array();
	CLEAN(free_ptr) char *link = NULL;
	CLEAN(free_ptr) char *wal_dir = NULL;

	if (asprintf(&link, "%s/pg_wal", t->cluster->data_directory) < 0)
		return error_no_memory(err);
	wal_dir = realpath(link, NULL);
	if (wal_dir == NULL)
		return error_sys(err, ERR_SOURCE, "open the log's folder '%s'", link);
	struct making m = {t, wal_dir, paths, files, names};
	int rc = fill(&m, err);
	if (rc < 0)
		return rc;
	*ret = json_pack("{s:O, s:O, s:o}", "paths", paths, "files", files, "metadata",
			 metadata_of(&m));
	return *ret != NULL ? OK : (int)error_no_memory(err);
}
