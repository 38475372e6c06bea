/* SPDX-License-Identifier: Apache-2.0 */

/* The pump: what a guest may not do, what is done only once, and a guest's writer at the other end. */
#include "requester/pump.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "repo/rig.h"
#include "requester/crew.h"
#include "store/mem.h"
#include "store/outbox.h"

#define PACK "packs/ab/ab000000000000000000000000000000"
#define INDEX "index/ab000000000000000000000000000000"

struct bench {
	struct store *store;
	struct pump *pump;
	struct buf data;
};

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct error err = ERROR_INIT;

	assert_non_null(b);
	b->data = BUF_INIT(4 << 20);
	assert_int_equal(store_mem_open(&b->store, &err), OK);
	assert_int_equal(pump_new(b->store, PUMP_BACKUP, &b->pump, &err), OK);
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	pump_free(b->pump);
	store_close(b->store);
	buf_done(&b->data);
	free(b);
	return 0;
}

static int
perform(struct bench *b, enum storeop_kind kind, const char *name, uint64_t upload, uint64_t offset,
	const char *bytes)
{
	struct storeop op = {.id = 1, .kind = kind, .upload = upload, .offset = offset};
	struct storeop_answer answer;

	memcpy(op.name, name, strlen(name) + 1);
	if (kind == STOREOP_READ || kind == STOREOP_LIST)
		op.n = 100;
	pump_perform(b->pump, &op, SLICE(bytes, strlen(bytes)), &answer, &b->data);
	assert_int_equal(answer.id, 1);
	return answer.error.code;
}

static void
put(struct bench *b, const char *name, const char *text)
{
	struct error err = ERROR_INIT;

	assert_int_equal(store_put(b->store, name, SLICE(text, strlen(text)), &err), OK);
}

static void
expect(struct bench *b, const char *name, const char *text)
{
	CLEAN(buf_done) struct buf got = BUF_INIT(1000);
	struct error err = ERROR_INIT;

	assert_int_equal(store_get(b->store, name, &got, &err), OK);
	assert_int_equal(got.n, strlen(text));
	assert_memory_equal(got.p, text, got.n);
}

