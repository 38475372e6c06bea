/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Each event of the protocol in PostgreSQL's terms. One session is opened at identify and lives
 * until backup-complete or abort; closing it is what undoes everything. (Only an image lets it go as
 * soon as the snapshot is there.)
 */
#include "writer/postgresql/pgwriter.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "writer/postgresql/cluster.h"
#include "writer/postgresql/dialect.h"
#include "writer/postgresql/hotbackup.h"
#include "writer/postgresql/image.h"
#include "writer/postgresql/layout.h"
#include "writer/postgresql/osuser.h"
#include "writer/postgresql/pgconfig.h"
#include "writer/postgresql/pgconn.h"
#include "writer/postgresql/pgrestore.h"
#include "writer/postgresql/pgsettings.h"
#include "writer/postgresql/reach.h"
#include "writer/postgresql/slot.h"

enum { LABEL_MAX = 200, TARGET_MAX = 65536 };

struct pgwriter {
	pid_t parent;
	struct pgsettings settings;
	struct pgconn *conn; /* NULL: no session */
	struct cluster cluster; /* as of the last look */
	const struct dialect *dialect;
	struct hotbackup backup;
	struct image image;
	enum method {
		METHOD_NONE,
		METHOD_HOT, /* backup mode until all is read */
		METHOD_HOT_SNAPSHOT, /* backup mode until the snapshot is there */
		METHOD_IMAGE, /* none */
	} method;
	char why[REACH_WHY_MAX]; /* not the method after it */
	bool watching; /* the backup has begun: its session is asked, not only listened to */
	json_t *config_files; /* for the tail */
	json_t *tail; /* of a backup mode that has ended already */
};

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

static struct pgconn_limit
limit_of(const struct writer_request *request)
{
	return (struct pgconn_limit){request->deadline_ns, request->requester_fd};
}

static int
put(json_t *reply, const char *key, json_t *value, struct error *err)
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

static int
on_identify(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	struct pgwriter *w = self;
	struct pgconn_limit limit = limit_of(request);
	CLEAN(free_ptr) char *host = NULL;
	json_t *paths = NULL;

	end_session(w);
	int rc = osuser_for_connecting(&w->settings, w->parent, &host, err);
	if (rc == OK)
		rc = pgconn_open(&w->settings, host, &limit, &w->conn, err);
	if (rc == OK)
		rc = look(w, &limit, err);
	if (rc == OK)
		rc = list_paths(w, &limit, &paths, err);
	if (rc == OK)
		rc = put(reply, "paths", paths, err);
	if (rc < 0)
		return rc;
	json_t *metadata = cluster_describe(&w->cluster);
	if (put(metadata, "name", json_string("postgresql"), err) < 0 ||
	    put(metadata, "title", json_string("PostgreSQL Writer"), err) < 0 ||
	    put(metadata, "tablespaces", json_integer((json_int_t)w->cluster.tablespaces), err) <
		    0 ||
	    put(metadata, "id", json_string(w->cluster.system_identifier), err) < 0) {
		json_decref(metadata);
		return ERR_NO_MEMORY;
	}
	return put(reply, "metadata", metadata, err);
}

static int
on_prepare_backup(void *self, const struct writer_request *request, json_t *reply,
		  struct error *err)
{
	struct pgwriter *w = self;
	struct pgconn_limit limit = limit_of(request);
	const char *type;

	(void)reply;
	int rc = json_opt_str(request->body, "backup_type", "full", &type, err);
	if (rc < 0)
		return rc;
	if (strcmp(type, "full") != 0 && strcmp(type, "copy") != 0) {
		(void)error_set(err, ERR_WRITER_FAILED,
				"the PostgreSQL writer makes no '%s' backups", type);
		return error_hint(err, "ask for 'full' or 'copy'");
	}
	rc = look(w, &limit, err);
	if (rc < 0)
		return rc;
	return cluster_check(&w->cluster, w->dialect, w->conn, &limit, err);
}

/* Our label ends in a file of lines: printable ASCII only. */
static void
clean_label(const char *label, char text[LABEL_MAX + 1])
{
	size_t n = 0;

	for (; *label != 0 && n < LABEL_MAX; label++)
		text[n++] = *label >= 0x20 && *label < 0x7f ? *label : '_';
	text[n] = 0;
}

