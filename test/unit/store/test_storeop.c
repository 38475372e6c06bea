/* SPDX-License-Identifier: Apache-2.0 */

/* Operations and answers, in frames, there and back; and what is none. */
#include "store/storeop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "store/frame.h"

static void
operations(void **state)
{
	static const struct storeop ops[] = {
		{1, STOREOP_READ, "packs/ab/cd", 0, 7, 9},
		{2, STOREOP_STAT, "holdfast.json", 0, 0, 0},
		{3, STOREOP_LIST, "packs/", 4, 5, 6},
		{4, STOREOP_LIST, "", 4, 0, 6},
		{5, STOREOP_PART, "index/00", 8, INT64_MAX, 0},
		{6, STOREOP_COMMIT, "index/00", 8, 2, 0},
		{7, STOREOP_ABORT, "index/00", 8, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		CLEAN(json_done) json_t *j = storeop_pack(&ops[i]), *header = NULL;
		CLEAN(buf_done) struct buf frame = BUF_INIT(FRAME_MAX);
		struct error err = ERROR_INIT;
		struct storeop back;
		struct slice data;

		assert_int_equal(frame_write(j, SLICE("data", i % 5), &frame, &err), OK);
		assert_int_equal(frame_read(buf_slice(&frame), &header, &data, &err), OK);
		assert_int_equal(data.n, i % 5);
		assert_int_equal(storeop_unpack(header, &back, &err), OK);
		assert_int_equal(back.id, ops[i].id);
		assert_int_equal(back.kind, ops[i].kind);
		assert_string_equal(back.name, ops[i].name);
		assert_int_equal(back.upload, ops[i].upload);
		assert_int_equal(back.offset, ops[i].offset);
		assert_int_equal(back.n, ops[i].n);
	}
}

static void
answers(void **state)
{
	struct storeop_answer a = {.id = 3, .exists = true, .size = 77}, back;
	struct error err = ERROR_INIT;
	CLEAN(json_done) json_t *good = storeop_answer_pack(&a);

	(void)state;
	assert_int_equal(storeop_answer_unpack(good, &back, &err), OK);
	assert_int_equal(back.id, 3);
	assert_true(back.exists);
	assert_int_equal(back.size, 77);
	assert_int_equal(back.error.code, OK);
	error_set(&a.error, ERR_STORE_FULL, "full");
	CLEAN(json_done) json_t *bad = storeop_answer_pack(&a);
	assert_int_equal(storeop_answer_unpack(bad, &back, &err), OK);
	assert_int_equal(back.error.code, ERR_STORE_FULL);
	assert_string_equal(back.error.msg, "full");
}

static void
no_operations(void **state)
{
	static const char *const bad[] = {
		"[]",
		"{}",
		"{\"id\":1}",
		"{\"id\":1,\"op\":\"remove\",\"name\":\"a\"}",
		"{\"id\":1,\"op\":\"\",\"name\":\"a\"}",
		"{\"id\":-1,\"op\":\"stat\",\"name\":\"a\"}",
		"{\"id\":1,\"op\":\"stat\",\"name\":\"../a\"}",
		"{\"id\":1,\"op\":\"stat\",\"name\":\"\"}",
		"{\"id\":1,\"op\":\"stat\"}",
		"{\"id\":1,\"op\":\"list\",\"name\":\"packs\"}",
		"{\"id\":1,\"op\":\"part\",\"name\":\"tmp/x\"}",
		"{\"id\":1,\"op\":\"read\",\"name\":\"a\",\"offset\":\"0\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEAN(json_done) json_t *j = NULL;
		struct error err = ERROR_INIT;
		struct storeop op = {.id = 4711};

		assert_int_equal(json_parse(SLICE(bad[i], strlen(bad[i])), "test", &j, &err), OK);
		assert_int_equal(storeop_unpack(j, &op, &err), ERR_PROTOCOL);
		assert_int_equal(op.id, 4711);
	}
}

static void
no_frames(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} bad[] = {
		{"", 0},         {"\2\0\0", 3},     {"\3\0\0\0{}", 6},   {"\1\0\0\0{}", 6},
		{"\0\0\0\0", 4}, {"\2\0\0\0[]", 6}, {"\2\0\0\200{}", 6}, {"\2\0\0\0{", 5},
	};
	CLEAN(json_done) json_t *header = NULL;
	CLEAN(free_ptr) uint8_t *large = calloc(1, FRAME_MAX + 1);
	struct error err = ERROR_INIT;
	struct slice data;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(frame_read(SLICE(bad[i].bytes, bad[i].n), &header, &data, &err),
				 ERR_PROTOCOL);
	assert_non_null(large);
	memcpy(large, "\2\0\0\0{}", 6);
	assert_int_equal(frame_read(SLICE(large, 6 + FRAME_DATA_MAX), &header, &data, &err), OK);
	json_decref(STEAL_PTR(header));
	assert_int_equal(frame_read(SLICE(large, 7 + FRAME_DATA_MAX), &header, &data, &err),
			 ERR_PROTOCOL);
	assert_null(header);
}

static void
frames_are_bounded(void **state)
{
	CLEAN(json_done) json_t *header = json_object();
	CLEAN(free_ptr) uint8_t *large = calloc(1, FRAME_DATA_MAX + 1);
	CLEAN(buf_done) struct buf b = BUF_INIT(2 * FRAME_MAX);
	struct error err = ERROR_INIT;

	(void)state;
	assert_non_null(large);
	assert_int_equal(frame_write(header, SLICE(large, FRAME_DATA_MAX + 1), &b, &err),
			 ERR_LIMIT);
	assert_int_equal(b.n, 0);
	assert_int_equal(frame_write(header, SLICE(large, FRAME_DATA_MAX), &b, &err), OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operations),         cmocka_unit_test(answers),
		cmocka_unit_test(no_operations),      cmocka_unit_test(no_frames),
		cmocka_unit_test(frames_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
