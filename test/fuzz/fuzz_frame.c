/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What an agent and a requester send each other over a data connection: a frame, in it an operation or an
 * answer. What is accepted is written again and read again as the same; and a guest's operation gets past
 * the policy only where a backup needs it.
 */
#include <string.h>

#include "base/json.h"
#include "requester/pump_internal.h"
#include "store/frame.h"
#include "store/storeop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
need(bool what)
{
	if (!what)
		abort();
}

static void
check_operation(const json_t *header)
{
	CLEAN(json_done) json_t *again = NULL;
	struct storeop op, back;
	struct error err = ERROR_INIT;

	if (storeop_unpack(header, &op, &err) < 0)
		return;
	need(op.kind >= STOREOP_READ && op.kind <= STOREOP_ABORT);
	need(strlen(op.name) <= STORE_NAME_MAX && op.id <= INT64_MAX && op.upload <= INT64_MAX &&
	     op.offset <= INT64_MAX && op.n <= INT64_MAX);
	if (pump_policy_check(PUMP_BACKUP, &op, &err) == OK && op.kind != STOREOP_ABORT) {
		bool adds = op.kind == STOREOP_PART || op.kind == STOREOP_COMMIT;

		need(strstr(op.name, "..") == NULL && strncmp(op.name, "keys/", 5) != 0 &&
		     strncmp(op.name, "points/", 7) != 0);
		need(!adds || pump_policy_size(PUMP_BACKUP, op.name) < INT64_MAX);
	}
	/* Of an abort the name says nothing, and may be anything. */
	again = storeop_pack(&op);
	need(again != NULL && storeop_unpack(again, &back, &err) == OK);
	need(back.id == op.id && back.kind == op.kind && back.upload == op.upload &&
	     back.offset == op.offset && back.n == op.n && strcmp(back.name, op.name) == 0);
}

static void
check_answer(const json_t *header)
{
	CLEAN(json_done) json_t *again = NULL;
	struct storeop_answer answer, back;
	struct error err = ERROR_INIT;

	if (storeop_answer_unpack(header, &answer, &err) < 0)
		return;
	need(memchr(answer.error.msg, 0, sizeof(answer.error.msg)) != NULL);
	again = storeop_answer_pack(&answer);
	need(again != NULL && storeop_answer_unpack(again, &back, &err) == OK);
	need(back.id == answer.id && back.exists == answer.exists && back.size == answer.size &&
	     back.error.code == answer.error.code);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(json_done) json_t *header = NULL, *again = NULL;
	CLEAN(buf_done) struct buf frame = BUF_INIT(FRAME_MAX);
	struct slice bytes, bytes_again;
	struct error err = ERROR_INIT;

	if (frame_read(SLICE(data, size), &header, &bytes, &err) < 0)
		return 0;
	need(json_is_object(header) && bytes.n <= size && bytes.n <= FRAME_DATA_MAX);
	check_operation(header);
	check_answer(header);
	/* Escapes may make it longer than a frame's header may be. */
	if (frame_write(header, bytes, &frame, &err) < 0) {
		need(err.code == ERR_LIMIT && frame.n == 0);
		return 0;
	}
	need(frame_read(buf_slice(&frame), &again, &bytes_again, &err) == OK);
	need(json_equal(header, again) && bytes_again.n == bytes.n &&
	     (bytes.n == 0 || memcmp(bytes.p, bytes_again.p, bytes.n) == 0));
	return 0;
}