static json_t *
tablespaces_json(const struct spcmap *map)
{
	json_t *list = json_array();

	for (size_t i = 0; i < map->n; i++) {
		const struct spcmap_entry *e = &map->entries[i];

		if (json_array_append_new(
			    list, json_pack("{s:s, s:o}", "oid", e->oid, "location",
					    json_bytes(e->location, strlen(e->location)))) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static const char *const method_names[] = {
	[METHOD_NONE] = "",
	[METHOD_HOT] = "backup mode",
	[METHOD_HOT_SNAPSHOT] = "backup mode until the snapshot",
	[METHOD_IMAGE] = "image",
};

/* What a restore needs to know; see pgrestore.c, which reads it. */
static json_t *
component_metadata(const struct pgwriter *w, const struct spcmap *tablespaces, const char *label)
{
	json_t *j = cluster_describe(&w->cluster);
	char mode[8];

	(void)snprintf(mode, sizeof(mode), "%04o", w->cluster.dir_mode);
	int bad = json_object_set_new(j, "writer", json_string("postgresql"));
	bad |= json_object_set_new(j, "format",
				   json_integer(w->method == METHOD_IMAGE ? PGRESTORE_FORMAT_IMAGE
									  : PGRESTORE_FORMAT));
	bad |= json_object_set_new(j, "method", json_string(method_names[w->method]));
	if (w->method == METHOD_IMAGE)
		bad |= json_object_set_new(j, "redo_log", json_string(w->image.redo_log));
	if (w->why[0] != 0)
		bad |= json_object_set_new(j, "method_why", json_bytes(w->why, strlen(w->why)));
	bad |= json_object_set_new(j, "catalog_version",
				   json_integer((json_int_t)w->cluster.catalog_version));
	bad |= json_object_set_new(j, "data_directory_mode", json_string(mode));
	bad |= json_object_set_new(j, "tablespaces", tablespaces_json(tablespaces));
	bad |= json_object_set_new(j, "label", json_string(label));
	if (bad != 0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

/* Which of the three ways the snapshot allows; the best one that is possible. The session's slot
 * exists, and holds the log. */
static int
choose_method(struct pgwriter *w, const struct writer_request *request,
	      const struct spcmap *tablespaces, struct error *err)
{
	CLEAN(json_done) json_t *list = NULL;
	struct pgconn_limit limit = limit_of(request);
	const char *provider;
	bool atomic, inside = false, possible;

	w->method = METHOD_HOT;
	w->why[0] = 0;
	int rc = json_opt_str(request->body, "provider", "direct", &provider, err);
	if (rc == OK)
		rc = json_opt_bool(request->body, "atomic", false, &atomic, err);
	if (rc < 0 || strcmp(provider, "direct") == 0)
		return rc;
	rc = reach_list(w->cluster.data_directory, tablespaces, &list, err);
	if (rc == OK)
		rc = reach_inside(list, json_object_get(request->body, "sources"), &inside, w->why,
				  err);
	if (rc < 0 || !inside)
		return rc;
	w->method = METHOD_HOT_SNAPSHOT;
	if (!atomic) {
		(void)text_printf(w->why, sizeof(w->why), "the snapshot is not one instant");
		return OK;
	}
	w->image = (struct image){.conn = w->conn, .cluster = &w->cluster};
	rc = image_begin(&w->image, &limit, &possible, w->why, err);
	if (rc == OK && possible)
		w->method = METHOD_IMAGE;
	return rc;
}

/* Begin as chosen; from here on the session is watched. */
static int
begin(struct pgwriter *w, const struct pgconn_limit *limit, const char *label, struct error *err)
{
	int rc;

	if (w->method == METHOD_IMAGE) {
		/* It has proven where we are, and there is no log to be held. */
		rc = slot_drop(w->conn, limit, w->backup.slot, err);
		hotbackup_cancel(&w->backup);
	} else {
		rc = hotbackup_begin(&w->backup, label, limit, err);
	}
	w->watching = rc == OK && w->method != METHOD_IMAGE;
	return rc;
}

/* The component with its metadata. */
static int
make_component(struct pgwriter *w, const struct spcmap *tablespaces, const char *label,
	       json_t **ret, struct error *err)
{
	struct layout layout = {
		.cluster = &w->cluster,
		.tablespaces = tablespaces,
		.start_lsn = w->backup.start_lsn,
		.image = w->method == METHOD_IMAGE ? &w->image : NULL,
	};
	json_t *component;

	int rc = layout_component(&layout, &component, err);
	if (rc < 0)
		return rc;
	rc = put(component, "metadata", component_metadata(w, tablespaces, label), err);
	if (rc < 0) {
		json_decref(component);
		return rc;
	}
	*ret = component;
	return OK;
}

static int
on_prepare_snapshot(void *self, const struct writer_request *request, json_t *reply,
		    struct error *err)
{
	struct pgwriter *w = self;
	struct pgconn_limit limit = limit_of(request);
	CLEAN(spcmap_done) struct spcmap tablespaces = SPCMAP_INIT;
	json_t *component;
	char label[LABEL_MAX + 1];
	const char *wish;

	int rc = json_opt_str(request->body, "label", "holdfast", &wish, err);
	if (rc == OK)
		rc = pgconfig_collect(&w->cluster, w->conn, &limit, &w->config_files, err);
	if (rc == OK)
		rc = cluster_set_up_session(w->conn, w->dialect, &limit, err);
	if (rc < 0)
		return rc;
	clean_label(wish, label);
	w->backup = (struct hotbackup){
		.conn = w->conn,
		.cluster = &w->cluster,
		.dialect = w->dialect,
	};
	rc = slot_create(w->conn, &w->cluster, &limit, w->backup.slot, err);
	if (rc == OK)
		rc = cluster_tablespaces(w->conn, &limit, &tablespaces, err);
	if (rc == OK)
		rc = choose_method(w, request, &tablespaces, err);
	if (rc == OK)
		rc = begin(w, &limit, label, err);
	if (rc == OK)
		rc = make_component(w, &tablespaces, label, &component, err);
	return rc == OK ? put(reply, "component", component, err) : rc;
}

static int
on_post_snapshot(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	struct pgwriter *w = self;
	struct pgconn_limit limit = limit_of(request);

	(void)reply;
	if (w->method == METHOD_HOT)
		return hotbackup_prove(&w->backup, &limit, err);
	/* All of it is in the snapshot: the server need not bear backup mode any longer, only hold
	 * the logs up to here. */
	if (w->method == METHOD_HOT_SNAPSHOT)
		return hotbackup_end(&w->backup, &limit, &w->tail, err);
	/* Nothing more is wanted of the server: whatever happens to it does not touch the image. */
	int rc = image_prove(&w->image, &limit, err);
	if (rc == OK)
		close_session(w);
	return rc;
}

static int
on_post_copy(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	struct pgwriter *w = self;
	struct pgconn_limit limit = limit_of(request);
	int rc = OK;

	if (w->method == METHOD_HOT)
		rc = hotbackup_end(&w->backup, &limit, &w->tail, err);
	else if (w->method == METHOD_IMAGE)
		w->tail = json_pack("{s:[]}", "files");
	if (rc < 0)
		return rc;
	if (w->tail == NULL ||
	    json_array_extend(json_object_get(w->tail, "files"), w->config_files) < 0)
		return error_no_memory(err);
	return put(reply, "tail", STEAL_PTR(w->tail), err);
}

static int
on_backup_complete(void *self, const struct writer_request *request, json_t *reply,
		   struct error *err)
{
	struct pgwriter *w = self;
	struct pgconn_limit limit = limit_of(request);
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
restore(struct pgwriter *w, const struct writer_request *request,
	int (*step)(const struct pgrestore *r, struct error *err), struct error *err)
{
	CLEAN(buf_done) struct buf target = BUF_INIT(TARGET_MAX);
	json_t *metadata, *map;

	if (json_get_obj(request->body, "metadata", &metadata, err) < 0 ||
	    json_get_obj(request->body, "map", &map, err) < 0)
		return ERR_PROTOCOL;
	int rc = json_bytes_get(json_object_get(request->body, "target"), &target, err);
	if (rc == OK)
		rc = buf_u8(&target, 0, err);
	if (rc < 0)
		return error_prefix(err, "field 'target'");
	struct pgrestore r = {metadata, (const char *)target.p, map, w->parent};
	return step(&r, err);
}

static int
on_pre_restore(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	(void)reply;
	return restore(self, request, pgrestore_check, err);
}

static int
on_post_restore(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	(void)reply;
	return restore(self, request, pgrestore_finish, err);
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
	.prepare_snapshot = on_prepare_snapshot,
	.post_snapshot = on_post_snapshot,
	.post_copy = on_post_copy,
	.backup_complete = on_backup_complete,
	.abort = on_abort,
	.pre_restore = on_pre_restore,
	.post_restore = on_post_restore,
	.poll_fd = poll_fd,
	.tick = tick,
};
