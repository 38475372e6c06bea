/* SPDX-License-Identifier: Apache-2.0 */

/* What the store in memory offers beyond the contract: damage on purpose. */
#include "store/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "fault/inject.c"

static struct store *s;
static struct error err;

static int
setup(void **state)
{
	(void)state;
	return store_mem_open(&s, &err);
}

static int
teardown(void **state)
{
	(void)state;
	store_close(s);
	return 0;
}

static void
bytes_can_be_damaged(void **state)
{
	char text[4];
	size_t size = 0;

	(void)state;
	assert_int_equal(store_put(s, "points/a", SLICE("abcd", 4), &err), OK);
	uint8_t *p = store_mem_bytes(s, "points/a", &size);
	assert_non_null(p);
	assert_int_equal(size, 4);
	p[2] ^= 1;
	assert_int_equal(store_read(s, "points/a", 0, text, 4, &err), OK);
	assert_memory_equal(text, "abbd", 4);
}

static void
bytes_of_absent_and_empty(void **state)
{
	size_t size = 4711;

	(void)state;
	assert_null(store_mem_bytes(s, "points/a", &size));
	assert_int_equal(size, 4711);
	assert_int_equal(store_put(s, "points/a", SLICE(NULL, 0), &err), OK);
	assert_non_null(store_mem_bytes(s, "points/a", &size));
	assert_int_equal(size, 0);
}

static void
truncate_shortens(void **state)
{
	char text[4];
	uint64_t size;

	(void)state;
	assert_int_equal(store_put(s, "points/a", SLICE("abcd", 4), &err), OK);
	store_mem_truncate(s, "points/a", 3);
	assert_int_equal(store_stat(s, "points/a", &size, &err), 1);
	assert_int_equal(size, 3);
	assert_int_equal(store_read(s, "points/a", 0, text, 4, &err), ERR_CORRUPT);
	assert_int_equal(store_read(s, "points/a", 0, text, 3, &err), OK);
	assert_memory_equal(text, "abc", 3);
	store_mem_truncate(s, "points/a", 100); /* never longer */
	assert_int_equal(store_stat(s, "points/a", &size, &err), 1);
	assert_int_equal(size, 3);
	store_mem_truncate(s, "points/b", 0);
}

#ifdef INJECT_MEMORY
/* Every allocation fails in turn: an error, nothing stored, and then it works. */
static void
out_of_memory(void **state)
{
	static const char *const names[] = {"malloc", "calloc", "realloc"};
	static const char text[1000];
	struct store_upload *u = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		for (uint64_t n = 1;; n++) {
			inject_arm(&(struct inject_order){.call = names[i], .at = n});
			int rc = store_put(s, "points/a", SLICE(text, sizeof(text)), &err);
			uint64_t did_fire = inject_fired();
			inject_arm(NULL);
			assert_int_equal(rc, did_fire > 0 ? ERR_NO_MEMORY : OK);
			assert_int_equal(store_remove(s, "points/a", &err), rc == OK);
			if (did_fire == 0)
				break;
		}
	}
	/* After a failed write nothing can be committed. */
	assert_int_equal(store_begin(s, "points/a", &u, &err), OK);
	inject_arm(&(struct inject_order){.call = "realloc", .at = 1});
	assert_int_equal(store_write(u, text, sizeof(text), &err), ERR_NO_MEMORY);
	inject_arm(NULL);
	assert_int_equal(store_commit(u, &err), ERR_BAD_STATE);
	assert_int_equal(store_stat(s, "points/a", NULL, &err), 0);
}
#endif

struct order {
	char last[STORE_NAME_MAX + 1];
	int n;
};

static int
follow(void *arg, const struct store_entry *entry, struct error *e)
{
	struct order *order = arg;

	if (strcmp(order->last, entry->name) >= 0)
		return error_set(e, ERR_CORRUPT, "%s after %s", entry->name, order->last);
	memcpy(order->last, entry->name, strlen(entry->name) + 1);
	order->n++;
	return OK;
}

/* Kept sorted through insertions and removals anywhere. */
static void
stays_sorted(void **state)
{
	struct order order = {0};
	char name[] = "a/a";

	(void)state;
	for (unsigned i = 0; i < 26; i++) {
		name[2] = (char)('a' + i * 7 % 26);
		assert_int_equal(store_put(s, name, SLICE(name, 3), &err), OK);
	}
	for (unsigned i = 0; i < 26; i += 3) {
		name[2] = (char)('a' + i);
		assert_int_equal(store_remove(s, name, &err), 1);
		assert_int_equal(store_remove(s, name, &err), 0);
	}
	assert_int_equal(store_list(s, "", follow, &order, &err), OK);
	assert_int_equal(order.n, 26 - 9);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bytes_can_be_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(bytes_of_absent_and_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(truncate_shortens, setup, teardown),
#ifdef INJECT_MEMORY
		cmocka_unit_test_setup_teardown(out_of_memory, setup, teardown),
#endif
		cmocka_unit_test_setup_teardown(stays_sorted, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
