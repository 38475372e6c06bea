/* SPDX-License-Identifier: Apache-2.0 */

/* Asking all copies at once: nobody is waited for beyond the deadline, nor one after another. */
#include "group/status.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"

#define LIMIT_NS (20 * NS_PER_S)

static _Atomic unsigned asked, ended, together;
static atomic_bool stuck;

/* The copy's port says what becomes of the question: "together" is answered once all of them have been asked, "stuck"
 * when the test lets go of it. */
static int
fake_look(const struct group *g, const struct group_copy *c, uint64_t deadline_ns,
	  struct copy_facts *ret, struct error *err)
{
	(void)g;
	(void)deadline_ns;
	atomic_fetch_add(&asked, 1);
	while (strcmp(c->port, "together") == 0 && atomic_load(&asked) < atomic_load(&together) &&
	       clock_boot_ns() < deadline_ns)
		(void)poll(NULL, 0, 1);
	while (strcmp(c->port, "stuck") == 0 && atomic_load(&stuck))
		(void)poll(NULL, 0, 1);
	*ret = (struct copy_facts){
		.role = strcmp(c->name, "pg1") == 0 ? COPY_ROLE_ACTIVE : COPY_ROLE_PASSIVE,
		.receiving = true,
		.timeline = 1,
		.copied = 1,
		.replayed = 1,
	};
	(void)text_printf(ret->identity, sizeof(ret->identity), "77");
	atomic_fetch_add(&ended, 1);
	return strcmp(c->port, "memory") == 0 ? error_no_memory(err) : OK;
}

static const struct engine fake = {.name = "fake", .look = fake_look};

static struct group_view
look(size_t n, const char *const *ports, uint64_t limit_ms)
{
	static char names[][4] = {"pg1", "pg2", "pg3", "pg4"}, name[] = "orders";
	static struct group_copy copies[4]; /* the view points to them */
	static struct group g;
	struct group_view v;
	struct error err = ERROR_INIT;

	atomic_store(&asked, 0);
	atomic_store(&ended, 0);
	for (size_t i = 0; i < n; i++)
		copies[i] = (struct group_copy){.name = names[i],
						.port = (char *)(uintptr_t)ports[i]};
	g = (struct group){.name = name,
			   .engine = &fake,
			   .max_copy_queue = UINT64_MAX,
			   .max_replay_queue = UINT64_MAX,
			   .n = n,
			   .copies = copies};
	if (group_look(&g, clock_boot_ns() + limit_ms * NS_PER_MS, &v, &err) != OK)
		fail_msg("%s", err.msg);
	return v;
}

/* Late threads use what is theirs; wait for them, so that this is checked under a sanitizer. */
static void
await_ended(unsigned n)
{
	for (uint64_t end = clock_boot_ns() + LIMIT_NS;
	     atomic_load(&ended) < n && clock_boot_ns() < end;)
		(void)poll(NULL, 0, 10);
	assert_int_equal(atomic_load(&ended), n);
	(void)poll(NULL, 0, 50);
}

/* One after another the first would wait until the deadline for the others to be asked. */
static void
test_all_at_once(void **state)
{
	atomic_store(&together, 4);
	uint64_t begun_ns = clock_boot_ns();
	CLEAN(group_view_done)
	struct group_view v = look(
		4, (const char *const[]){"together", "together", "together", "together"},
		LIMIT_NS / NS_PER_MS);

	(void)state;
	assert_true(clock_boot_ns() - begun_ns < LIMIT_NS);
	assert_int_equal(atomic_load(&asked), 4);
	assert_int_equal(v.active, 0);
	assert_int_equal(v.members[3].status, COPY_HEALTHY);
	await_ended(4);
}

/* The limit is long enough for the other two on a busy machine. */
static void
test_stuck(void **state)
{
	atomic_store(&stuck, true);
	CLEAN(group_view_done)
	struct group_view v = look(3, (const char *const[]){"good", "stuck", "good"}, 2000);

	(void)state;
	assert_int_equal(atomic_load(&ended), 2); /* it was not waited for */
	atomic_store(&stuck, false);
	assert_int_equal(v.members[1].status, COPY_SERVICE_DOWN);
	assert_string_equal(v.members[1].why, "it did not answer in time");
	assert_int_equal(v.members[2].status, COPY_HEALTHY);
	await_ended(3);
}

static void
test_out_of_memory(void **state)
{
	CLEAN(group_view_done)
	struct group_view v = look(2, (const char *const[]){"good", "memory"}, 5000);

	(void)state;
	assert_int_equal(v.members[1].facts.failure, ERR_NO_MEMORY);
	assert_int_equal(v.members[1].status, COPY_FAILED);
	await_ended(2);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_stuck),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests_name("look", tests, NULL, NULL);
}
