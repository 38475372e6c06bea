/* SPDX-License-Identifier: Apache-2.0 */

/* One worker's way in: what is stored once, in which frames, and what a failure does to the rest. */
#include <pthread.h>
#include <string.h>

#include "repo/index.h"
#include "repo/names.h"
#include "repo/pack.h"
#include "repo/write_internal.h"
#include "rig.h"
#include "store/fault.h"

static void
stored_once(void **state)
{
	struct rig *r = *state;
	struct blob_id first, again;
	bool new = false;

	rig_begin(r, NULL);
	rig_ok(r, repo_sink_put(r->sink, BLOB_DATA, SLICE("hello", 5), &first, &new, &r->err));
	assert_true(new);
	for (int class = BLOB_DATA; class <= BLOB_META; class ++) {
		rig_ok(r, repo_sink_put(r->sink, (enum blob_class) class, SLICE("hello", 5), &again,
					&new, &r->err));
		assert_false(new);
		assert_memory_equal(&first, &again, sizeof(first));
	}
	rig_ok(r, repo_sink_put(r->sink, BLOB_DATA, SLICE("hellp", 5), &again, &new, &r->err));
	assert_true(new);
	assert_memory_not_equal(&first, &again, sizeof(first));
	rig_end(r);
	rig_look(r);
	rig_expect(r, &first, "hello", 5);
	rig_expect(r, &again, "hellp", 5);
	assert_int_equal(repo_index_records(r->index), 2);
}

static void
sizes(void **state)
{
	struct rig *r = *state;
	CLEAN(free_ptr) uint8_t *big = malloc(BLOB_MAX + 1);
	struct blob_id id = {{1}}, ids[3], one;

	assert_non_null(big);
	rig_fill(big, BLOB_MAX + 1, 1);
	rig_begin(r, NULL);
	rig_fails(r, repo_sink_put(r->sink, BLOB_DATA, SLICE(big, 0), &id, NULL, &r->err),
		  ERR_INTERNAL);
	rig_fails(r,
		  repo_sink_put(r->sink, BLOB_DATA, SLICE(big, BLOB_MAX + 1), &id, NULL, &r->err),
		  ERR_INTERNAL);
	assert_int_equal(id.b[0], 1);
	for (size_t i = 0; i < 3; i++) {
		big[0] = (uint8_t)i;
		ids[i] = rig_put(r, (enum blob_class)(BLOB_DATA + i), big, BLOB_MAX);
	}
	one = rig_put(r, BLOB_DATA, big, 1);
	rig_end(r);
	rig_look(r);
	for (size_t i = 0; i < 3; i++) {
		big[0] = (uint8_t)i;
		rig_expect(r, &ids[i], big, BLOB_MAX);
	}
	rig_expect(r, &one, big, 1);
}

static int
keep_loc(void *arg, const struct blob_id *id, const struct blob_loc *loc, struct error *err)
{
	struct blob_loc **next = arg;

	(void)id;
	(void)err;
	*(*next)++ = *loc;
	return OK;
}

/* Locations of all blobs in the nth pack of the store. */
static size_t
locations(struct rig *r, size_t nth, struct blob_loc *locs)
{
	CLEAN(buf_done) struct buf table = BUF_INIT(PACK_TABLE_MAX + 4096);
	struct blob_loc *next = locs;
	char name[STORE_NAME_MAX + 1];
	struct pack_id id;
	uint64_t size;
	uint8_t class;

	rig_name(r, NAME_PACKS, nth, name);
	assert_true(name_parse_pack(name, &id));
	rig_ok(r, pack_read_table(r->repo, &id, &class, &size, &table, &r->err));
	rig_ok(r, pack_table_walk(buf_slice(&table), &id, class, keep_loc, &next, NULL, &r->err));
	return (size_t)(next - locs);
}

static void
small_blobs_share_a_frame(void **state)
{
	struct rig *r = *state;
	struct blob_loc locs[1000];

	rig_begin(r, NULL);
	for (uint64_t i = 0; i < ARRAY_SIZE(locs); i++) {
		uint8_t content[4096];
		size_t n = rig_sample(2 * i, content); /* the compressible ones */

		(void)rig_put(r, BLOB_DATA, content, n);
	}
	rig_end(r);
	assert_int_equal(rig_count(r, NAME_PACKS), 1);
	assert_int_equal(locations(r, 0, locs), ARRAY_SIZE(locs));
	for (size_t i = 1; i < ARRAY_SIZE(locs); i++)
		assert_in_range(locs[i].frame, locs[i - 1].frame, locs[i - 1].frame + 1);
	assert_in_range(locs[ARRAY_SIZE(locs) - 1].frame, 0, 1);
	assert_true(locs[0].frame_stored < locs[0].frame_plain / 10);
}

