/* SPDX-License-Identifier: Apache-2.0 */

/*
 * prepare-snapshot: which way of backing up the snapshot allows, its beginning, and the component that says
 * what is to be read.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "writer/postgresql/layout.h"
#include "writer/postgresql/pgconfig.h"
#include "writer/postgresql/pgrestore.h"
#include "writer/postgresql/pgwriter_internal.h"
#include "writer/postgresql/slot.h"

enum { LABEL_MAX = 200 };

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
	struct pgconn_limit limit = pgwriter_limit(request);
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
	rc = pgwriter_put(component, "metadata", component_metadata(w, tablespaces, label), err);
	if (rc < 0) {
		json_decref(component);
		return rc;
	}
	*ret = component;
	return OK;
}

int
pgwriter_prepare_snapshot(void *self, const struct writer_request *request, json_t *reply,
			  struct error *err)
{
	struct pgwriter *w = self;
	struct pgconn_limit limit = pgwriter_limit(request);
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
	return rc == OK ? pgwriter_put(reply, "component", component, err) : rc;
}
