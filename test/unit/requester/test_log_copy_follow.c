/* SPDX-License-Identifier: Apache-2.0 */

/* Whether what a server has may follow what lies in the spool: with a server that is nothing but its answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>

#include "base/fs.h"
#include "group/engine.h"
#include "group/postgresql/stream.h"
#include "requester/log_copy_internal.h"

#define SEG (UINT64_C(1) << 20)

struct log_source {
	const char *history;
	unsigned started;
};

static char dir[] = "/tmp/hf-test-log-follow-XXXXXX";
static struct log_source_facts facts = {
	.identity = "7123", .timeline = 2, .end = 9 * SEG, .segment_bytes = SEG};

static const struct log_source_facts *
fake_facts(const struct log_source *s)
{
	(void)s;
	return &facts;
}

static int
fake_history(struct log_source *s, uint32_t timeline, uint64_t deadline_ns, struct buf *ret,
	     struct error *err)
{
	(void)timeline, (void)deadline_ns;
	return buf_append(ret, s->history, strlen(s->history), err);
}

static int
fake_start(struct log_source *s, const char *slot, uint32_t timeline, uint64_t position,
	   uint64_t deadline_ns, struct error *err)
{
	(void)slot, (void)timeline, (void)deadline_ns;
	s->started++;
	return position <= facts.end ? OK : (int)error_set(err, ERR_GROUP_ROLE, "not in its log");
}

static int
set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return fs_remove_tree(AT_FDCWD, dir, &err);
}

/* The spool has timeline 2 up to `to`; the server's timeline 2 has that history. */
static enum err
start(const char *history, uint64_t to, struct log_source *source)
{
	static const char own[] = "1\t0/300028\tno recovery target specified\n";
	struct log_source_ops ops = log_source_postgresql;
	const struct engine engine = {.name = "postgresql", .logs = &ops};
	const struct group group = {.name = (char *)(uintptr_t) "orders", .engine = &engine};
	const struct group_copy active = {.name = (char *)(uintptr_t) "pg3"};
	const struct log_copy_order order = {.group = &group, .state_dir = dir};
	CLEAN(log_spool_close) struct log_spool spool;
	struct log_copy c = {.order = &order, .ops = &ops, .source = source, .active = &active};
	struct error err = ERROR_INIT;
	const struct log_point range = {.engine = "postgresql",
					.identity = "7123",
					.segment_bytes = SEG,
					.timeline = 2,
					.from = 4 * SEG,
					.to = to,
					.n_history = 1,
					.history = {{2, 4 * SEG}}};

	ops.facts = fake_facts;
	ops.history = fake_history;
	ops.start = fake_start;
	*source = (struct log_source){.history = history};
	assert_int_equal(log_spool_open(dir, "orders", &ops, &spool, &err), OK);
	assert_int_equal(log_spool_begin(&spool, &range, 1, false, &err), OK);
	assert_int_equal(log_spool_put_history(&spool, 2, SLICE(own, sizeof(own) - 1), &err), OK);
	c.spool = spool;
	return (enum err)log_copy_start(&c, &err);
}

static void
test_the_same(void **state)
{
	struct log_source s;

	(void)state;
	assert_int_equal(start("1\t0/300028\tno recovery target specified\n", 5 * SEG, &s), OK);
	assert_int_equal(s.started, 1);
}

/* Both were promoted from timeline 1, and both call themselves 2. */
static void
test_two_of_the_same_number(void **state)
{
	struct log_source s;

	(void)state;
	assert_int_equal(start("1\t0/2FFF00\tno recovery target specified\n", 5 * SEG, &s),
			 ERR_BACKUP_TYPE);
	assert_int_equal(s.started, 0);
}

/* Waiting changes nothing about it. */
static void
test_a_server_that_was_restored(void **state)
{
	struct log_source s;

	(void)state;
	assert_int_equal(start("1\t0/300028\tno recovery target specified\n", 10 * SEG, &s),
			 ERR_BACKUP_TYPE);
	assert_false(error_retryable(ERR_BACKUP_TYPE));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same),
		cmocka_unit_test(test_two_of_the_same_number),
		cmocka_unit_test(test_a_server_that_was_restored),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
