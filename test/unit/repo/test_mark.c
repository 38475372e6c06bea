/* SPDX-License-Identifier: Apache-2.0 */

/* Marks, and the question that each backup asks of them before it writes its restore point. */
#include "repo/mark.h"

#include <string.h>

#include "base/clock.h"
#include "repo/index.h"
#include "repo/names.h"
#include "repo/object.h"
#include "rig.h"
#include "store/mem.h"

#define MINUTE (60 * NS_PER_S)
#define HOUR (60 * MINUTE)
#define START (1000 * HOUR) /* of the backup, wall clock */

static struct object_id
put(struct rig *r, uint64_t created, uint64_t sweep_after, uint64_t swept, size_t n)
{
	struct pack_id packs[8];
	struct mark m = {.created_ns = created,
			 .sweep_after_ns = sweep_after,
			 .swept_ns = swept,
			 .n = n,
			 .packs = packs};
	struct object_id id;

	assert_true(n <= ARRAY_SIZE(packs));
	for (size_t i = 0; i < n; i++)
		rig_fill(&packs[i], sizeof(packs[i]), created / HOUR * 100 + i);
	rig_ok(r, mark_write(r->repo, &m, &id, &r->err));
	return id;
}

static void
round_trip(void **state)
{
	struct rig *r = *state;
	struct object_id ids[3] = {put(r, 1 * HOUR, 2 * HOUR, 0, 8),
				   put(r, 3 * HOUR, 4 * HOUR, 5 * HOUR, 1),
				   put(r, 6 * HOUR, 6 * HOUR, 0, 0)};
	struct mark_list l;
	size_t seen = 0;

	rig_ok(r, mark_list_read(r->repo, &l, &r->err));
	assert_int_equal(l.n, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct mark *m = &l.marks[i];

		if (memcmp(&m->id, &ids[0], sizeof(m->id)) == 0) {
			assert_int_equal(m->created_ns, 1 * HOUR);
			assert_int_equal(m->sweep_after_ns, 2 * HOUR);
			assert_int_equal(m->swept_ns, 0);
			assert_int_equal(m->n, 8);
			seen |= 1;
			for (size_t k = 1; k < m->n; k++)
				assert_true(memcmp(&m->packs[k - 1], &m->packs[k], PACK_ID_SIZE) <
					    0);
		} else if (memcmp(&m->id, &ids[1], sizeof(m->id)) == 0) {
			assert_int_equal(m->swept_ns, 5 * HOUR);
			assert_int_equal(m->n, 1);
			seen |= 2;
		} else {
			assert_memory_equal(&m->id, &ids[2], sizeof(m->id));
			assert_int_equal(m->n, 0);
			seen |= 4;
		}
	}
	assert_int_equal(seen, 7);
	mark_list_done(&l);
	mark_list_done(&l);

	rig_ok(r, mark_remove(r->repo, &ids[0], &r->err));
	rig_ok(r, mark_remove(r->repo, &ids[0], &r->err)); /* somebody else was quicker: fine */
	rig_ok(r, mark_list_read(r->repo, &l, &r->err));
	assert_int_equal(l.n, 2);
	mark_list_done(&l);
}

static void
damaged(void **state)
{
	static const char *const payloads[] = {
		"",
		"[]",
		"{}",
		"{\"created\":1,\"sweep_after\":1,\"swept\":0}",
		"{\"created\":1,\"sweep_after\":1,\"swept\":-1,\"packs\":[]}",
		"{\"created\":1,\"sweep_after\":1,\"swept\":0,\"packs\":[1]}",
		"{\"created\":1,\"sweep_after\":1,\"swept\":0,\"packs\":[\"00\"]}",
		"{\"created\":1,\"sweep_after\":1,\"swept\":0,\"packs\":{}}",
	};
	struct rig *r = *state;
	struct mark_list l = {0};

	for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
		struct object_id id;

		rig_ok(r, object_put(r->repo, OBJECT_MARK, SLICE(payloads[i], strlen(payloads[i])),
				     &id, NULL, &r->err));
		rig_fails(r, mark_list_read(r->repo, &l, &r->err), ERR_CORRUPT);
		assert_null(l.marks);
		/* A mark that cannot be read might be about anything. */
		rig_fails(r, mark_check_session(r->repo, START, &r->err), ERR_CORRUPT);
		rig_ok(r, mark_remove(r->repo, &id, &r->err));
	}
	struct object_id id = put(r, HOUR, HOUR, 0, 2);
	char name[NAME_SIZE];
	size_t n;
	store_mem_bytes(r->mem, name_object(NAME_MARKS, &id, name), &n)[50] ^= 1;
	rig_fails(r, mark_list_read(r->repo, &l, &r->err), ERR_CORRUPT);
	assert_non_null(strstr(r->err.msg, name));
}

