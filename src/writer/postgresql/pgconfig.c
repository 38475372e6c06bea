/* SPDX-License-Identifier: Apache-2.0 */

/* Collecting configuration from outside of the data folder. */
#include "writer/postgresql/pgconfig.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/json.h"

enum { FILE_MAX = 256 << 10 };

static const char files_sql[] =
	"SELECT name, setting FROM pg_settings "
	"WHERE name IN ('config_file', 'hba_file', 'ident_file') AND setting <> ''";

/* What was read from files other than the two in the data folder, but for what names places. */
static const char settings_sql[] =
	"SELECT name, setting FROM pg_settings WHERE source = 'configuration file' "
	"AND name NOT IN ('data_directory', 'config_file', 'hba_file', 'ident_file', "
	"'external_pid_file') AND sourcefile IS DISTINCT FROM $1 || '/postgresql.auto.conf' "
	"ORDER BY name";

struct collecting {
	const struct cluster *cl;
	struct pgconn *c;
	const struct pgconn_limit *limit;
	json_t *files;
};

int
pgconfig_line(const char *name, const char *value, struct buf *out, struct error *err)
{
	int rc = buf_printf(out, err, "%s = '", name);
	for (; rc == OK && *value != 0; value++) {
		if (*value == '\n') {
			rc = buf_append(out, "\\n", 2, err);
			continue;
		}
		/* A quote is doubled; so is a backslash, which would begin an escape. */
		if (*value == '\'' || *value == '\\')
			rc = buf_u8(out, (uint8_t)*value, err);
		if (rc == OK)
			rc = buf_u8(out, (uint8_t)*value, err);
	}
	return rc == OK ? buf_append(out, "'\n", 2, err) : rc;
}

static int
add_file(struct collecting *k, const char *at, const struct buf *data, struct error *err)
{
	json_t *file = json_pack("{s:s, s:o, s:i}", "at", at, "data", json_bytes(data->p, data->n),
				 "mode", (int)(k->cl->dir_mode & 0640));

	return json_array_append_new(k->files, file) == 0 ? OK : (int)error_no_memory(err);
}

static int
add_copy(struct collecting *k, const char *from, const char *at, struct error *err)
{
	CLEAN(buf_done) struct buf data = BUF_INIT(FILE_MAX);

	int rc = fs_read_file(AT_FDCWD, from, &data, err);
	if (rc < 0)
		return error_prefix(err, "read the configuration '%s'", from);
	return add_file(k, at, &data, err);
}

static int
add_settings(struct collecting *k, const char *config_file, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	CLEAN(buf_done) struct buf text = BUF_INIT(FILE_MAX);
	const char *const params[] = {k->cl->data_directory};

	int rc = pgconn_query(k->c, k->limit, settings_sql, 1, params, &r, err);
	if (rc == OK)
		rc = buf_printf(
			&text, err,
			"# Made by Holdfast when this cluster was backed up: its configuration "
			"lay outside of\n# the data folder, in %s. These are the settings that "
			"were in force.\n",
			config_file);
	for (int i = 0; rc == OK && i < PQntuples(r); i++)
		rc = pgconfig_line(PQgetvalue(r, i, 0), PQgetvalue(r, i, 1), &text, err);
	if (rc < 0)
		return error_prefix(err, "collect the settings");
	return add_file(k, "postgresql.conf", &text, err);
}

static int
add_one(struct collecting *k, const char *setting, const char *file, struct error *err)
{
	const char *dir = k->cl->data_directory;
	const char *at = setting[0] == 'c'   ? "postgresql.conf"
			 : setting[0] == 'h' ? "pg_hba.conf"
					     : "pg_ident.conf";
	CLEAN(free_ptr) char *inside = NULL;
	struct stat st;

	/* In the data folder, or something of that name is: then that is what gets copied. */
	if (strncmp(file, dir, strlen(dir)) == 0 && file[strlen(dir)] == '/')
		return OK;
	if (asprintf(&inside, "%s/%s", dir, at) < 0)
		return error_no_memory(err);
	if (lstat(inside, &st) == 0)
		return OK;
	if (setting[0] == 'c')
		return add_settings(k, file, err);
	return add_copy(k, file, at, err);
}

int
pgconfig_collect(const struct cluster *cl, struct pgconn *c, const struct pgconn_limit *limit,
		 json_t **ret, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	CLEAN(json_done) json_t *files = json_array();
	struct collecting k = {cl, c, limit, files};

	if (files == NULL)
		return error_no_memory(err);
	int rc = pgconn_query(c, limit, files_sql, 0, NULL, &r, err);
	for (int i = 0; rc == OK && i < PQntuples(r); i++)
		rc = add_one(&k, PQgetvalue(r, i, 0), PQgetvalue(r, i, 1), err);
	if (rc < 0)
		return rc;
	*ret = STEAL_PTR(files);
	return OK;
}
