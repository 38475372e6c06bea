/* SPDX-License-Identifier: Apache-2.0 */

/* The writer of dbwriter.h, on the real server library. */
#include "requester/dbwriter.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/json.h"
#include "writer/server.h"

struct db {
	char source[4096];
	char fail[64];
	char log[4096];
};

static void
take(const json_t *settings, const char *key, char *into, size_t size)
{
	const char *text = json_string_value(json_object_get(settings, key));

	(void)snprintf(into, size, "%s", text != NULL ? text : "");
}

/* Every event comes through here: it is logged, and fails if it was told to. */
static int
event(struct db *db, const struct writer_request *request, struct error *err)
{
	const char *name = json_string_value(json_object_get(request->body, "event"));

	if (db->log[0] != '\0') {
		FILE *f = fopen(db->log, "a");

		if (f != NULL) {
			(void)fprintf(f, "%s\n", name);
			(void)fclose(f);
		}
	}
	if (strcmp(name, db->fail) == 0)
		return error_set(err, ERR_WRITER_RETRYABLE, "told to fail at %s", name);
	return OK;
}

static int
on_start(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	struct db *db = self;
	const json_t *settings = json_object_get(request->body, "settings");

	(void)reply;
	take(settings, "source", db->source, sizeof(db->source));
	take(settings, "fail", db->fail, sizeof(db->fail));
	take(settings, "log", db->log, sizeof(db->log));
	return event(db, request, err);
}

static int
on_any(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	(void)reply;
	return event(self, request, err);
}

static int
on_identify(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	if (json_object_set_new(reply, "metadata",
				json_pack("{s:s, s:s}", "name", "db", "version", "1")) < 0)
		return error_no_memory(err);
	return event(self, request, err);
}

static int
on_prepare_snapshot(void *self, const struct writer_request *request, json_t *reply,
		    struct error *err)
{
	struct db *db = self;
	char away[4200];
	char target[4096];
	ssize_t n;
	json_t *paths = json_pack("[{s:s, s:s}]", "source", db->source, "at", "");

	(void)snprintf(away, sizeof(away), "%s/away", db->source);
	n = readlink(away, target, sizeof(target) - 1);
	if (n > 0) {
		target[n] = '\0';
		(void)json_array_append_new(paths, json_pack("{s:s, s:s, s:b}", "source", target,
							     "at", "away", "relocatable", 1));
	}
	if (json_object_set_new(reply, "component",
				json_pack("{s:s, s:o, s:{s:s}}", "name", "main", "paths", paths,
					  "metadata", "made", "before")) < 0)
		return error_no_memory(err);
	return event(db, request, err);
}

static int
on_post_copy(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	if (json_object_set_new(reply, "tail",
				json_pack("{s:[{s:s, s:s}], s:{s:s}}", "files", "at", "label",
					  "data", "after\n", "metadata", "ended", "well")) < 0)
		return error_no_memory(err);
	return event(self, request, err);
}

static int
on_post_restore(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	const char *target = json_string_value(json_object_get(request->body, "target"));
	char path[4200];
	int fd;

	(void)reply;
	(void)snprintf(path, sizeof(path), "%s/restored", target);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_sys(err, ERR_TARGET, "create '%s'", path);
	(void)close(fd);
	return event(self, request, err);
}

static const struct writer_ops ops = {
	.name = "db",
	.start = on_start,
	.identify = on_identify,
	.prepare_backup = on_any,
	.prepare_snapshot = on_prepare_snapshot,
	.freeze = on_any,
	.thaw = on_any,
	.post_snapshot = on_any,
	.post_copy = on_post_copy,
	.backup_complete = on_any,
	.abort = on_any,
	.pre_restore = on_any,
	.post_restore = on_post_restore,
};

bool
dbwriter_run(const char *argv0, int *ret_status)
{
	const char *slash = strrchr(argv0, '/');
	struct db db = {0};
	struct error err = ERROR_INIT;

	if (strcmp(slash != NULL ? slash + 1 : argv0, "holdfast-writer-db") != 0)
		return false;
	*ret_status = server_run(&ops, &db, STDIN_FILENO, STDOUT_FILENO, &err) == OK ? 0 : 1;
	return true;
}