static void
hiding(void **state)
{
	struct rig *r = *state;
	struct pack_id one, two, three;

	(void)put(r, 1 * HOUR, 2 * HOUR, 0, 2);
	(void)put(r, 3 * HOUR, 4 * HOUR, 5 * HOUR, 1); /* a tombstone hides as well */
	rig_fill(&one, sizeof(one), 100);
	rig_fill(&two, sizeof(two), 300);
	rig_fill(&three, sizeof(three), 301);
	rig_look(r);
	assert_false(repo_index_hidden(r->index, &one));
	rig_ok(r, mark_hide_packs(r->repo, r->index, &r->err));
	assert_true(repo_index_hidden(r->index, &one));
	assert_true(repo_index_hidden(r->index, &two));
	assert_false(repo_index_hidden(r->index, &three));
}

/* ---- sessions -------------------------------------------------------------------------------- */

struct occasion {
	const char *what;
	uint64_t created, sweep_after, swept; /* of the mark */
	uint64_t now; /* when the backup, begun at START, asks */
	int expected;
};

static const struct occasion occasions[] = {
	{"known long before, due during the backup", START - HOUR, START + HOUR, 0,
	 START + 2 * HOUR, OK},
	{"known long before, and swept meanwhile", START - HOUR, START + HOUR,
	 START + HOUR + MINUTE, START + 2 * HOUR, OK},
	{"made during the backup, due much later", START + HOUR, START + 24 * HOUR, 0,
	 START + 2 * HOUR, OK},
	{"made during the backup, due soon", START + HOUR, START + 10 * HOUR, 0,
	 START + 10 * HOUR - 5 * MINUTE, ERR_BUSY},
	{"made during the backup, due now", START + HOUR, START + 10 * HOUR, 0, START + 10 * HOUR,
	 ERR_BUSY},
	{"made during the backup, overdue", START + HOUR, START + 10 * HOUR, 0, START + 20 * HOUR,
	 ERR_BUSY},
	{"made and swept during the backup", START + HOUR, START + HOUR, START + HOUR + MINUTE,
	 START + 2 * HOUR, ERR_BUSY},
	{"made just before, swept just after it began", START - MINUTE, START - MINUTE,
	 START + MINUTE, START + HOUR, ERR_BUSY},
	{"made and swept just before it began", START - 2 * MINUTE, START - 2 * MINUTE,
	 START - MINUTE, START + HOUR, OK},
	{"made just before, due much later", START - MINUTE, START + 24 * HOUR, 0, START + HOUR,
	 OK},
};

static void
sessions(void **state)
{
	struct rig *r = *state;

	clock_fake_set(START, START);
	rig_ok(r, mark_check_session(r->repo, START, &r->err));
	for (size_t i = 0; i < ARRAY_SIZE(occasions); i++) {
		const struct occasion *o = &occasions[i];
		struct object_id harmless = put(r, START - 48 * HOUR, START - 24 * HOUR, 0, 1);
		struct object_id id = put(r, o->created, o->sweep_after, o->swept, 3);

		clock_fake_set(START, o->now);
		int rc = mark_check_session(r->repo, START, &r->err);
		if (rc != o->expected)
			print_error("%s\n", o->what);
		assert_int_equal(rc, o->expected);
		if (rc == ERR_BUSY) {
			assert_true(error_retryable((enum err)rc));
			assert_non_null(strstr(r->err.hint, "prune.grace"));
		}
		rig_ok(r, mark_remove(r->repo, &id, &r->err));
		rig_ok(r, mark_remove(r->repo, &harmless, &r->err));
	}
	clock_fake_off();
}

/* The writer asks at the end, with the time it began. */
static void
a_writer_asks(void **state)
{
	struct rig *r = *state;

	clock_fake_set(START, START);
	rig_begin(r, NULL);
	(void)rig_put(r, BLOB_DATA, "x", 1);
	clock_fake_advance(HOUR);
	(void)put(r, START + MINUTE, START + MINUTE, START + 2 * MINUTE, 1);
	rig_ok(r, repo_sink_close(STEAL_PTR(r->sink), &r->err));
	rig_fails(r, repo_writer_flush(r->writer, &r->err), ERR_BUSY);
	rig_shut(r);
	/* What it stored is reused. */
	clock_fake_advance(HOUR);
	rig_begin(r, NULL);
	bool new = true;
	struct blob_id id;
	rig_ok(r, repo_sink_put(r->sink, BLOB_DATA, SLICE("x", 1), &id, &new, &r->err));
	assert_false(new);
	rig_end(r);
	clock_fake_off();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(round_trip, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(damaged, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(hiding, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(sessions, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(a_writer_asks, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
