/* SPDX-License-Identifier: Apache-2.0 */

/* The table of inodes with names still to come: found, used up, dropped, refused when full. */
#include "mover/restore_links.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct node
node_of(uint64_t dev, uint64_t ino, uint64_t nlink)
{
	return (struct node){
		.name = SLICE("n", 1),
		.type = NODE_FILE,
		.dev = dev,
		.ino = ino,
		.nlink = nlink,
		.content = SLICE("map", 3),
		.size = 7,
	};
}

static struct restore_item *
item_of(struct restore_item *root, const struct node *node)
{
	struct restore_item *item = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(restore_item_new(root, node, &item, &err), OK);
	return item;
}

static uint64_t
next(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *seed >> 33;
}

static void
finds_what_was_added_until_used_up(void **state)
{
	struct restore_links *links = NULL;
	struct restore_item *root = NULL;
	struct error err = ERROR_INIT;
	struct node node = node_of(1, 2, 3), other = node_of(2, 2, 3), changed = node;
	bool differs = false;

	(void)state;
	changed.content = SLICE("new", 3);
	assert_int_equal(restore_item_new_root("/r", &root, &err), OK);
	assert_int_equal(restore_links_new(&links, &err), OK);
	struct restore_item *item = item_of(root, &node);
	assert_null(restore_links_find(links, &node, &differs));
	assert_int_equal(restore_links_add(links, &node, item, &err), OK);
	assert_ptr_equal(restore_links_find(links, &node, &differs), item);
	assert_null(restore_links_find(links, &other, &differs));
	assert_false(differs);
	assert_null(restore_links_find(links, &changed, &differs));
	assert_true(differs);

	restore_links_used(links, &node);
	assert_non_null(restore_links_find(links, &node, &differs));
	assert_int_equal(item->refs, 2);
	restore_links_used(links, &node);
	assert_null(restore_links_find(links, &node, &differs));
	assert_int_equal(item->refs, 1);

	restore_item_unref(item);
	restore_item_unref(root);
	restore_links_free(links);
}

/* Against a plain array, with many collisions and removals. */
static void
agrees_with_a_plain_list(void **state)
{
	enum { INODES = 3000, STEPS = 60000 };
	static uint64_t left[INODES];
	struct restore_links *links = NULL;
	struct restore_item *root = NULL;
	struct error err = ERROR_INIT;
	uint64_t seed = 1;
	bool differs = false;

	(void)state;
	assert_int_equal(restore_item_new_root("/r", &root, &err), OK);
	assert_int_equal(restore_links_new(&links, &err), OK);
	for (int step = 0; step < STEPS; step++) {
		uint64_t ino = next(&seed) % INODES;
		struct node node = node_of(ino % 3, ino * 4096, 2 + ino % 4);

		struct restore_item *found = restore_links_find(links, &node, &differs);
		assert_int_equal(found != NULL, left[ino] > 0);
		if (found == NULL) {
			struct restore_item *item = item_of(root, &node);
			assert_int_equal(restore_links_add(links, &node, item, &err), OK);
			restore_item_unref(item);
			left[ino] = node.nlink - 1;
		} else if (next(&seed) % 10 == 0) {
			restore_links_drop(links, &node);
			left[ino] = 0;
		} else {
			restore_links_used(links, &node);
			left[ino]--;
		}
	}
	restore_links_free(links);
	assert_int_equal(root->refs, 1);
	restore_item_unref(root);
}

static void
refuses_more_than_fit(void **state)
{
	struct restore_links *links = NULL;
	struct restore_item *root = NULL;
	struct error err = ERROR_INIT;
	bool differs = false;
	uint64_t n = 0;
	int rc = OK;

	(void)state;
	assert_int_equal(restore_item_new_root("/r", &root, &err), OK);
	assert_int_equal(restore_links_new(&links, &err), OK);
	for (; rc == OK; n++) {
		struct node node = node_of(1, n, 2);
		rc = restore_links_add(links, &node, root, &err);
	}
	assert_int_equal(rc, ERR_LIMIT);
	assert_int_equal(n - 1, RESTORE_LINKS_MAX);
	struct node first = node_of(1, 0, 2), last = node_of(1, RESTORE_LINKS_MAX, 2);
	assert_non_null(restore_links_find(links, &first, &differs));
	assert_null(restore_links_find(links, &last, &differs));
	/* One gone, one may come. */
	restore_links_used(links, &first);
	assert_int_equal(restore_links_add(links, &last, root, &err), OK);
	restore_links_free(links);
	assert_int_equal(root->refs, 1);
	restore_item_unref(root);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_added_until_used_up),
		cmocka_unit_test(agrees_with_a_plain_list),
		cmocka_unit_test(refuses_more_than_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
