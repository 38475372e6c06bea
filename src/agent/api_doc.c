/* SPDX-License-Identifier: Apache-2.0 */

/* One path for each function; what a field may be comes from the same entry that the parser goes by. */
#include "agent/api_doc.h"

#include <string.h>

#include "agent/api_table.h"
#include "base/json.h"

static json_t *
field_schema(const struct api_field *f)
{
	switch (f->type) {
	case API_GUID:
		return json_pack("{s:s, s:s}", "type", "string", "pattern",
				 "^\\{[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\\}$");
	case API_NUMBER:
		return json_pack("{s:s, s:s, s:I, s:I}", "type", "integer", "format", "int64",
				 "minimum", (json_int_t)f->min, "maximum", (json_int_t)f->max);
	case API_BOOL:
		return json_pack("{s:s}", "type", "boolean");
	case API_TEXT:
		return json_pack("{s:s, s:I, s:I}", "type", "string", "minLength",
				 (json_int_t)f->min, "maxLength", (json_int_t)f->max);
	case API_NAMES:
		return json_pack("{s:s, s:I, s:{s:s, s:i}}", "type", "array", "maxItems",
				 (json_int_t)f->max, "items", "type", "string", "maxLength", 255);
	case API_PATHS:
		return json_pack("{s:s, s:I, s:{s:[{s:s}, {s:s, s:{s:{s:s}}, s:[s], s:b}]}}",
				 "type", "array", "maxItems", (json_int_t)f->max, "items", "oneOf",
				 "type", "string", "type", "object", "properties", "bytes", "type",
				 "string", "required", "bytes", "additionalProperties", 0);
	case API_OBJECT:
		return json_pack("{s:s}", "type", "object");
	case API_OBJECT_OR_NULL:
		return json_pack("{s:s, s:b}", "type", "object", "nullable", 1);
	}
	return NULL;
}

static json_t *
request_schema(const struct api_def *def)
{
	json_t *properties = json_object(), *required = json_array();
	json_t *schema;

	for (const struct api_field *f = def->fields; f->name != NULL; f++) {
		json_t *field = field_schema(f);

		(void)json_object_set_new(field, "description", json_string(f->help));
		(void)json_object_set_new(properties, f->name, field);
		if (f->required)
			(void)json_array_append_new(required, json_string(f->name));
	}
	schema = json_pack("{s:s, s:b, s:o}", "type", "object", "additionalProperties", 0,
			   "properties", properties);
	/* OpenAPI 3.0 wants no empty list here. */
	if (json_array_size(required) > 0)
		(void)json_object_set(schema, "required", required);
	json_decref(required);
	return schema;
}

static json_t *
reply_schema(const struct api_def *def)
{
	json_t *properties = json_object();

	for (const char *const *name = def->reply; *name != NULL; name++)
		(void)json_object_set_new(properties, *name, json_object());
	return json_pack("{s:s, s:o}", "type", "object", "properties", properties);
}

static const char *
request_type(const struct api_def *def)
{
	return def->kind == API_EXCHANGE ? "application/octet-stream" : "application/json";
}

static const char *
reply_type(const struct api_def *def)
{
	return def->kind == API_STREAM ? "application/x-ndjson" : request_type(def);
}

/* What has a name for the one order may be come back for. */
static bool
may_be_running(const struct api_def *def)
{
	for (const struct api_field *f = def->fields; f->name != NULL; f++)
		if (strcmp(f->name, "RequestId") == 0)
			return true;
	return false;
}

static json_t *
function_doc(const struct api_def *def)
{
	json_t *replies = json_pack("{s:{s:s, s:{s:{s:o}}}, s:{s:s}}", "200", "description", "done",
				    "content", reply_type(def), "schema", reply_schema(def),
				    "default", "$ref", "#/components/responses/Error");

	if (may_be_running(def))
		(void)json_object_set_new(
			replies, "202",
			json_pack("{s:s}", "$ref", "#/components/responses/Running"));
	return json_pack("{s:{s:s, s:s, s:I, s:{s:b, s:{s:{s:o}}}, s:o}}", "post", "operationId",
			 def->name, "summary", def->help, "x-body-max", (json_int_t)def->body_max,
			 "requestBody", "required", 1, "content", request_type(def), "schema",
			 request_schema(def), "responses", replies);
}

static json_t *
components(void)
{
	return json_pack(
		"{s:{s:{s:s, s:{s:{s:{s:s, s:{s:{s:s, s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}, "
		"s:{s:s}, s:{s:s}, s:{s:s}}}}}}}}, s:{s:s, s:{s:{s:{s:s, s:{s:{s:s, s:{s:{s:s}, s:{s:s}, "
		"s:{s:s}, s:{s:s}}}}}}}}}}",
		"responses", "Error", "description", "it failed", "content", "application/json",
		"schema", "type", "object", "properties", "error", "type", "object", "properties",
		"code", "type", "string", "number", "type", "integer", "hresult", "type", "string",
		"message", "type", "string", "hint", "type", "string", "retryable", "type",
		"boolean", "function", "type", "string", "lease", "type", "object", "Running",
		"description", "not done yet: send it again with the same RequestId", "content",
		"application/json", "schema", "type", "object", "properties", "Running", "type",
		"object", "properties", "Function", "type", "string", "Phase", "type", "string",
		"SetId", "type", "string", "Epoch", "type", "integer");
}

static int
put(const char *text, size_t n, void *arg)
{
	return buf_append(arg, text, n, NULL);
}

int
api_doc_openapi(struct buf *text, struct error *err)
{
	CLEAN(json_done) json_t *doc = NULL;
	json_t *paths = json_object();

	for (enum api_function id = API_NONE + 1; id < API_COUNT; id++) {
		const struct api_def *def = api_table_of(id);
		char path[64] = "/v1/";

		memccpy(path + 4, def->name, 0, sizeof(path) - 5);
		(void)json_object_set_new(paths, path, function_doc(def));
	}
	doc = json_pack("{s:s, s:{s:s, s:s, s:s}, s:o, s:o}", "openapi", "3.0.3", "info", "title",
			"holdfast agent", "version", "1", "description",
			"Made from the agent's table of functions; api.md tells it in words.",
			"paths", paths, "components", components());
	if (doc == NULL)
		return error_no_memory(err);
	if (json_dump_callback(doc, put, text, JSON_INDENT(1)) < 0)
		return error_no_memory(err);
	return buf_u8(text, '\n', err);
}
