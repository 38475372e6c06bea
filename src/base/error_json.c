/* SPDX-License-Identifier: Apache-2.0 */

/* Errors as JSON. Messages quote file names and servers, so may hold bytes that are not UTF-8: then the
 * code's own sentence stands in. */
#include "base/error_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

/* Steals nothing; NULL when out of memory. */
static json_t *
text_or(const char *text, const char *otherwise)
{
	json_t *j = json_string(text);

	return j != NULL ? j : json_string(otherwise);
}

json_t *
error_json_pack(const struct error *e)
{
	CLEAN(json_done) json_t *message = text_or(e->msg, error_sentence(e->code));
	CLEAN(json_done) json_t *hint = text_or(e->hint, "");
	CLEAN(json_done) json_t *hresult = NULL;
	uint32_t value = error_hresult(e->code);
	char text[16];

	if (message == NULL || hint == NULL)
		return NULL;
	if (value != 0) {
		(void)snprintf(text, sizeof(text), "0x%08" PRIx32, value);
		hresult = json_string(text);
		if (hresult == NULL)
			return NULL;
	}
	return json_pack("{s:s, s:i, s:O*, s:O, s:O, s:b}", "code", error_name(e->code), "number",
			 -(int)e->code, "hresult", hresult, "message", message, "hint", hint,
			 "retryable", (int)error_retryable(e->code));
}

/* OK: a name we do not know. */
static enum err
code_of(const char *name)
{
	enum err code;

	for (size_t i = 0; (code = error_code_at(i)) != OK; i++)
		if (strcmp(error_name(code), name) == 0)
			return code;
	return OK;
}

int
error_json_unpack(const json_t *j, struct error *ret, struct error *err)
{
	struct error e = ERROR_INIT;
	const char *name, *message, *hint;

	if (!json_is_object(j))
		return error_set(err, ERR_PROTOCOL, "an error that is not an object");
	if (json_get_str(j, "code", &name, err) < 0 ||
	    json_get_str(j, "message", &message, err) < 0 ||
	    json_opt_str(j, "hint", "", &hint, err) < 0)
		return error_prefix(err, "an error");
	enum err code = code_of(name);
	if (code == OK)
		error_set(&e, ERR_PROTOCOL, "%.64s: %s", name, message);
	else
		error_set(&e, code, "%s", message[0] != '\0' ? message : error_sentence(code));
	if (hint[0] != '\0')
		(void)error_hint(&e, "%s", hint);
	text_without_controls(e.msg);
	text_without_controls(e.hint);
	*ret = e;
	return OK;
}
