/* SPDX-License-Identifier: Apache-2.0 */

/* tablespace_map there and back, with every character a path may hold, in both ways of quoting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "writer/postgresql/spcmap.h"

static int
parse(const char *text, bool escapes, struct spcmap *map, struct error *err)
{
	return spcmap_parse(SLICE(text, strlen(text)), escapes, map, err);
}

static void
test_parse(void **arg)
{
	static const struct {
		const char *text;
		bool escapes;
		size_t n;
		const char *oid, *location; /* of the last */
	} good[] = {
		{"", true, 0, NULL, NULL},
		{"16456 /mnt/ts one\n", true, 1, "16456", "/mnt/ts one"},
		{"1 /a\n4294967295 /b\r", true, 2, "4294967295", "/b"},
		{"1 /a\\\\b\\\nc\n", true, 1, "1", "/a\\b\nc"},
		{"1 /a\\\\\n", true, 1, "1", "/a\\"},
		/* The old way: a backslash is itself, unless a line would end after it. */
		{"1 /a\\\\b\\\nc\n", false, 1, "1", "/a\\\\b\nc"},
	};
	struct error err = ERROR_INIT;

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct spcmap map = SPCMAP_INIT;

		if (parse(good[i].text, good[i].escapes, &map, &err) < 0)
			fail_msg("%s: %s", good[i].text, err.msg);
		assert_int_equal(map.n, good[i].n);
		if (map.n > 0) {
			assert_string_equal(map.entries[map.n - 1].oid, good[i].oid);
			assert_string_equal(map.entries[map.n - 1].location, good[i].location);
		}
		spcmap_done(&map);
	}
}

static void
test_wrong(void **arg)
{
	static const char *const wrong[] = {
		"x /a\n",   "1\n",      "1 \n",  "1 a\n", "1 /a",
		" 1 /a\n",  "1 /a\n2",  "1/a\n", "\n",    "12345678901234 /a\n",
		"1 /a\\\n", "1 /a\n\n",
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct spcmap map = SPCMAP_INIT;
		struct error err = ERROR_INIT;

		if (parse(wrong[i], true, &map, &err) != ERR_CORRUPT)
			fail_msg("'%s' was taken", wrong[i]);
		assert_int_equal(map.n, 0);
	}
	struct spcmap map = SPCMAP_INIT;
	struct error err = ERROR_INIT;
	assert_int_equal(spcmap_parse(SLICE("1 /a\0b\n", 7), true, &map, &err), ERR_CORRUPT);
}

static void
test_there_and_back(void **arg)
{
	struct error err = ERROR_INIT;

	(void)arg;
	for (int escapes = 0; escapes < 2; escapes++) {
		for (int c = 1; c < 256; c++) {
			CLEAN(buf_done) struct buf text = BUF_INIT(4096);
			struct spcmap map = SPCMAP_INIT, back = SPCMAP_INIT;
			char location[] = {'/', 'x', (char)c, 'y', 0};

			/* What the old way cannot tell apart: a backslash before a line's end. */
			assert_int_equal(parse("7 /old\n8 /stays\n", true, &map, &err), OK);
			assert_int_equal(spcmap_move(&map.entries[0], location, &err), OK);
			assert_int_equal(spcmap_write(&map, escapes != 0, &text, &err), OK);
			assert_int_equal(spcmap_parse(buf_slice(&text), escapes != 0, &back, &err),
					 OK);
			assert_int_equal(back.n, 2);
			assert_string_equal(back.entries[0].location, location);
			assert_string_equal(back.entries[1].location, "/stays");
			spcmap_done(&map);
			spcmap_done(&back);
		}
	}
}

static void
test_limits(void **arg)
{
	struct spcmap map = SPCMAP_INIT;
	struct error err = ERROR_INIT;
	CLEAN(buf_done) struct buf text = BUF_INIT(1 << 20);
	char *name = malloc(SPCMAP_LOCATION_MAX + 2);

	(void)arg;
	assert_non_null(name);
	memset(name, 'x', SPCMAP_LOCATION_MAX + 1);
	name[SPCMAP_LOCATION_MAX + 1] = 0;
	assert_int_equal(buf_printf(&text, &err, "1 /%s\n", name), OK);
	assert_int_equal(spcmap_parse(buf_slice(&text), true, &map, &err), ERR_LIMIT);
	free(name);

	buf_reset(&text);
	for (int i = 0; i <= SPCMAP_MAX; i++)
		assert_int_equal(buf_append(&text, "1 /a\n", 5, &err), OK);
	assert_int_equal(spcmap_parse(buf_slice(&text), true, &map, &err), ERR_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
