/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Writers' states in small files. Replaced by renaming, so a reader sees one or the other; a file that is
 * not what we write counts as absent.
 */
#include "agent/writer_status.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"
#include "crypto/crypto.h"

enum { FILE_MAX = 16 << 10 };

#define SUFFIX ".json"

/* The same name always has the same UUID (RFC 9562, version 8: of our own making). */
static void
uuid_of(const char *name, char text[UUID_TEXT_SIZE])
{
	uint8_t hash[CRYPTO_HASH_SIZE];
	struct error ignored;

	text[0] = '\0';
	if (crypto_sha256(SLICE(name, strlen(name)), hash, &ignored) < 0)
		return;
	hash[6] = (uint8_t)((hash[6] & 0x0f) | 0x80);
	hash[8] = (uint8_t)((hash[8] & 0x3f) | 0x80);
	uuid_text(hash, text);
}

void
writer_status_init(const char *name, struct writer_status *ret)
{
	char text[96];

	*ret = (struct writer_status){.state = WRITER_STABLE};
	(void)text_printf(ret->name, sizeof(ret->name), "%s", name);
	(void)text_printf(ret->title, sizeof(ret->title), "%s Writer", name);
	ret->title[0] = (char)toupper((unsigned char)ret->title[0]);
	(void)text_printf(text, sizeof(text), "holdfast-writer-%s", name);
	uuid_of(text, ret->id);
}

static void
instance_of(const char *name, const char *id, char text[UUID_TEXT_SIZE])
{
	char both[512];

	(void)text_printf(both, sizeof(both), "holdfast-writer-%s/%s", name, id);
	uuid_of(both, text);
}

void
writer_status_about(const json_t *metadata, struct writer_status *ret)
{
	const char *title = json_string_value(json_object_get(metadata, "title"));
	const char *id = json_string_value(json_object_get(metadata, "id"));

	if (title != NULL)
		(void)text_printf(ret->title, sizeof(ret->title), "%s", title);
	if (id != NULL)
		instance_of(ret->name, id, ret->instance);
}

void
writer_status_of(const char *name, const struct writer *w, const struct error *failure,
		 const char *job, struct writer_status *ret)
{
	writer_status_init(name, ret);
	ret->since_ns = clock_wall_ns();
	(void)text_printf(ret->job, sizeof(ret->job), "%s", job != NULL ? job : "");
	if (w != NULL) {
		writer_status_about(writer_metadata(w), ret);
		ret->state = writer_state_of(w);
		ret->last_error = *writer_last_error(w);
	} else {
		ret->state = WRITER_FAILED_AT_IDENTIFY;
	}
	if (failure != NULL && ret->last_error.code == OK)
		ret->last_error = *failure;
}

const char *
writer_status_error_text(const struct error *last_error)
{
	switch (error_hresult(last_error->code)) {
	case 0x800423f0:
		return "Inconsistent shadow copy";
	case 0x800423f1:
		return "Out of resources";
	case 0x800423f2:
		return "Timed out";
	case 0x800423f3:
		return "Retryable error";
	default:
		if (last_error->code == OK)
			return "No error";
		return error_retryable(last_error->code) ? "Retryable error"
							 : "Non-retryable error";
	}
}

static json_t *
error_to_json(const struct error *e)
{
	char hresult[16];
	json_t *j;

	if (e->code == OK)
		return json_null();
	j = json_pack("{s:s, s:i, s:o, s:o, s:b}", "code", error_name(e->code), "number",
		      -(int)e->code, "message", json_bytes(e->msg, strlen(e->msg)), "hint",
		      json_bytes(e->hint, strlen(e->hint)), "retryable",
		      error_retryable(e->code) ? 1 : 0);
	(void)text_printf(hresult, sizeof(hresult), "0x%08" PRIx32, error_hresult(e->code));
	if (j != NULL && error_hresult(e->code) != 0)
		(void)json_object_set_new(j, "hresult", json_string(hresult));
	return j;
}

