/* SPDX-License-Identifier: Apache-2.0 */

/* How far logs may go, and who is in the way: tables. */
#include "group/truncate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/text.h"
#include "postgresql/walrange.h"

static char *
position_text(uint64_t position, char text[ENGINE_POSITION_MAX])
{
	return walrange_format_lsn(position, text);
}

static char name_group[] = "orders", name_slot[] = "holdfast_orders";
static char *const name_copies[] = {(char[]){"pg1"}, (char[]){"pg2"}, (char[]){"pg3"}};
static const struct engine engine = {.name = "fake", .position_text = position_text};

/* pg1 active at 1000 with the slot at 100; pg2 and pg3 healthy, at 900 and 950. */
struct world {
	struct group group;
	struct group_copy copies[3];
	struct group_member members[3];
	struct group_view view;
	struct truncate_stored stored;
	struct truncate_plan plan;
	struct error err;
};

static void
passive(struct group_member *m, uint64_t copied, uint64_t replayed)
{
	m->facts.role = COPY_ROLE_PASSIVE;
	m->facts.copied = copied;
	m->facts.replayed = replayed;
	m->status = COPY_HEALTHY;
}

static void
add_slot(struct world *w, const char *name, uint64_t position)
{
	struct copy_facts *f = &w->members[0].facts;
	struct copy_slot *s = &f->slots[f->n_slots++];

	*s = (struct copy_slot){.position = position};
	(void)text_printf(s->name, sizeof(s->name), "%s", name);
}

static void
build(struct world *w)
{
	*w = (struct world){
		.group = {.name = name_group, .engine = &engine, .slot = name_slot, .n = 3},
		.stored = {.base = 800, .base_binds = true, .base_why = "restore point x"},
		.err = ERROR_INIT,
	};
	w->group.copies = w->copies;
	for (size_t i = 0; i < 3; i++) {
		w->copies[i].name = name_copies[i];
		w->members[i].copy = &w->copies[i];
	}
	w->members[0].facts.role = COPY_ROLE_ACTIVE;
	w->members[0].facts.generated = 1000;
	w->members[0].facts.segment_bytes = 100;
	w->members[0].status = COPY_MOUNTED;
	add_slot(w, name_slot, 100);
	passive(&w->members[1], 900, 900);
	passive(&w->members[2], 960, 950);
	w->view = (struct group_view){.group = &w->group, .n = 3, .members = w->members};
}

static void
decide(struct world *w, enum truncate_end end, uint64_t to)
{
	assert_int_equal(truncate_decide(&w->view, &w->stored, &w->plan, &w->err), OK);
	assert_int_equal(w->plan.end, end);
	assert_int_equal(w->plan.to, to);
}

static void
says(const struct world *w, const char *part)
{
	char text[TRUNCATE_SENTENCE_MAX];

	(void)truncate_sentence(&w->plan, &w->group, false, text);
	if (strstr(text, part) == NULL)
		fail_msg("'%s' is not in '%s'", part, text);
}

static const struct truncate_mark *
blocker(const struct world *w)
{
	assert_true(w->plan.blocker < w->plan.n);
	return &w->plan.marks[w->plan.blocker];
}

static void
as_far_as_the_least(void **state)
{
	struct world w;

	(void)state;
	build(&w);
	decide(&w, TRUNCATE_MOVES, 800);
	assert_int_equal(w.plan.before, 100);
	assert_int_equal(blocker(&w)->who, TRUNCATE_REPOSITORY);
	says(&w, "logs before 0/320 may go: 7 log files");
	w.stored.base = 930;
	decide(&w, TRUNCATE_MOVES, 900);
	assert_string_equal(blocker(&w)->name, "pg2");
	says(&w, "copy pg2 needs the rest");
	/* What is copied and not replayed is needed, too. */
	passive(&w.members[1], 990, 300);
	decide(&w, TRUNCATE_MOVES, 300);
	w.members[2].facts.copied = 200;
	decide(&w, TRUNCATE_MOVES, 200);
	assert_string_equal(blocker(&w)->name, "pg3");
}

static void
never_back(void **state)
{
	struct world w;

	(void)state;
	for (uint64_t base = 0; base <= 100; base += 50) {
		build(&w);
		w.stored.base = base;
		decide(&w, TRUNCATE_NOTHING_NEW, 100);
	}
	says(&w, "nothing to let go of: logs are kept from 0/64 on; the repository: restore point");
	passive(&w.members[1], 50, 50);
	w.stored.base = 800;
	decide(&w, TRUNCATE_BLOCKED, 100);
}

