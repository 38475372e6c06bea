/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Each event of the protocol in PostgreSQL's terms. One session is opened at identify and lives
 * until backup-complete or abort; closing it is what undoes everything. (Only an image lets it go as
 * soon as the snapshot is there.)
 */
#include "writer/postgresql/pgwriter.h"

#include <string.h>

#include "base/json.h"
#include "writer/postgresql/osuser.h"
#include "writer/postgresql/pgrestore.h"
#include "writer/postgresql/pgwriter_internal.h"

enum { TARGET_MAX = 65536 };

int
pgwriter_new(pid_t parent, struct pgwriter **ret, struct error *err)
{
	struct pgwriter *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return error_no_memory(err);
	w->parent = parent;
	*ret = w;
	return OK;
}

static void
close_session(struct pgwriter *w)
{
	w->watching = false;
	hotbackup_cancel(&w->backup);
	image_done(&w->image);
	pgconn_close(STEAL_PTR(w->conn));
}

static void
end_session(struct pgwriter *w)
{
	close_session(w);
	w->method = METHOD_NONE;
	json_decref(STEAL_PTR(w->config_files));
	json_decref(STEAL_PTR(w->tail));
}

void
pgwriter_free(struct pgwriter *w)
{
	if (w == NULL)
		return;
	end_session(w);
	cluster_done(&w->cluster);
	pgsettings_done(&w->settings);
	free(w);
}

struct pgconn_limit
pgwriter_limit(const struct writer_request *request)
{
	return (struct pgconn_limit){.deadline_ns = request->deadline_ns,
				     .requester_fd = request->requester_fd};
}

int
pgwriter_put(json_t *reply, const char *key, json_t *value, struct error *err)
{
	return json_object_set_new(reply, key, value) == 0 ? OK : (int)error_no_memory(err);
}

static int
on_start(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	struct pgwriter *w = self;

	(void)reply;
	pgsettings_done(&w->settings);
	return pgsettings_parse(json_object_get(request->body, "settings"), &w->settings, err);
}

static int
look(struct pgwriter *w, const struct pgconn_limit *limit, struct error *err)
{
	int rc = dialect_find(pgconn_server_version(w->conn), &w->dialect, err);
	if (rc < 0)
		return rc;
	cluster_done(&w->cluster);
	return cluster_look(w->conn, limit, &w->cluster, err);
}

/* Where the cluster's files are. A role that may not know the data folder gives none: what it lacks
 * is said at prepare-backup. */
static int
list_paths(struct pgwriter *w, const struct pgconn_limit *limit, json_t **ret, struct error *err)
{
	CLEAN(spcmap_done) struct spcmap tablespaces = SPCMAP_INIT;

	if (w->cluster.data_directory == NULL) {
		*ret = json_array();
		return OK;
	}
	int rc = cluster_tablespaces(w->conn, limit, &tablespaces, err);
	return rc == OK ? reach_list(w->cluster.data_directory, &tablespaces, ret, err) : rc;
}

/* `host`: the folder of the socket that was found, if the settings name none. */
static int
open_session(struct pgwriter *w, const char *host, const struct pgconn_limit *limit,
	     struct error *err)
{
	const struct pgsettings *s = &w->settings;
	const struct pgconn_target target = {
		.host = host != NULL ? host : s->host,
		.port = s->port,
		.user = s->user,
		.database = s->database,
		.passfile = s->passfile,
		.connect_timeout_s = s->connect_timeout_s,
	};

	return pgconn_open(&target, limit, &w->conn, err);
}

static int
on_identify(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	struct pgwriter *w = self;
	struct pgconn_limit limit = pgwriter_limit(request);
	CLEAN(free_ptr) char *host = NULL;
	json_t *paths = NULL;

	end_session(w);
	int rc = osuser_for_connecting(&w->settings, w->parent, &host, err);
	if (rc == OK)
		rc = open_session(w, host, &limit, err);
	if (rc == OK)
		rc = look(w, &limit, err);
	if (rc == OK)
		rc = list_paths(w, &limit, &paths, err);
	if (rc == OK)
		rc = pgwriter_put(reply, "paths", paths, err);
	if (rc < 0)
		return rc;
	json_t *metadata = cluster_describe(&w->cluster);
	if (pgwriter_put(metadata, "name", json_string("postgresql"), err) < 0 ||
	    pgwriter_put(metadata, "title", json_string("PostgreSQL Writer"), err) < 0 ||
	    pgwriter_put(metadata, "tablespaces", json_integer((json_int_t)w->cluster.tablespaces),
			 err) < 0 ||
	    pgwriter_put(metadata, "id", json_string(w->cluster.system_identifier), err) < 0) {
		json_decref(metadata);
		return ERR_NO_MEMORY;
	}
	return pgwriter_put(reply, "metadata", metadata, err);
}

/* What these three differ in is the requester's: the history, and which logs may go. Every copy is complete, and
 * which pages of it are new is found out by comparing. */
static bool
makes_type(const char *type)
{
	return strcmp(type, "full") == 0 || strcmp(type, "copy") == 0 ||
	       strcmp(type, "incremental") == 0;
}

