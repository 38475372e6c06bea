/* SPDX-License-Identifier: Apache-2.0 */

/* Reading: what is kept is what was asked for, and whatever is wrong is called damage. */
#include "repo/read.h"

#include <string.h>

#include "repo/index.h"
#include "repo/names.h"
#include "repo/object.h"
#include "repo/pack.h"
#include "rig.h"
#include "store/mem.h"

enum { PACKS = 20, EACH = 30 };

/* PACKS sessions of EACH blobs, every other one metadata: more packs and frames than a reader keeps. */
static void
fill(struct rig *r, struct blob_id ids[PACKS * EACH])
{
	for (uint64_t p = 0; p < PACKS; p++) {
		rig_begin(r, NULL);
		for (uint64_t i = 0; i < EACH; i++) {
			uint8_t content[4096];
			size_t n = rig_sample(p * EACH + i, content);

			ids[p * EACH + i] = rig_put(r, i % 2 ? BLOB_META : BLOB_DATA, content, n);
		}
		rig_end(r);
	}
	rig_look(r);
}

static void
expect_sample(struct rig *r, const struct blob_id *ids, uint64_t number)
{
	uint8_t content[4096];
	size_t n = rig_sample(number, content);

	rig_expect(r, &ids[number], content, n);
}

static void
any_order(void **state)
{
	struct rig *r = *state;
	struct blob_id ids[PACKS * EACH];
	uint64_t seed = 9;

	fill(r, ids);
	for (uint64_t i = 0; i < PACKS * EACH; i++)
		expect_sample(r, ids, i);
	for (size_t i = 0; i < 5000; i++)
		expect_sample(r, ids, rig_random(&seed) % (PACKS * EACH));
}

/* Frames by location, sorted, as a restore does. */
static int
compare(const void *a, const void *b)
{
	return blob_loc_order(a, b);
}

static void
by_location(void **state)
{
	struct rig *r = *state;
	struct blob_id ids[PACKS * EACH];
	struct blob_loc locs[PACKS * EACH];
	size_t frames = 0;

	fill(r, ids);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		assert_int_equal(repo_index_find(r->index, &ids[i], &locs[i], &r->err), 1);
	qsort(locs, ARRAY_SIZE(locs), sizeof(*locs), compare);
	for (size_t i = 0; i < ARRAY_SIZE(locs); i++) {
		struct slice frame;

		assert_true(blob_loc_same_frame(&locs[i], &locs[i]));
		rig_ok(r, repo_reader_frame(r->reader, &locs[i], &frame, &r->err));
		assert_int_equal(frame.n, locs[i].frame_plain);
		frames += i == 0 || !blob_loc_same_frame(&locs[i - 1], &locs[i]);
		if (i > 0)
			assert_true(blob_loc_order(&locs[i - 1], &locs[i]) < 0);
		bool found = false;
		for (size_t k = 0; k < ARRAY_SIZE(ids) && !found; k++)
			found = repo_reader_check(r->reader, &ids[k],
						  SLICE(frame.p + locs[i].offset, locs[i].length),
						  &r->err) == OK;
		assert_true(found);
	}
	assert_int_equal(frames, 2 * PACKS);
}

static void
check_of_content(void **state)
{
	struct rig *r = *state;
	struct blob_id id;

	rig_begin(r, NULL);
	id = rig_put(r, BLOB_DATA, "hello", 5);
	rig_end(r);
	rig_look(r);
	rig_ok(r, repo_reader_check(r->reader, &id, SLICE("hello", 5), &r->err));
	rig_fails(r, repo_reader_check(r->reader, &id, SLICE("hellp", 5), &r->err), ERR_CORRUPT);
	rig_fails(r, repo_reader_check(r->reader, &id, SLICE("hello", 4), &r->err), ERR_CORRUPT);
}