static void
noise_is_kept_as_it_is(void **state)
{
	struct rig *r = *state;
	uint8_t noise[5000];
	struct blob_loc loc;

	rig_fill(noise, sizeof(noise), 1);
	rig_begin(r, NULL);
	struct blob_id id = rig_put(r, BLOB_DATA, noise, sizeof(noise));
	rig_end(r);
	assert_int_equal(locations(r, 0, &loc), 1);
	assert_int_equal(loc.frame_stored, sizeof(noise) + 1 + CRYPTO_TAG_SIZE);
	rig_look(r);
	rig_expect(r, &id, noise, sizeof(noise));
}

/* A whole region goes into a frame alone, unless pages are waiting already. */
static void
whole_regions(void **state)
{
	struct rig *r = *state;
	CLEAN(free_ptr) uint8_t *region = calloc(1, REGION_SIZE);
	struct blob_id ids[4];
	struct blob_loc locs[8];

	assert_non_null(region);
	rig_begin(r, NULL);
	for (size_t i = 0; i < 4; i++) {
		region[0] = (uint8_t)i;
		ids[i] = rig_put(r, BLOB_PAGES, region, i == 1 ? 8192 : REGION_SIZE);
	}
	rig_end(r);
	assert_int_equal(locations(r, 0, locs), 4);
	assert_int_equal(locs[0].frame_plain, REGION_SIZE);
	assert_int_equal(locs[1].frame_plain, 8192 + REGION_SIZE);
	assert_int_equal(locs[2].frame, locs[1].frame);
	assert_int_equal(locs[3].frame_plain, REGION_SIZE);
	rig_look(r);
	for (size_t i = 0; i < 4; i++) {
		region[0] = (uint8_t)i;
		rig_expect(r, &ids[i], region, i == 1 ? 8192 : REGION_SIZE);
	}
}

static void
very_many_tiny_blobs(void **state)
{
	const size_t n = 100000;
	struct rig *r = *state;

	rig_begin(r, NULL);
	for (uint64_t i = 0; i < n; i++)
		(void)rig_put(r, BLOB_META, &i, sizeof(i));
	rig_end(r);
	assert_in_range(rig_count(r, NAME_PACKS), 2, 6); /* a table holds 65536 at most */
	rig_look(r);
	assert_int_equal(repo_index_records(r->index), n);
	rig_begin(r, NULL);
	for (uint64_t i = 0; i < n; i += 997) {
		bool new = true;
		struct blob_id id;

		rig_ok(r,
		       repo_sink_put(r->sink, BLOB_DATA, SLICE(&i, sizeof(i)), &id, &new, &r->err));
		assert_false(new);
	}
	rig_end(r);
}

static void
fingerprints(void **state)
{
	struct rig *r = *state;
	uint8_t page[8192] = {0}, a[16], b[16];

	rig_begin(r, NULL);
	rig_ok(r, repo_sink_fingerprint(r->sink, SLICE(page, sizeof(page)), a, &r->err));
	rig_ok(r, repo_sink_fingerprint(r->sink, SLICE(page, sizeof(page)), b, &r->err));
	assert_memory_equal(a, b, sizeof(a));
	page[5000] = 1;
	rig_ok(r, repo_sink_fingerprint(r->sink, SLICE(page, sizeof(page)), b, &r->err));
	assert_memory_not_equal(a, b, sizeof(a));
	rig_shut(r);
	/* The same in the next session, another under another key. */
	rig_begin(r, NULL);
	rig_ok(r, repo_sink_fingerprint(r->sink, SLICE(page, sizeof(page)), a, &r->err));
	assert_memory_equal(a, b, sizeof(a));
	struct rig *other = rig_new(false);
	rig_begin(other, NULL);
	rig_ok(r, repo_sink_fingerprint(other->sink, SLICE(page, sizeof(page)), a, &r->err));
	assert_memory_not_equal(a, b, sizeof(a));
	rig_free(other);
}

/* ---- failure --------------------------------------------------------------------------------- */

static struct repo_sink *
another_sink(struct rig *r)
{
	struct repo_sink *s = NULL;

	rig_ok(r, repo_sink_open(r->writer, &s, &r->err));
	return s;
}

/*
 * After a failed write nothing may be sealed with that frame's number again, and nobody may count on
 * what was pending: whatever is tried afterwards, by whomever, fails.
 */