static int
on_prepare_backup(void *self, const struct writer_request *request, json_t *reply,
		  struct error *err)
{
	struct pgwriter *w = self;
	struct pgconn_limit limit = pgwriter_limit(request);
	const char *type;

	(void)reply;
	int rc = json_opt_str(request->body, "backup_type", "full", &type, err);
	if (rc < 0)
		return rc;
	if (!makes_type(type)) {
		(void)error_set(err, ERR_WRITER_FAILED,
				"the PostgreSQL writer makes no '%s' backups", type);
		return error_hint(err, "ask for 'full', 'incremental' or 'copy'");
	}
	rc = look(w, &limit, err);
	if (rc < 0)
		return rc;
	return cluster_check(&w->cluster, w->dialect, w->conn, &limit, err);
}

static int
on_post_snapshot(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	struct pgwriter *w = self;
	struct pgconn_limit limit = pgwriter_limit(request);

	(void)reply;
	if (w->method == METHOD_HOT)
		return hotbackup_prove(&w->backup, &limit, err);
	/* All of it is in the snapshot: the server need not bear backup mode any longer, only hold
	 * the logs up to here. */
	if (w->method == METHOD_HOT_SNAPSHOT)
		return hotbackup_end(&w->backup, &limit, &w->tail, err);
	/* Nothing more is wanted of the server: whatever happens to it does not touch the image. */
	int rc = image_prove(&w->image, &limit, err);
	if (rc < 0)
		return rc;
	w->tail = json_pack("{s:[], s:o}", "files", "metadata", image_range(&w->image));
	close_session(w);
	return w->tail != NULL ? OK : (int)error_no_memory(err);
}

static int
on_post_copy(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	struct pgwriter *w = self;
	struct pgconn_limit limit = pgwriter_limit(request);
	int rc = OK;

	if (w->method == METHOD_HOT)
		rc = hotbackup_end(&w->backup, &limit, &w->tail, err);
	if (rc < 0)
		return rc;
	if (w->tail == NULL ||
	    json_array_extend(json_object_get(w->tail, "files"), w->config_files) < 0)
		return error_no_memory(err);
	return pgwriter_put(reply, "tail", STEAL_PTR(w->tail), err);
}

static int
on_backup_complete(void *self, const struct writer_request *request, json_t *reply,
		   struct error *err)
{
	struct pgwriter *w = self;
	struct pgconn_limit limit = pgwriter_limit(request);
	int rc = OK;

	(void)reply;
	if (w->method != METHOD_IMAGE)
		rc = hotbackup_release(&w->backup, &limit, err);
	if (rc == OK)
		end_session(w);
	return rc;
}

static int
on_abort(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	(void)request;
	(void)reply;
	(void)err;
	end_session(self);
	return OK;
}

/* Both events of a restore carry the same. */
static int
restore(struct pgwriter *w, const struct writer_request *request, json_t *reply,
	int (*step)(const struct pgrestore *r, struct error *err), struct error *err)
{
	CLEAN(buf_done) struct buf target = BUF_INIT(TARGET_MAX);
	json_t *metadata, *map, *recovery = json_object_get(request->body, "recovery");

	if (json_get_obj(request->body, "metadata", &metadata, err) < 0 ||
	    json_get_obj(request->body, "map", &map, err) < 0)
		return ERR_PROTOCOL;
	int rc = json_bytes_get(json_object_get(request->body, "target"), &target, err);
	if (rc == OK)
		rc = buf_u8(&target, 0, err);
	if (rc < 0)
		return error_prefix(err, "field 'target'");
	struct pgrestore r = {metadata, (const char *)target.p, map, recovery, w->parent};
	rc = step(&r, err);
	if (rc == OK && recovery != NULL)
		rc = pgwriter_put(reply, "recovery", json_true(), err);
	return rc;
}

static int
on_pre_restore(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	return restore(self, request, reply, pgrestore_check, err);
}

static int
on_post_restore(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	return restore(self, request, reply, pgrestore_finish, err);
}

static int
poll_fd(void *self)
{
	const struct pgwriter *w = self;

	return w->conn != NULL ? pgconn_fd(w->conn) : -1;
}

static int
tick(void *self, uint64_t *ret_next_ns, struct error *err)
{
	struct pgwriter *w = self;

	*ret_next_ns = UINT64_MAX;
	if (w->conn == NULL)
		return OK;
	if (w->watching)
		return hotbackup_watch(&w->backup, ret_next_ns, err);
	/* Nothing was asked: all that can come is the session's end. */
	int rc = pgconn_take(w->conn, NULL, err);
	return rc < 0 ? rc : OK;
}

const struct writer_ops pgwriter_ops = {
	.name = "postgresql",
	.start = on_start,
	.identify = on_identify,
	.prepare_backup = on_prepare_backup,
	.prepare_snapshot = pgwriter_prepare_snapshot,
	.post_snapshot = on_post_snapshot,
	.post_copy = on_post_copy,
	.backup_complete = on_backup_complete,
	.abort = on_abort,
	.pre_restore = on_pre_restore,
	.post_restore = on_post_restore,
	.poll_fd = poll_fd,
	.tick = tick,
};
