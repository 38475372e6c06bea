/* SPDX-License-Identifier: Apache-2.0 */

/* Which files are kept as pages, and how large the pages are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "mover/classify.h"

static const struct classify_past nothing;

static uint32_t
by_name(const char *name)
{
	return classify_page_size(SLICE(name, strlen(name)), 1 << 30, SLICE(NULL, 0), &nothing);
}

static void
names(void **state)
{
	(void)state;
	assert_int_equal(by_name("vm.qcow2"), 4096);
	assert_int_equal(by_name("VM.VMDK"), 4096);
	assert_int_equal(by_name("t1.ibd"), 16384);
	assert_int_equal(by_name("ibdata1"), 16384);
	assert_int_equal(by_name("places.sqlite"), 4096);
	assert_int_equal(by_name("data.mdb"), 4096);
	assert_int_equal(by_name("users01.dbf"), 8192);
	assert_int_equal(by_name(".img"), 0); /* a name, not a suffix */
	assert_int_equal(by_name("img"), 0);
	assert_int_equal(by_name("video.mkv"), 0);
	assert_int_equal(by_name("archive.img.gz"), 0);
	assert_int_equal(by_name(""), 0);
}

static uint32_t
by_content(const void *head, size_t n)
{
	return classify_page_size(SLICE("file", 4), 1 << 30, SLICE(head, n), &nothing);
}

static void
contents(void **state)
{
	uint8_t head[CLASSIFY_HEAD] = {0};

	(void)state;
	assert_int_equal(by_content(head, sizeof(head)), 0);
	assert_int_equal(by_content("QFI\xfb", 4), 4096);
	assert_int_equal(by_content("QFI", 3), 0);
	memcpy(head, "SQLite format 3", 16);
	static const struct {
		uint8_t high, low;
		uint32_t size;
	} sizes[] = {{0x10, 0, 4096}, {0x20, 0, 8192}, {0x80, 0, 32768}, {0, 1, 65536},
		     {0x02, 0, 4096}, {0x30, 0, 4096}, {0, 0, 4096}};
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		head[16] = sizes[i].high;
		head[17] = sizes[i].low;
		assert_int_equal(by_content(head, sizeof(head)), sizes[i].size);
	}
	assert_int_equal(by_content(head, 17), 0); /* cut before the size */
	memset(head, 0, sizeof(head));
	memcpy(head + 64, "\x7f\x10\xda\xbe", 4);
	assert_int_equal(by_content(head, sizeof(head)), 4096);
}

static void
the_past(void **state)
{
	struct slice name = SLICE("file", 4), head = SLICE(NULL, 0);
	struct classify_past past = {.known = true};

	(void)state;
	assert_int_equal(classify_page_size(name, 1 << 30, head, &past), 0);
	past.same_file = true;
	assert_int_equal(classify_page_size(name, 1 << 30, head, &past), 4096);
	past.same_file = false;
	past.paged = true;
	assert_int_equal(classify_page_size(name, 1 << 30, head, &past), 4096);
	past.known = false;
	assert_int_equal(classify_page_size(name, 1 << 30, head, &past), 0);
	/* The kind knows the page size better. */
	past.known = true;
	assert_int_equal(classify_page_size(SLICE("a.ibd", 5), 1 << 30, head, &past), 16384);
	/* Too small to gain. */
	assert_int_equal(classify_page_size(SLICE("a.ibd", 5), CLASSIFY_MIN - 1, head, &past), 0);
	assert_int_equal(classify_page_size(SLICE("a.ibd", 5), CLASSIFY_MIN, head, &past), 16384);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(contents),
		cmocka_unit_test(the_past),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
