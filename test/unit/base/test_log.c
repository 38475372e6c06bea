/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Events reach the sink with level, constant text and fields; without a sink nothing happens.
 */
#include "base/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct seen {
	int events;
	enum log_level level;
	char message[64];
	char fields[4096];
};

static void
remember(enum log_level level, const char *message, const char *fields, void *arg)
{
	struct seen *seen = arg;

	seen->events++;
	seen->level = level;
	(void)snprintf(seen->message, sizeof(seen->message), "%s", message);
	(void)snprintf(seen->fields, sizeof(seen->fields), "%s", fields);
	errno = EIO;
}

static int
no_sink(void **state)
{
	(void)state;
	log_set_sink(NULL, NULL);
	return 0;
}

static void
test_event(void **state)
{
	struct seen seen = {0};

	(void)state;
	log_set_sink(remember, &seen);
	errno = ENOENT;
	log_event(LOG_LEVEL_WARN, "file changed", "path=%s size=%d", "/x", 12);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(seen.events, 1);
	assert_int_equal(seen.level, LOG_LEVEL_WARN);
	assert_string_equal(seen.message, "file changed");
	assert_string_equal(seen.fields, "path=/x size=12");
}

static void
test_silence(void **state)
{
	struct seen seen = {0};

	(void)state;
	log_set_sink(remember, &seen);
	log_set_sink(NULL, NULL);
	log_event(LOG_LEVEL_ERROR, "nobody listens", "x=%d", 1);
	assert_int_equal(seen.events, 0);
}

static void
test_long_fields_are_cut(void **state)
{
	struct seen seen = {0};
	char path[4000];

	(void)state;
	memset(path, 'p', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	log_set_sink(remember, &seen);
	log_event(LOG_LEVEL_INFO, "long", "path=%s", path);
	assert_int_equal(strlen(seen.fields), 2047);
	assert_string_equal(seen.fields + 2043, "p...");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_event, no_sink),
		cmocka_unit_test_teardown(test_silence, no_sink),
		cmocka_unit_test_teardown(test_long_fields_are_cut, no_sink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