static void
missing(void **state)
{
	struct rig *r = *state;
	struct blob_id id, absent = {{1}};
	char name[STORE_NAME_MAX + 1];
	struct slice content;
	size_t n;

	rig_begin(r, NULL);
	id = rig_put(r, BLOB_DATA, "hello", 5);
	rig_end(r);
	rig_look(r);
	rig_fails(r, repo_reader_blob(r->reader, &absent, &content, &r->err), ERR_CORRUPT);
	assert_non_null(strstr(r->err.msg, "0100000000000000"));
	rig_expect(r, &id, "hello", 5);

	/* The pack goes while its key is still kept, and its frame no longer is. */
	rig_begin(r, NULL);
	struct blob_id other = rig_put(r, BLOB_DATA, "other", 5);
	rig_end(r);
	rig_look(r);
	rig_expect(r, &id, "hello", 5);
	rig_expect(r, &other, "other", 5);
	struct blob_loc loc;
	assert_int_equal(repo_index_find(r->index, &id, &loc, &r->err), 1);
	name_pack(&loc.pack, name);
	CLEAN(free_ptr) uint8_t *copy = rig_copy(r, name, &n);
	assert_int_equal(store_remove(r->mem, name, &r->err), 1);
	rig_fails(r, repo_reader_blob(r->reader, &id, &content, &r->err), ERR_CORRUPT);
	assert_non_null(strstr(r->err.msg, name + strlen("packs/ab/")));
	/* And for one who never had it open. */
	rig_look(r);
	rig_fails(r, repo_reader_blob(r->reader, &id, &content, &r->err), ERR_CORRUPT);
	/* A failure does not stick. */
	rig_ok(r, store_put(r->mem, name, SLICE(copy, n), &r->err));
	rig_expect(r, &id, "hello", 5);
	store_mem_truncate(r->mem, name, PACK_HEADER_SIZE + 3);
	rig_expect(r, &other, "other", 5);
	rig_fails(r, repo_reader_blob(r->reader, &id, &content, &r->err), ERR_CORRUPT);
}

/* A pack of one frame with this content, codec byte first, made with the repository's keys. */
static int
read_crafted(struct rig *r, const void *content, size_t n, uint32_t plain)
{
	struct pack_cipher cipher = {0};
	CLEAN(buf_done) struct buf pack = BUF_INIT(1 << 20), payload = BUF_INIT(1 << 20);
	struct pack_table table = PACK_TABLE_INIT;
	struct frame_blob blob = {.length = plain};
	uint8_t frame[256];
	char name[NAME_SIZE];
	struct object_id object;
	struct slice got;

	rig_fill(&blob.id, sizeof(blob.id), rig_count(r, ""));
	rig_ok(r, pack_cipher_new(r->repo, PACK_CLASS_META, &cipher, &r->err));
	memcpy(frame, content, n);
	rig_ok(r, pack_seal_frame(&cipher, 0, plain, frame, n, &r->err));
	rig_ok(r, pack_table_add(&table, (uint32_t)n + CRYPTO_TAG_SIZE, plain, &blob, 1, &r->err));
	rig_ok(r, buf_append(&pack, cipher.header, PACK_HEADER_SIZE, &r->err));
	rig_ok(r, buf_append(&pack, frame, n + CRYPTO_TAG_SIZE, &r->err));
	rig_ok(r, pack_seal_table(&cipher, &table, &pack, &r->err));
	rig_ok(r, store_put(r->mem, name_pack(&cipher.id, name), buf_slice(&pack), &r->err));
	rig_ok(r, index_payload_begin(&payload, &r->err));
	rig_ok(r, index_payload_add(&payload, &cipher.id, PACK_CLASS_META, pack.n,
				    buf_slice(&table.bytes), &r->err));
	rig_ok(r, object_put(r->repo, OBJECT_INDEX, buf_slice(&payload), &object, NULL, &r->err));
	pack_cipher_done(&cipher);
	pack_table_done(&table);
	rig_look(r);
	return repo_reader_blob(r->reader, &blob.id, &got, &r->err);
}

static void
frames_that_do_not_unpack(void **state)
{
	/* An empty zstd frame, a frame of 1000 zeros, and one cut short. */
	static const uint8_t empty[] = {1, 0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x00, 0x01, 0x00, 0x00};
	struct rig *r = *state;

	rig_ok(r, read_crafted(r, "\0hello", 6, 5));
	rig_fails(r, read_crafted(r, "\0hello", 6, 6), ERR_CORRUPT);
	rig_fails(r, read_crafted(r, "\0hello", 6, 4), ERR_CORRUPT);
	rig_fails(r, read_crafted(r, "\0hello", 6, BLOB_MAX), ERR_CORRUPT);
	rig_fails(r, read_crafted(r, "\2hello", 6, 5), ERR_CORRUPT);
	rig_fails(r, read_crafted(r, "\1hello", 6, 5), ERR_CORRUPT);
	rig_fails(r, read_crafted(r, empty, sizeof(empty), 5), ERR_CORRUPT);
	rig_ok(r, read_crafted(r, "\0hello", 6, 5));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(any_order, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(by_location, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(check_of_content, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(missing, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(frames_that_do_not_unpack, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
