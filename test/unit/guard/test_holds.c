/* SPDX-License-Identifier: Apache-2.0 */

/* What is held, read from journals: open leases with their snapshots; whether their guard lives. */
#include "guard/holds.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"

struct bed {
	char dir[64];
	struct error err;
};

static int
setup(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));
	char path[128];

	(void)snprintf(bed->dir, sizeof(bed->dir), "/tmp/test-holds-XXXXXX");
	assert_non_null(mkdtemp(bed->dir));
	(void)snprintf(path, sizeof(path), "%s/guard", bed->dir);
	assert_int_equal(fs_mkdirs(AT_FDCWD, path, 0700, &bed->err), OK);
	*state = bed;
	return 0;
}

static int
teardown(void **state)
{
	struct bed *bed = *state;

	assert_int_equal(fs_remove_tree(AT_FDCWD, bed->dir, &bed->err), OK);
	free(bed);
	return 0;
}

/* A journal with a lease that is held and has two snapshots, one of them gone, and one that ended. */
static void
write_journal(struct bed *bed, const char *name, uint64_t pid)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(1 << 20);
	struct journal_start start = {.boot = "another boot", .pid = pid, .started = 1};
	struct journal_lease held = {
		.lease = {.key = {.set = {0xab}, .epoch = 7}, .state = LEASE_HELD},
		.job = "{j}",
		.begun_wall_ns = pid};
	struct journal_lease ended = {
		.lease = {.key = {.epoch = 6}, .state = LEASE_ENDED, .end = LEASE_FINISHED}};
	struct journal_member m = {.key = held.lease.key, .stage = JOURNAL_THERE};
	struct error *err = &bed->err;
	char path[160];

	(void)snprintf(m.snapshot.provider, sizeof(m.snapshot.provider), "btrfs");
	(void)snprintf(m.snapshot.source, sizeof(m.snapshot.source), "/srv");
	memcpy(m.snapshot.set, held.lease.key.set, sizeof(m.snapshot.set));
	assert_int_equal(journal_put_magic(&b, err), OK);
	assert_int_equal(journal_put_start(&b, &start, err), OK);
	assert_int_equal(journal_put_lease(&b, &held, err), OK);
	assert_int_equal(journal_put_lease(&b, &ended, err), OK);
	assert_int_equal(journal_put_member(&b, &m, err), OK);
	m.snapshot.index = 1;
	m.stage = JOURNAL_GONE;
	assert_int_equal(journal_put_member(&b, &m, err), OK);
	(void)snprintf(path, sizeof(path), "%s/guard/%s", bed->dir, name);
	assert_int_equal(fs_write_file(AT_FDCWD, path, buf_slice(&b), 0600, err), OK);
}

static void
test_read(void **state)
{
	struct bed *bed = *state;
	CLEAN(holds_done) struct holds holds = {0};

	write_journal(bed, "b.journal", 200);
	write_journal(bed, "a.journal", 300);
	write_journal(bed, "c.other", 400);
	assert_int_equal(holds_read(bed->dir, &holds, &bed->err), OK);
	assert_int_equal(holds.n, 2);
	const struct hold_view *h = &holds.items[0]; /* the older one */
	assert_int_equal(h->pid, 200);
	assert_false(h->alive);
	assert_false(h->same_boot);
	assert_false(h->damaged);
	assert_int_equal(h->n_in_journal, 1);
	assert_int_equal(h->lease.lease.key.epoch, 7);
	assert_string_equal(h->lease.job, "{j}");
	assert_int_equal(h->n_snapshots, 1);
	assert_string_equal(h->snapshots[0].source, "/srv");
	/* Nobody is signalled who is not that very process. */
	assert_int_equal(holds_end(h, &bed->err), ERR_NOT_FOUND);
}

static void
test_nothing(void **state)
{
	struct bed *bed = *state;
	CLEAN(holds_done) struct holds holds = {0};
	char path[160];

	assert_int_equal(holds_read("/nonexistent", &holds, &bed->err), OK);
	assert_int_equal(holds.n, 0);
	(void)snprintf(path, sizeof(path), "%s/guard/x.journal", bed->dir);
	assert_int_equal(fs_write_file(AT_FDCWD, path, SLICE("no journal", 10), 0600, &bed->err),
			 OK);
	assert_int_equal(holds_read(bed->dir, &holds, &bed->err), OK);
	assert_int_equal(holds.n, 0);
}

/* Our own number with another start is another process. */
static void
test_reused_number(void **state)
{
	struct hold_view h = {.pid = (uint64_t)getpid(), .started = 1};
	struct bed *bed = *state;

	assert_int_equal(holds_end(&h, &bed->err), ERR_NOT_FOUND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reused_number, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