static void
what_a_guest_may_not(void **state)
{
	static const struct {
		enum storeop_kind kind;
		const char *name;
	} refused[] = {
		{STOREOP_READ, "holdfast.json"},
		{STOREOP_READ, "keys/00"},
		{STOREOP_STAT, "keys/00"},
		{STOREOP_LIST, "keys/"},
		{STOREOP_LIST, ""},
		{STOREOP_READ, "points/00"},
		{STOREOP_LIST, "points/"},
		{STOREOP_READ, "else/00"},
		{STOREOP_PART, "points/00"},
		{STOREOP_COMMIT, "points/00"},
		{STOREOP_COMMIT, "keys/00"},
		{STOREOP_COMMIT, "holdfast.json"},
		{STOREOP_COMMIT, "marks/00"},
		{STOREOP_COMMIT, "packs/00"},
		{STOREOP_COMMIT, "index/x"},
		{STOREOP_COMMIT, "packs/cd/ab000000000000000000000000000000"},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		assert_int_equal(perform(b, refused[i].kind, refused[i].name, 7, 0, ""),
				 ERR_PERMISSION);
	assert_int_equal(perform(b, STOREOP_LIST, "packs/", 0, 0, ""), OK);
	assert_int_equal(perform(b, STOREOP_LIST, "marks/", 0, 0, ""), OK);
	assert_int_equal(perform(b, STOREOP_READ, "marks/00", 0, 0, ""), ERR_NOT_FOUND);
}

static void
twice_is_once(void **state)
{
	struct bench *b = *state;

	assert_int_equal(perform(b, STOREOP_PART, PACK, 7, 0, "abc"), OK);
	assert_int_equal(perform(b, STOREOP_PART, PACK, 7, 0, "abc"), OK);
	assert_int_equal(perform(b, STOREOP_PART, PACK, 7, 3, "def"), OK);
	assert_int_equal(perform(b, STOREOP_PART, PACK, 7, 0, "abc"), OK);
	assert_int_equal(perform(b, STOREOP_COMMIT, PACK, 7, 6, "gh"), OK);
	assert_int_equal(perform(b, STOREOP_COMMIT, PACK, 7, 6, "gh"), OK);
	assert_int_equal(perform(b, STOREOP_PART, PACK, 7, 3, "def"), OK);
	expect(b, PACK, "abcdefgh");
	/* Another upload of that name is too late, and told so as often as it asks. */
	assert_int_equal(perform(b, STOREOP_COMMIT, PACK, 8, 0, "x"), ERR_EXISTS);
	assert_int_equal(perform(b, STOREOP_COMMIT, PACK, 8, 0, "x"), ERR_EXISTS);
	expect(b, PACK, "abcdefgh");
}

static void
parts_that_do_not_fit(void **state)
{
	struct bench *b = *state;

	assert_int_equal(perform(b, STOREOP_PART, PACK, 7, 3, "abc"), ERR_BAD_STATE);
	assert_int_equal(perform(b, STOREOP_PART, PACK, 0, 0, "abc"), ERR_PROTOCOL);
	assert_int_equal(perform(b, STOREOP_PART, PACK, 8, 0, "abc"), OK);
	assert_int_equal(perform(b, STOREOP_PART, INDEX, 8, 3, "abc"), ERR_PROTOCOL);
	assert_int_equal(perform(b, STOREOP_PART, PACK, 8, 2, "abc"), ERR_PROTOCOL);
	/* It is over then. */
	assert_int_equal(perform(b, STOREOP_COMMIT, PACK, 8, 3, ""), ERR_PROTOCOL);
	assert_int_equal(perform(b, STOREOP_ABORT, "", 8, 0, ""), OK);
	assert_int_equal(perform(b, STOREOP_ABORT, "", 9, 0, ""), OK);
	assert_int_equal(perform(b, STOREOP_STAT, PACK, 0, 0, ""), OK);
}

static void
open_uploads_are_bounded(void **state)
{
	struct bench *b = *state;
	char name[64];
	uint64_t n = 0;

	for (int rc = OK; rc == OK && n < 1000; n += rc == OK) {
		(void)snprintf(name, sizeof(name), "index/%032llx", (unsigned long long)n);
		rc = perform(b, STOREOP_PART, name, n + 1, 0, "x");
		assert_true(rc == OK || rc == ERR_LIMIT);
	}
	assert_int_equal(n, 64);
	assert_int_equal(perform(b, STOREOP_ABORT, "", 1, 0, ""), OK);
	assert_int_equal(perform(b, STOREOP_PART, name, n + 1, 0, "x"), OK);
	/* Those that are over are forgotten in time, and make no room scarce. */
	for (uint64_t i = 2; i <= 64; i++)
		assert_int_equal(perform(b, STOREOP_ABORT, "", i, 0, ""), OK);
	for (uint64_t i = 1000; i < 2000; i++) {
		(void)snprintf(name, sizeof(name), "index/%032llx", (unsigned long long)i);
		assert_int_equal(perform(b, STOREOP_COMMIT, name, i, 0, "x"), OK);
	}
}

static void
a_listing_in_parts(void **state)
{
	struct bench *b = *state;
	struct storeop op = {.id = 1, .kind = STOREOP_LIST, .name = "packs/", .upload = 5, .n = 7};
	struct storeop_answer answer;
	CLEAN(buf_done) struct buf whole = BUF_INIT(1000);
	struct error err = ERROR_INIT;

	put(b, "packs/ab/1", "12");
	put(b, "packs/cd/2", "123");
	do {
		op.offset = whole.n;
		pump_perform(b->pump, &op, SLICE(NULL, 0), &answer, &b->data);
		assert_int_equal(answer.error.code, OK);
		assert_int_equal(answer.size, 2 * (1 + 10 + 1));
		assert_int_equal(buf_append(&whole, b->data.p, b->data.n, &err), OK);
		/* What comes meanwhile is not in it. */
		if (op.offset == 0)
			put(b, "packs/ef/3", "");
	} while (whole.n < answer.size);
	assert_memory_equal(whole.p, "\12packs/ab/1\2\12packs/cd/2\3", whole.n);
	/* It asks for one that nobody keeps. */
	op.upload = 6;
	op.offset = 3;
	pump_perform(b->pump, &op, SLICE(NULL, 0), &answer, &b->data);
	assert_int_equal(answer.error.code, ERR_BUSY);
}

static int
exchange(void *arg, unsigned number, const json_t *answer, struct slice data, struct buf *ret_frame,
	 struct error *err)
{
	struct outbox *o = arg;

	if (answer != NULL && outbox_answer(o, answer, data, err) < 0)
		return err->code;
	int rc = outbox_next(o, number + 1, ret_frame, err);
	if (rc == 0)
		outbox_wait(o, UINT64_MAX);
	return MIN(rc, OK);
}

/* Exactly what a guest does: derived keys, an outbox, nothing else; under the rules for guests. */
static void
a_guests_writer(void **state)
{
	struct rig *r = *state;
	CLEAN(secret_freep) struct secret *portable = NULL;
	struct repo *real = r->repo, *guest = NULL;
	struct outbox *o = NULL;
	struct pump *pump = NULL;
	struct crew *crew = NULL;
	struct repo_keys keys;
	struct object_id id;
	struct blob_id blob;

	/* There is an index to be fetched. */
	rig_begin(r, NULL);
	(void)rig_put(r, BLOB_DATA, "from here", 9);
	rig_end(r);
	rig_shut(r);

	rig_ok(r, keys_export(&real->keys, &real->id, &portable, &r->err));
	rig_ok(r, keys_import(SLICE(secret_view(portable), secret_size(portable)), &id, &keys,
			      &r->err));
	rig_ok(r, outbox_open(NULL, &o, &r->err));
	rig_ok(r, pump_new(r->store, PUMP_BACKUP, &pump, &r->err));
	rig_ok(r, crew_start(pump, 3, exchange, o, &crew, &r->err));
	rig_ok(r, repo_open_keys(outbox_store(o), &id, &keys, r->cache, &guest, &r->err));
	r->repo = guest;
	rig_begin(r, NULL);
	(void)rig_put(r, BLOB_DATA, "from here", 9);
	blob = rig_put(r, BLOB_DATA, "from a guest", 12);
	rig_end(r);
	rig_shut(r);
	outbox_close(o);
	int rc;
	while ((rc = crew_check(crew, &r->err)) == 0)
		(void)sched_yield();
	rig_check(&r->err, rc, 1, "crew", __FILE__, __LINE__);
	crew_end(crew);
	pump_free(pump);
	repo_close(guest);
	outbox_free(o);

	r->repo = real;
	assert_int_equal(rig_count(r, "packs/"), 2);
	rig_look(r);
	rig_expect(r, &blob, "from a guest", 12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_a_guest_may_not, setup, teardown),
		cmocka_unit_test_setup_teardown(twice_is_once, setup, teardown),
		cmocka_unit_test_setup_teardown(parts_that_do_not_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(open_uploads_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(a_listing_in_parts, setup, teardown),
		cmocka_unit_test_setup_teardown(a_guests_writer, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
