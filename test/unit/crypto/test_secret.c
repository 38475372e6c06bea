/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Secrets: zeroed, of the size asked for, and on pages the kernel keeps out of dumps and children.
 */
#include "crypto/crypto.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
test_new_is_zeroed(void **state)
{
	static const uint8_t zeros[5000];
	CLEAN(secret_freep) struct secret *s = NULL;

	(void)state;
	assert_int_equal(secret_new(5000, &s, NULL), OK);
	assert_int_equal(secret_size(s), 5000);
	assert_memory_equal(secret_view(s), zeros, 5000);
	memset(secret_bytes(s), 0xaa, 5000);
	assert_int_equal(secret_view(s)[4999], 0xaa);
}

static void
test_sizes(void **state)
{
	struct secret *s = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(secret_new(0, &s, &err), ERR_LIMIT);
	assert_int_equal(secret_new(SIZE_MAX, &s, &err), ERR_LIMIT);
	assert_int_equal(secret_random(0, &s, &err), ERR_LIMIT);
	assert_null(s);
	assert_int_equal(secret_new(1, &s, &err), OK);
	secret_free(s);
	secret_free(NULL);
}

static void
test_random(void **state)
{
	CLEAN(secret_freep) struct secret *a = NULL, *b = NULL;

	(void)state;
	assert_int_equal(secret_random(32, &a, NULL), OK);
	assert_int_equal(secret_random(32, &b, NULL), OK);
	assert_memory_not_equal(secret_view(a), secret_view(b), 32);
}

/* The flags of the mapping that holds p, as the kernel spells them. */
static void
flags_of(const void *p, char flags[256])
{
	CLEAN(free_ptr) char *line = NULL;
	size_t cap = 0;
	bool inside = false;
	FILE *f = fopen("/proc/self/smaps", "re");

	assert_non_null(f);
	flags[0] = '\0';
	while (getline(&line, &cap, f) > 0) {
		uintptr_t from, to;
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
			inside = from <= (uintptr_t)p && (uintptr_t)p < to;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			(void)snprintf(flags, 256, "%s", line);
	}
	(void)fclose(f);
}

static void
test_kept_out_of_dumps_and_children(void **state)
{
	CLEAN(secret_freep) struct secret *s = NULL;
	char flags[256];

	(void)state;
	assert_int_equal(secret_random(32, &s, NULL), OK);
	flags_of(secret_view(s), flags);
	if (flags[0] == '\0')
		skip();
	assert_non_null(strstr(flags, " dd"));
	assert_non_null(strstr(flags, " dc"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_is_zeroed),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_kept_out_of_dumps_and_children),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
