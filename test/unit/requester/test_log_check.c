/* SPDX-License-Identifier: Apache-2.0 */

/* What verify finds in restore points of logs: each test stores one that is not what it says. */
#include "requester/log_check.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "requester/logrepo.h"

#define SEG ((uint64_t)WALMAKE_SEGMENT)

struct problems {
	unsigned n;
	char first[512];
};

static void
on_problem(void *arg, const char *object, const char *message)
{
	struct problems *p = arg;

	assert_int_equal(strncmp(object, "points/", 7), 0);
	if (p->n++ == 0)
		(void)snprintf(p->first, sizeof(p->first), "%s", message);
}

static struct problems
check(struct logrepo *r, bool read)
{
	struct problems p = {0};
	const struct log_check order = {
		.repo = r->rig->repo, .read = read, .problem = on_problem, .problem_arg = &p};
	uint64_t n;

	rig_shut(r->rig);
	rig_ok(r->rig, log_check_run(&order, &n, &r->rig->err));
	assert_int_equal(n, p.n);
	return p;
}

/* Three segments and a bit, with a name in the second. Returns its end. */
static uint64_t
write_log(struct logrepo *r)
{
	while (r->wal.at < SEG + SEG / 2)
		(void)walmake_other(&r->wal, 10000);
	(void)walmake_name(&r->wal, UINT64_C(1700000000000000), "here");
	while (r->wal.at < 3 * SEG + SEG / 2)
		(void)walmake_other(&r->wal, 10000);
	return LOGREPO_START + (r->wal.at + 7) / 8 * 8;
}

static void
as_it_should_be(void **state)
{
	struct logrepo *r = *state;
	uint64_t end = write_log(r);
	struct problems p;

	logrepo_base(r, LOGREPO_START, LOGREPO_START + 8, LOGREPO_START + 8, 1);
	logrepo_store(r, &(struct logrepo_logs){.from = LOGREPO_START, .to = end});
	logrepo_store(r, &(struct logrepo_logs){
				 .from = LOGREPO_START + SEG, .to = end, .no_names = true});
	logrepo_store(r, &(struct logrepo_logs){.from = LOGREPO_START, .to = LOGREPO_START});
	p = check(r, false);
	assert_int_equal(p.n, 0);
	p = check(r, true);
	if (p.n != 0)
		fail_msg("%s", p.first);
}

static void
a_log_is_missing(void **state)
{
	struct logrepo *r = *state;
	struct problems p;

	(void)write_log(r);
	logrepo_store(r, &(struct logrepo_logs){.from = LOGREPO_START,
						.to = LOGREPO_START + 2 * SEG,
						.says_to = LOGREPO_START + 3 * SEG});
	p = check(r, false);
	assert_int_equal(p.n, 1);
	assert_string_equal(p.first, "the log at 0/700000 is missing");
}

/* Bytes of which only their meaning is wrong are looked at only when they are read. */
static void
a_record_is_damaged(void **state)
{
	struct logrepo *r = *state;
	uint64_t end = write_log(r);
	struct problems p;

	r->wal.bytes[SEG + 9000] ^= 4;
	logrepo_store(r, &(struct logrepo_logs){.from = LOGREPO_START, .to = end});
	p = check(r, false);
	assert_int_equal(p.n, 0);
	p = check(r, true);
	assert_int_equal(p.n, 1);
	assert_non_null(strstr(p.first, "the log cannot be read beyond 0/6"));
}

static void
of_another_database(void **state)
{
	struct logrepo *r = *state;
	uint64_t end = write_log(r);
	struct problems p;

	logrepo_store(r,
		      &(struct logrepo_logs){.from = LOGREPO_START, .to = end, .identity = "7123"});
	p = check(r, true);
	assert_int_equal(p.n, 1);
	assert_string_equal(p.first, "the log is that of another database");
}

/* Otherwise a restore would say that nobody gave the name. */
static void
a_name_is_left_out(void **state)
{
	struct logrepo *r = *state;
	uint64_t end = write_log(r);
	struct problems p;

	logrepo_store(
		r, &(struct logrepo_logs){.from = LOGREPO_START, .to = end, .false_names = true});
	p = check(r, false);
	assert_int_equal(p.n, 0);
	p = check(r, true);
	assert_int_equal(p.n, 1);
	assert_non_null(strstr(p.first, "list of named restore points"));
}

static void
only_one(void **state)
{
	struct logrepo *r = *state;
	CLEAN(log_chain_done) struct log_chain c = {0};
	uint64_t end = write_log(r), n;
	struct problems p = {0};

	logrepo_store(r, &(struct logrepo_logs){.from = LOGREPO_START, .to = end});
	logrepo_store(r, &(struct logrepo_logs){.from = LOGREPO_START,
						.to = LOGREPO_START + SEG,
						.says_to = end,
						.from_s = 9});
	logrepo_base(r, LOGREPO_START, LOGREPO_START + 8, LOGREPO_START + 8, 20);
	logrepo_chain(r, &c);
	assert_int_equal(r->list.n, 3);
	static const unsigned found[] = {0, 1, 0};
	for (size_t i = 0; i < 3; i++) {
		const struct log_check order = {.repo = r->rig->repo,
						.only = r->list.points[i],
						.problem = on_problem,
						.problem_arg = &p};

		rig_ok(r->rig, log_check_run(&order, &n, &r->rig->err));
		assert_int_equal(n, found[i]);
	}
}

/* A record that nobody could have written. */
static void
a_strange_record(void **state)
{
	struct logrepo *r = *state;
	CLEAN(log_chain_done) struct log_chain c = {0};
	uint64_t end = write_log(r);
	struct object_id id;
	struct problems p;
	json_t *j;

	logrepo_store(r, &(struct logrepo_logs){.from = LOGREPO_START, .to = end});
	logrepo_chain(r, &c);
	j = r->list.points[0]->json;
	assert_int_equal(
		json_object_set_new(json_object_get(j, "logs"), "to", json_string("0/100")), 0);
	rig_ok(r->rig, point_write(r->rig->repo, j, &id, &r->rig->err));
	p = check(r, false);
	assert_int_equal(p.n, 1);
	assert_non_null(strstr(p.first, "contradicts itself"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(as_it_should_be, logrepo_setup, logrepo_teardown),
		cmocka_unit_test_setup_teardown(a_log_is_missing, logrepo_setup, logrepo_teardown),
		cmocka_unit_test_setup_teardown(a_record_is_damaged, logrepo_setup,
						logrepo_teardown),
		cmocka_unit_test_setup_teardown(of_another_database, logrepo_setup,
						logrepo_teardown),
		cmocka_unit_test_setup_teardown(a_name_is_left_out, logrepo_setup,
						logrepo_teardown),
		cmocka_unit_test_setup_teardown(only_one, logrepo_setup, logrepo_teardown),
		cmocka_unit_test_setup_teardown(a_strange_record, logrepo_setup, logrepo_teardown),
	};

	return cmocka_run_group_tests_name("log_check", tests, NULL, NULL);
}
