/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Lines to objects, errors to objects and back. What comes from the other side is text from a
 * stranger: depth and size are bounded before the parser sees it, and codes are taken from a list.
 */
#include "writer/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

/* What a writer may say went wrong. Others would be mistaken for the requester's own failures. */
static const enum err writer_codes[] = {
	ERR_INTERNAL,      ERR_NO_MEMORY,
	ERR_CONFIG,        ERR_IO,
	ERR_CANCELLED,     ERR_TIMEOUT,
	ERR_LIMIT,         ERR_CORRUPT,
	ERR_NOT_FOUND,     ERR_TARGET,
	ERR_SOURCE,        ERR_PROTOCOL,
	ERR_PERMISSION,    ERR_DB_CONNECT,
	ERR_DB_AUTH,       ERR_DB_CONFIG,
	ERR_DB_CORRUPT,    ERR_DB_SESSION_LOST,
	ERR_WRITER_FAILED, ERR_WRITER_RETRYABLE,
	ERR_BAD_STATE,     ERR_BUSY,
};

/* A scan that knows only strings and brackets: enough to say how deep a parser would have to go. */
static bool
too_deep(struct slice line)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < line.n; i++) {
		uint8_t c = line.p[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > WIRE_DEPTH_MAX)
				return true;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

int
wire_parse(struct slice line, json_t **ret, struct error *err)
{
	CLEAN(json_done) json_t *j = NULL;

	if (too_deep(line))
		return error_set(err, ERR_PROTOCOL, "objects more than %d deep", WIRE_DEPTH_MAX);
	int rc = json_parse(line, "line", &j, err);
	if (rc < 0)
		return rc;
	if (!json_is_object(j))
		return error_set(err, ERR_PROTOCOL, "the line is not a JSON object");
	*ret = STEAL_PTR(j);
	return OK;
}

json_t *
wire_error_pack(const struct error *e)
{
	char hresult[16];

	(void)snprintf(hresult, sizeof(hresult), "0x%08" PRIx32, error_hresult(e->code));
	/* Messages quote file names and servers, so may hold bytes that are not UTF-8. */
	CLEAN(json_done) json_t *message = json_string(e->msg);
	CLEAN(json_done) json_t *hint = json_string(e->hint);
	if (message == NULL)
		message = json_string(error_sentence(e->code));
	if (hint == NULL)
		hint = json_string("");
	return json_pack("{s:s, s:s, s:O, s:O, s:b}", "code", error_name(e->code), "hresult",
			 hresult, "message", message, "hint", hint, "retryable",
			 (int)error_retryable(e->code));
}

static enum err
code_of(const char *name, bool retryable)
{
	for (size_t i = 0; i < ARRAY_SIZE(writer_codes); i++)
		if (strcmp(error_name(writer_codes[i]), name) == 0)
			return writer_codes[i];
	return retryable ? ERR_WRITER_RETRYABLE : ERR_WRITER_FAILED;
}

int
wire_error_unpack(const json_t *j, struct error *ret, struct error *err)
{
	struct error e = ERROR_INIT;
	const char *name, *message, *hint;
	bool retryable;

	if (json_get_str(j, "code", &name, err) < 0 ||
	    json_get_str(j, "message", &message, err) < 0 ||
	    json_opt_str(j, "hint", "", &hint, err) < 0 ||
	    json_opt_bool(j, "retryable", false, &retryable, err) < 0)
		return error_prefix(err, "field 'error'");
	enum err code = code_of(name, retryable);
	(void)error_set(&e, code, "%s", message[0] != 0 ? message : error_sentence(code));
	if (hint[0] != 0)
		(void)error_hint(&e, "%s", hint);
	text_without_controls(e.msg);
	text_without_controls(e.hint);
	*ret = e;
	return OK;
}