json_t *
writer_status_json(const struct writer_status *s)
{
	char since[32];
	json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:s, s:o, s:I}", "name", s->name,
			      "title", s->title, "id", s->id, "instance", s->instance, "state",
			      writer_state_text(s->state), "state_number", (int)s->state,
			      "last_error", writer_status_error_text(&s->last_error), "error",
			      error_to_json(&s->last_error), "since_ns", (json_int_t)s->since_ns);

	if (j != NULL && s->since_ns != 0)
		(void)json_object_set_new(j, "since",
					  json_string(clock_format_utc(s->since_ns, since)));
	if (j != NULL && s->job[0] != '\0')
		(void)json_object_set_new(j, "job", json_string(s->job));
	return j;
}

static int
copy_text(const json_t *j, const char *key, char *to, size_t size, struct error *err)
{
	const char *text;

	if (json_opt_str(j, key, "", &text, err) < 0)
		return err->code;
	(void)text_printf(to, size, "%s", text);
	return OK;
}

/* By number, or by name where only that is given (a writer's own reply). */
static enum err
code_from_json(const json_t *j)
{
	json_int_t number = json_integer_value(json_object_get(j, "number"));
	const char *name = json_string_value(json_object_get(j, "code"));
	enum err code;

	for (size_t i = 0; (code = error_code_at(i)) != OK; i++)
		if (number != 0 ? -(json_int_t)code == number
				: name != NULL && strcmp(error_name(code), name) == 0)
			return code;
	return ERR_INTERNAL;
}

/* A message that is no UTF-8 is an object; what it says is then lost, that there was an error is not. */
static void
error_from_json(const json_t *j, struct error *ret)
{
	struct error e = ERROR_INIT;

	if (json_is_object(j)) {
		const char *message = json_string_value(json_object_get(j, "message"));
		const char *hint = json_string_value(json_object_get(j, "hint"));

		e.code = code_from_json(j);
		(void)text_printf(e.msg, sizeof(e.msg), "%s", message != NULL ? message : "");
		(void)text_printf(e.hint, sizeof(e.hint), "%s", hint != NULL ? hint : "");
	}
	*ret = e;
}

void
writer_status_failure(const json_t *j, struct writer_status *status)
{
	error_from_json(j, &status->last_error);
}

int
writer_status_from_json(const json_t *j, struct writer_status *ret, struct error *err)
{
	struct writer_status s = {0};
	uint64_t state;

	if (copy_text(j, "name", s.name, sizeof(s.name), err) < 0 ||
	    copy_text(j, "title", s.title, sizeof(s.title), err) < 0 ||
	    copy_text(j, "id", s.id, sizeof(s.id), err) < 0 ||
	    copy_text(j, "instance", s.instance, sizeof(s.instance), err) < 0 ||
	    copy_text(j, "job", s.job, sizeof(s.job), err) < 0 ||
	    json_get_u64(j, "state_number", &state, err) < 0 ||
	    json_opt_u64(j, "since_ns", 0, &s.since_ns, err) < 0)
		return err->code;
	error_from_json(json_object_get(j, "error"), &s.last_error);
	s.state = state <= WRITER_STATE_MAX ? (enum writer_state)state : WRITER_UNKNOWN;
	*ret = s;
	return OK;
}

static int
open_folder(const char *state_dir, bool make)
{
	char path[4096];
	struct error ignored;

	if (!text_printf(path, sizeof(path), "%s/writers", state_dir))
		return -1;
	if (make && fs_mkdirs(AT_FDCWD, path, 0700, &ignored) < 0)
		return -1;
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool
name_valid(const char *name)
{
	return name[0] != '\0' && strlen(name) <= 64 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(name);
}

/* Several sessions may store at once: each has a temporary file of its own. */
static void
replace(int dir, const char *name, struct slice text)
{
	char file[80], temporary[128];
	struct error ignored;
	int r;

	(void)text_printf(file, sizeof(file), "%s" SUFFIX, name);
	(void)text_printf(temporary, sizeof(temporary), ".%s.%d.%d", name, (int)getpid(),
			  (int)gettid());
	CLEAN(fd_close)
	int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			0600);
	if (fd < 0)
		return;
	r = fs_write(fd, text.p, text.n, &ignored);
	if (r < 0 || renameat(dir, temporary, dir, file) < 0)
		(void)unlinkat(dir, temporary, 0);
}

