/* SPDX-License-Identifier: Apache-2.0 */

/* Operations as JSON. Each side checks what the other says: neither may rely on the other's version, or
 * good will. */
#include "store/storeop.h"

#include <string.h>

#include "base/error_json.h"
#include "base/json.h"

static const char *const names[] = {
	[STOREOP_READ] = "read", [STOREOP_STAT] = "stat",     [STOREOP_LIST] = "list",
	[STOREOP_PART] = "part", [STOREOP_COMMIT] = "commit", [STOREOP_ABORT] = "abort",
};

const char *
storeop_name(enum storeop_kind kind)
{
	return names[kind];
}

json_t *
storeop_pack(const struct storeop *op)
{
	return json_pack("{s:I, s:s, s:s, s:I, s:I, s:I}", "id", (json_int_t)op->id, "op",
			 names[op->kind], "name", op->name, "upload", (json_int_t)op->upload,
			 "offset", (json_int_t)op->offset, "n", (json_int_t)op->n);
}

static int
check_name(const struct storeop *op, struct error *err)
{
	bool good = op->kind == STOREOP_ABORT ||
		    (op->kind == STOREOP_LIST ? store_prefix_valid(op->name)
					      : store_name_valid(op->name));

	return good ? OK : error_set(err, ERR_PROTOCOL, "an impossible name");
}

int
storeop_unpack(const json_t *j, struct storeop *ret, struct error *err)
{
	struct storeop op = {0};
	const char *kind, *name;

	if (!json_is_object(j))
		return error_set(err, ERR_PROTOCOL, "an operation that is not an object");
	if (json_get_u64(j, "id", &op.id, err) < 0 || json_get_str(j, "op", &kind, err) < 0 ||
	    json_opt_str(j, "name", "", &name, err) < 0 ||
	    json_opt_u64(j, "upload", 0, &op.upload, err) < 0 ||
	    json_opt_u64(j, "offset", 0, &op.offset, err) < 0 ||
	    json_opt_u64(j, "n", 0, &op.n, err) < 0)
		return error_prefix(err, "an operation");
	for (size_t i = STOREOP_READ; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], kind) == 0)
			op.kind = (enum storeop_kind)i;
	if (op.kind == 0)
		return error_set(err, ERR_PROTOCOL, "an operation '%.32s'", kind);
	if (strlen(name) > STORE_NAME_MAX)
		return error_set(err, ERR_PROTOCOL, "an impossible name");
	memcpy(op.name, name, strlen(name) + 1);
	if (check_name(&op, err) < 0)
		return error_prefix(err, "operation '%s'", names[op.kind]);
	*ret = op;
	return OK;
}

json_t *
storeop_answer_pack(const struct storeop_answer *answer)
{
	CLEAN(json_done) json_t *error = NULL;

	if (answer->error.code != OK) {
		error = error_json_pack(&answer->error);
		if (error == NULL)
			return NULL;
	}
	return json_pack("{s:I, s:b, s:I, s:O*}", "id", (json_int_t)answer->id, "exists",
			 (int)answer->exists, "size", (json_int_t)answer->size, "error", error);
}

int
storeop_answer_unpack(const json_t *j, struct storeop_answer *ret, struct error *err)
{
	struct storeop_answer a = {0};
	const json_t *error;

	if (!json_is_object(j))
		return error_set(err, ERR_PROTOCOL, "an answer that is not an object");
	error = json_object_get(j, "error");
	if (json_get_u64(j, "id", &a.id, err) < 0 ||
	    json_opt_bool(j, "exists", false, &a.exists, err) < 0 ||
	    json_opt_u64(j, "size", 0, &a.size, err) < 0 ||
	    (error != NULL && error_json_unpack(error, &a.error, err) < 0))
		return error_prefix(err, "an answer");
	*ret = a;
	return OK;
}