static void
who_does_not_answer_blocks(void **state)
{
	struct world w;

	(void)state;
	build(&w);
	w.members[2].facts = (struct copy_facts){.failure = ERR_DB_CONNECT,
						 .message = "Connection refused"};
	w.members[2].status = COPY_SERVICE_DOWN;
	decide(&w, TRUNCATE_BLOCKED, 100);
	assert_string_equal(blocker(&w)->name, "pg3");
	assert_int_equal(blocker(&w)->position, 0);
	says(&w, "copy pg3: ServiceDown: Connection refused");
	/* Of another database: what it has is no measure. */
	build(&w);
	w.members[1].status = COPY_FAILED;
	(void)text_printf(w.members[1].why, sizeof(w.members[1].why), "of another database");
	decide(&w, TRUNCATE_BLOCKED, 100);
	says(&w, "copy pg2: Failed: of another database");
	/* Answers, and says nothing of its position. */
	build(&w);
	passive(&w.members[1], 0, 0);
	decide(&w, TRUNCATE_BLOCKED, 100);
}

static void
disconnected_with_a_position_counts(void **state)
{
	struct world w;

	(void)state;
	build(&w);
	passive(&w.members[1], 700, 700);
	w.members[1].status = COPY_DISCONNECTED_AND_HEALTHY;
	decide(&w, TRUNCATE_MOVES, 700);
	assert_string_equal(blocker(&w)->why, "DisconnectedAndHealthy");
}

static void
logs_and_base(void **state)
{
	struct world w;

	(void)state;
	build(&w);
	/* The chain of logs must not get a gap. */
	w.stored.logs = 400;
	w.stored.logs_bind = true;
	decide(&w, TRUNCATE_MOVES, 400);
	assert_int_equal(blocker(&w)->who, TRUNCATE_LOGS);
	/* It reaches past the base. */
	w.stored.base_binds = false;
	w.stored.logs = 850;
	decide(&w, TRUNCATE_MOVES, 850);
	/* It was given up. */
	w.stored.base_binds = true;
	w.stored.logs = 400;
	w.stored.logs_bind = false;
	decide(&w, TRUNCATE_MOVES, 800);
	/* Nothing is stored. */
	w.stored = (struct truncate_stored){.base_binds = true, .base_why = "there is none"};
	decide(&w, TRUNCATE_NOTHING_NEW, 100);
	/* Of another history. */
	w.stored.base = 1001;
	decide(&w, TRUNCATE_NOTHING_NEW, 100);
	says(&w, "beyond the end");
}

static void
the_slot(void **state)
{
	struct world w;

	(void)state;
	build(&w);
	add_slot(&w, "somebody", 10);
	decide(&w, TRUNCATE_MOVES, 800);
	assert_int_equal(w.plan.n, 4);
	assert_string_equal(w.plan.marks[3].name, "somebody");
	assert_false(w.plan.marks[3].binding);
	w.members[0].facts.slots[0].active = true;
	decide(&w, TRUNCATE_BY_COPIER, 100);
	/* Not there yet. */
	w.members[0].facts.n_slots = 0;
	decide(&w, TRUNCATE_MOVES, 800);
	assert_int_equal(w.plan.before, 0);
	w.members[2].facts.failure = ERR_TIMEOUT;
	decide(&w, TRUNCATE_BLOCKED, 0);
	says(&w, "there is no slot 'holdfast_orders' yet");
	/* Lost. */
	build(&w);
	w.members[0].facts.slots[0].lost = true;
	decide(&w, TRUNCATE_MOVES, 800);
	assert_true(w.plan.lost);
	says(&w, "made anew");
	w.group.slot = NULL;
	decide(&w, TRUNCATE_NO_SLOT, 0);
}

static void
without_an_active_copy(void **state)
{
	struct world w;

	(void)state;
	build(&w);
	w.view.active = SIZE_MAX;
	(void)text_printf(w.view.why_no_active, sizeof(w.view.why_no_active), "none answers");
	assert_int_equal(truncate_decide(&w.view, &w.stored, &w.plan, &w.err), ERR_GROUP_NO_COPY);
	assert_non_null(strstr(w.err.msg, "none answers"));
}

static void
as_json(void **state)
{
	CLEAN(json_done) json_t *j = NULL;
	struct world w;

	(void)state;
	build(&w);
	decide(&w, TRUNCATE_MOVES, 800);
	j = truncate_json(&w.plan, &w.group);
	assert_non_null(j);
	assert_string_equal(json_string_value(json_object_get(j, "end")), "moves");
	assert_string_equal(json_string_value(json_object_get(j, "to")), "0/320");
	assert_int_equal(json_array_size(json_object_get(j, "marks")), 3);
}

/* More slots than anybody has marks for. */
static void
many_slots(void **state)
{
	struct world w;

	(void)state;
	build(&w);
	while (w.members[0].facts.n_slots < ENGINE_SLOTS_MAX)
		add_slot(&w, "another", 5);
	decide(&w, TRUNCATE_MOVES, 800);
	assert_true(w.plan.n <= TRUNCATE_MARKS_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_far_as_the_least),
		cmocka_unit_test(never_back),
		cmocka_unit_test(who_does_not_answer_blocks),
		cmocka_unit_test(disconnected_with_a_position_counts),
		cmocka_unit_test(logs_and_base),
		cmocka_unit_test(the_slot),
		cmocka_unit_test(without_an_active_copy),
		cmocka_unit_test(as_json),
		cmocka_unit_test(many_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