/* What a failed start cannot tell is known from before. */
static void
keep_instance(const char *state_dir, struct writer_status *status)
{
	struct writer_status before;

	if (status->instance[0] != '\0' ||
	    writer_status_load(state_dir, status->name, &before) == 0)
		return;
	memcpy(status->instance, before.instance, sizeof(status->instance));
	memcpy(status->title, before.title, sizeof(status->title));
}

void
writer_status_store(const char *state_dir, const struct writer_status *status)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(FILE_MAX);
	CLEAN(json_done) json_t *j = NULL;
	CLEAN(fd_close) int dir = -1;
	struct writer_status s = *status;
	struct error ignored;

	if (state_dir == NULL || !name_valid(s.name))
		return;
	dir = open_folder(state_dir, true);
	if (dir < 0)
		return;
	keep_instance(state_dir, &s);
	j = writer_status_json(&s);
	if (j != NULL && json_write(j, &text, &ignored) == OK &&
	    buf_append(&text, "\n", 1, &ignored) == OK)
		replace(dir, s.name, buf_slice(&text));
}

int
writer_status_load(const char *state_dir, const char *name, struct writer_status *ret)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(FILE_MAX);
	CLEAN(fd_close) int dir = open_folder(state_dir, false);
	CLEAN(json_done) json_t *j = NULL;
	struct error ignored;
	char file[80];

	if (dir < 0 || !name_valid(name))
		return 0;
	(void)text_printf(file, sizeof(file), "%s" SUFFIX, name);
	if (fs_read_file(dir, file, &text, &ignored) < 0 ||
	    json_parse(buf_slice(&text), file, &j, &ignored) < 0 ||
	    writer_status_from_json(j, ret, &ignored) < 0)
		return 0;
	return strcmp(ret->name, name) == 0;
}

int
writer_status_blame(const char *state_dir, const char *name, const char *id, const char *job,
		    const struct error *cause, struct error *err)
{
	char instance[UUID_TEXT_SIZE] = "";
	struct writer_status s;

	if (!name_valid(name))
		return error_set(err, ERR_USAGE, "'%.64s' cannot be the name of a writer", name);
	if (writer_status_load(state_dir, name, &s) == 0)
		writer_status_init(name, &s);
	if (id != NULL)
		instance_of(name, id, instance);
	if (instance[0] != '\0' && s.instance[0] != '\0' && strcmp(instance, s.instance) != 0)
		return error_set(err, ERR_NOT_FOUND, "writer '%s' has another instance here", name);
	if (instance[0] != '\0')
		memcpy(s.instance, instance, sizeof(s.instance));
	s.state = WRITER_STABLE;
	s.last_error = *cause;
	s.since_ns = clock_wall_ns();
	(void)text_printf(s.job, sizeof(s.job), "%s", job);
	writer_status_store(state_dir, &s);
	return OK;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

size_t
writer_status_names(const char *state_dir, char names[WRITER_STATUS_MAX][65])
{
	int fd = open_folder(state_dir, false);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;
	size_t n = 0;

	if (dir == NULL) {
		fd_close(&fd);
		return 0;
	}
	while (n < WRITER_STATUS_MAX && (e = readdir(dir)) != NULL) {
		size_t length = strlen(e->d_name);
		char name[65];

		if (length <= strlen(SUFFIX) || length - strlen(SUFFIX) > 64 ||
		    strcmp(e->d_name + length - strlen(SUFFIX), SUFFIX) != 0)
			continue;
		memcpy(name, e->d_name, length - strlen(SUFFIX));
		name[length - strlen(SUFFIX)] = '\0';
		if (name_valid(name))
			memcpy(names[n++], name, sizeof(name));
	}
	(void)closedir(dir);
	qsort(names, n, sizeof(names[0]), by_name);
	return n;
}
