/* SPDX-License-Identifier: Apache-2.0 */

/* The table of inodes with several names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "mover/links.h"

static struct node
node_of(uint64_t ino, uint64_t nlink)
{
	return (struct node){
		.type = NODE_FILE,
		.flags = NODE_PAGED,
		.dev = 5,
		.ino = ino,
		.nlink = nlink,
		.size = 100,
		.mtime_ns = 1,
		.ctime_ns = 2,
		.content = SLICE("content", 7),
	};
}

static int
find(struct links *l, const struct node *node)
{
	struct error err = ERROR_INIT;
	struct slice content;
	uint8_t flags;
	int r = links_find(l, node, &content, &flags, &err);

	if (r == 1) {
		union {
			const uint8_t *shown;
			uint8_t *own;
		} p = {.shown = content.p};

		assert_int_equal(content.n, 7);
		assert_memory_equal(content.p, "content", 7);
		assert_int_equal(flags, NODE_PAGED);
		free(p.own);
	}
	return r;
}

static void
found_in_the_same_state_only(void **state)
{
	struct error err = ERROR_INIT;
	struct node node = node_of(1, 3), other;
	struct links *l;

	(void)state;
	assert_int_equal(links_new(&l, &err), OK);
	assert_int_equal(find(l, &node), 0);
	links_remember(l, &node);
	other = node;
	other.size++;
	assert_int_equal(find(l, &other), 0);
	other = node;
	other.ctime_ns++;
	assert_int_equal(find(l, &other), 0);
	other = node;
	other.mtime_ns++;
	assert_int_equal(find(l, &other), 0);
	other = node;
	other.dev++;
	assert_int_equal(find(l, &other), 0);
	/* Its other two names, and then it is of no use any more. */
	assert_int_equal(find(l, &node), 1);
	assert_int_equal(find(l, &node), 1);
	assert_int_equal(find(l, &node), 0);
	links_free(l);
}

static void
one_name_is_not_remembered(void **state)
{
	struct error err = ERROR_INIT;
	struct node node = node_of(1, 1);
	struct links *l;

	(void)state;
	assert_int_equal(links_new(&l, &err), OK);
	links_remember(l, &node);
	assert_int_equal(find(l, &node), 0);
	links_free(l);
	links_free(NULL);
}

/* However many: those that fit are found, memory stays bounded, nothing else happens. */
static void
bounded(void **state)
{
	enum { N = 100000 };
	struct error err = ERROR_INIT;
	struct links *l;
	size_t found = 0;

	(void)state;
	assert_int_equal(links_new(&l, &err), OK);
	for (uint64_t i = 0; i < N; i++) {
		struct node node = node_of(i, 2);

		links_remember(l, &node);
	}
	for (uint64_t i = 0; i < N; i++) {
		struct node node = node_of(i, 2);

		found += (size_t)find(l, &node);
	}
	assert_true(found > 10000 && found < N);
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found_in_the_same_state_only),
		cmocka_unit_test(one_name_is_not_remembered),
		cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