static void
failure_is_final(void **state)
{
	struct rig *r = *state;
	CLEAN(free_ptr) uint8_t *region = calloc(1, REGION_SIZE);
	struct blob_id id;

	assert_non_null(region);
	rig_begin(r, NULL);
	struct repo_sink *other = another_sink(r), *idle = another_sink(r);
	rig_ok(r, repo_sink_put(other, BLOB_DATA, SLICE("other", 5), &id, NULL, &r->err));
	(void)rig_put(r, BLOB_PAGES, region, REGION_SIZE);
	store_fault_arm(r->store, STORE_FAULT_SHORT, 1, false);
	region[0] = 1;
	rig_fails(
		r,
		repo_sink_put(r->sink, BLOB_PAGES, SLICE(region, REGION_SIZE), &id, NULL, &r->err),
		ERR_STORE_WRITE);
	uint64_t operations = store_fault_count(r->store);
	for (uint8_t i = 2; i < 6; i++) {
		region[0] = i;
		rig_fails(r,
			  repo_sink_put(r->sink, BLOB_PAGES, SLICE(region, REGION_SIZE), &id, NULL,
					&r->err),
			  ERR_STORE_WRITE);
		/* The very same blob was pending; it is not "known". */
		region[0] = 1;
		rig_fails(r,
			  repo_sink_put(other, BLOB_PAGES, SLICE(region, REGION_SIZE), &id, NULL,
					&r->err),
			  ERR_STORE_WRITE);
	}
	rig_fails(r, repo_sink_close(STEAL_PTR(r->sink), &r->err), ERR_STORE_WRITE);
	rig_fails(r, repo_sink_close(other, &r->err), ERR_STORE_WRITE);
	rig_ok(r, repo_sink_close(idle, &r->err));
	rig_fails(r, repo_writer_flush(r->writer, &r->err), ERR_STORE_WRITE);
	assert_int_equal(store_fault_count(r->store), operations);
}

/* Sinks that give their rests to the shared one: once that has failed, it takes no more. */
static void
rests_after_a_failure(void **state)
{
	struct rig *r = *state;
	CLEAN(free_ptr) uint8_t *content = malloc(BLOB_MAX);
	struct repo_sink *sinks[6];
	struct blob_id id;

	assert_non_null(content);
	rig_begin(r, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(sinks); i++) {
		sinks[i] = another_sink(r);
		rig_fill(content, BLOB_MAX, i);
		rig_ok(r, repo_sink_put(sinks[i], BLOB_DATA, SLICE(content, BLOB_MAX), &id, NULL,
					&r->err));
	}
	store_fault_arm(r->store, STORE_FAULT_FULL, 1, true);
	size_t failed = 0;
	for (size_t i = 0; i < ARRAY_SIZE(sinks); i++)
		failed += repo_sink_close(sinks[i], &r->err) == ERR_STORE_FULL;
	/* The first fits into the frame that is being gathered; with the second that is full. */
	assert_int_equal(failed, ARRAY_SIZE(sinks) - 1);
	rig_fails(r, repo_writer_flush(r->writer, &r->err), ERR_STORE_FULL);
}

/* What an aborted sink had promised is not there: the backup cannot succeed. */
static void
giving_up(void **state)
{
	struct rig *r = *state;
	struct blob_id id;

	rig_begin(r, NULL);
	/* One that holds nothing may go at any time. */
	repo_sink_abort(another_sink(r));
	repo_sink_abort(NULL);
	(void)rig_put(r, BLOB_DATA, "x", 1);
	rig_end(r);

	rig_begin(r, NULL);
	struct repo_sink *other = another_sink(r);
	rig_ok(r, repo_sink_put(other, BLOB_DATA, SLICE("y", 1), &id, NULL, &r->err));
	(void)rig_put(r, BLOB_DATA, "y", 1);
	repo_sink_abort(other);
	rig_fails(r, repo_sink_put(r->sink, BLOB_DATA, SLICE("z", 1), &id, NULL, &r->err),
		  ERR_CANCELLED);
	rig_fails(r, repo_writer_flush(r->writer, &r->err), ERR_CANCELLED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(stored_once, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(sizes, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(small_blobs_share_a_frame, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(noise_is_kept_as_it_is, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(whole_regions, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(very_many_tiny_blobs, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(fingerprints, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(failure_is_final, rig_setup_faulty, rig_teardown),
		cmocka_unit_test_setup_teardown(rests_after_a_failure, rig_setup_faulty,
						rig_teardown),
		cmocka_unit_test_setup_teardown(giving_up, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
