/* SPDX-License-Identifier: Apache-2.0 */

/* Packs: what is sealed opens in its place only, and a table that lies is caught before it is used. */
#include "repo/pack.h"

#include <string.h>

#include "base/le.h"
#include "repo/names.h"
#include "rig.h"
#include "store/mem.h"

enum { FRAME = 100 };

struct sealed {
	struct pack_cipher cipher;
	uint8_t frame[3][FRAME + CRYPTO_TAG_SIZE];
};

static void
seal(struct rig *r, struct sealed *s)
{
	rig_ok(r, pack_cipher_new(r->repo, PACK_CLASS_DATA, &s->cipher, &r->err));
	for (uint32_t i = 0; i < 3; i++) {
		memset(s->frame[i], 'x', FRAME);
		rig_ok(r, pack_seal_frame(&s->cipher, i, 1000, s->frame[i], FRAME, &r->err));
	}
}

static int
open_frame(struct rig *r, struct pack_cipher *c, uint32_t number, uint32_t plain,
	   struct slice stored)
{
	uint8_t work[FRAME + CRYPTO_TAG_SIZE], expected[FRAME];
	struct slice content = {0};
	int rc = pack_open_frame(c, number, plain, stored, work, &content, &r->err);

	memset(expected, 'x', FRAME);
	if (rc == OK) {
		assert_int_equal(content.n, FRAME);
		assert_memory_equal(content.p, expected, FRAME);
	}
	return rc;
}

static void
frames_open_in_their_place(void **state)
{
	struct rig *r = *state;
	struct sealed s = {0};
	struct pack_cipher again = {0};
	const size_t n = sizeof(s.frame[0]);

	seal(r, &s);
	rig_ok(r, pack_cipher_open(r->repo, &s.cipher.id, s.cipher.header, &again, &r->err));
	for (uint32_t i = 0; i < 3; i++) {
		rig_ok(r, open_frame(r, &again, i, 1000, SLICE(s.frame[i], n)));
		/* Equal plaintexts, and nothing equal about the ciphertexts. */
		if (i > 0)
			assert_memory_not_equal(s.frame[i], s.frame[0], 16);
		rig_fails(r, open_frame(r, &again, i + 1, 1000, SLICE(s.frame[i], n)), ERR_CORRUPT);
		rig_fails(r, open_frame(r, &again, i, 1001, SLICE(s.frame[i], n)), ERR_CORRUPT);
		for (size_t cut = 0; cut < n; cut++)
			rig_fails(r, open_frame(r, &again, i, 1000, SLICE(s.frame[i], cut)),
				  ERR_CORRUPT);
		for (size_t bit = 0; bit < 8 * n; bit++) {
			s.frame[i][bit / 8] ^= (uint8_t)(1u << bit % 8);
			rig_fails(r, open_frame(r, &again, i, 1000, SLICE(s.frame[i], n)),
				  ERR_CORRUPT);
			s.frame[i][bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
	pack_cipher_done(&again);
	pack_cipher_done(&s.cipher);
}

static void
headers(void **state)
{
	struct rig *r = *state;
	struct sealed s = {0};
	struct repo other = *r->repo;

	seal(r, &s);
	for (size_t bit = 0; bit < 8 * PACK_HEADER_SIZE; bit++) {
		struct pack_cipher again = {0};
		uint8_t header[PACK_HEADER_SIZE];

		memcpy(header, s.cipher.header, sizeof(header));
		header[bit / 8] ^= (uint8_t)(1u << bit % 8);
		int rc = pack_cipher_open(r->repo, &s.cipher.id, header, &again, &r->err);
		/* What does not look wrong by itself, the frames notice: the salt, the other class. */
		if (rc == OK)
			rc = open_frame(r, &again, 0, 1000, SLICE(s.frame[0], sizeof(s.frame[0])));
		assert_true(rc == ERR_CORRUPT || (rc == ERR_VERSION && bit / 8 == 8));
		pack_cipher_done(&again);
	}
	struct pack_cipher again = {0};
	other.id.b[0] ^= 1;
	rig_ok(r, pack_cipher_open(&other, &s.cipher.id, s.cipher.header, &again, &r->err));
	rig_fails(r, open_frame(r, &again, 0, 1000, SLICE(s.frame[0], sizeof(s.frame[0]))),
		  ERR_CORRUPT);
	pack_cipher_done(&again);
	pack_cipher_done(&s.cipher);
}

/* ---- tables ---------------------------------------------------------------------------------- */

struct walked {
	size_t n;
	struct blob_id ids[8];
	struct blob_loc locs[8];
};

static int
see(void *arg, const struct blob_id *id, const struct blob_loc *loc, struct error *err)
{
	struct walked *w = arg;

	(void)err;
	assert_in_range(w->n, 0, 7);
	w->ids[w->n] = *id;
	w->locs[w->n++] = *loc;
	return OK;
}

static void
table_round_trip(void **state)
{
	struct pack_table t = PACK_TABLE_INIT;
	struct frame_blob blobs[4] = {
		{.length = 1}, {.length = 200}, {.length = BLOB_MAX}, {.length = 7}};
	struct pack_id id = {{1, 2, 3}};
	struct walked w = {0};
	struct error err;
	uint64_t end = 0;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		rig_fill(&blobs[i].id, sizeof(blobs[i].id), i);
	assert_int_equal(pack_table_add(&t, 150, 201, blobs, 2, &err), OK);
	assert_int_equal(pack_table_add(&t, 70000, BLOB_MAX + 7, blobs + 2, 2, &err), OK);
	assert_int_equal(t.n_frames, 2);
	assert_int_equal(t.n_blobs, 4);
	assert_int_equal(
		pack_table_walk(buf_slice(&t.bytes), &id, PACK_CLASS_META, see, &w, &end, &err),
		OK);
	assert_int_equal(w.n, 4);
	assert_int_equal(end, PACK_HEADER_SIZE + 150 + 70000);
	for (size_t i = 0; i < 4; i++) {
		const struct blob_loc *loc = &w.locs[i];

		assert_memory_equal(&w.ids[i], &blobs[i].id, BLOB_ID_SIZE);
		assert_memory_equal(&loc->pack, &id, sizeof(id));
		assert_int_equal(loc->class, PACK_CLASS_META);
		assert_int_equal(loc->frame, i / 2);
		assert_int_equal(loc->frame_offset, PACK_HEADER_SIZE + (i / 2) * 150);
		assert_int_equal(loc->frame_stored, i < 2 ? 150 : 70000);
		assert_int_equal(loc->frame_plain, i < 2 ? 201 : BLOB_MAX + 7);
		assert_int_equal(loc->offset, i % 2 == 0 ? 0 : blobs[i - 1].length);
		assert_int_equal(loc->length, blobs[i].length);
	}
	for (size_t n = 1; n < t.bytes.n; n++) {
		int rc;

		w.n = 0;
		rc = pack_table_walk(SLICE(t.bytes.p, n), &id, PACK_CLASS_META, see, &w, &end,
				     &err);
		/* A table that ends between two frames is whole by itself; the pack's size is not. */
		assert_true(rc == ERR_CORRUPT || (rc == OK && w.n == 2));
	}
	pack_table_done(&t);
}

/* One frame of a table, with values nobody checked. */
static int
walk(uint64_t stored, uint64_t plain, uint64_t count, const uint64_t *lengths, size_t n,
     size_t frames)
{
	CLEAN(buf_done) struct buf t = BUF_INIT(1 << 20);
	struct pack_id pack = {{0}};
	struct error err;

	for (size_t f = 0; f < frames; f++) {
		assert_int_equal(buf_varint(&t, stored, &err) | buf_varint(&t, plain, &err) |
					 buf_varint(&t, count, &err),
				 OK);
		for (size_t i = 0; i < n; i++) {
			struct blob_id id = {{(uint8_t)i}};

			assert_int_equal(buf_append(&t, &id, sizeof(id), &err) |
						 buf_varint(&t, lengths[i], &err),
					 OK);
		}
	}
	return pack_table_walk(buf_slice(&t), &pack, PACK_CLASS_DATA, NULL, NULL, NULL, &err);
}

static void
hostile_tables(void **state)
{
	const uint64_t one[] = {1}, two[] = {50, 50}, big[] = {BLOB_MAX + 1}, zero[] = {0, 100};
	const uint64_t wrap[] = {50, UINT64_MAX - 49}, most[] = {BLOB_MAX};
	const uint64_t over[] = {50, UINT32_MAX};

	(void)state;
	assert_int_equal(walk(18, 1, 1, one, 1, 1), OK);
	assert_int_equal(walk(500, 100, 2, two, 2, 1), OK);
	assert_int_equal(walk(500, BLOB_MAX, 1, most, 1, 1), OK);
	assert_int_equal(walk(FRAME_STORED_MAX, 1, 1, one, 1, 250), OK);
	assert_int_equal(walk(FRAME_STORED_MAX, 1, 1, one, 1, 300), ERR_CORRUPT); /* over 1 GiB */
	assert_int_equal(walk(17, 1, 1, one, 1, 1), ERR_CORRUPT);
	assert_int_equal(walk(0, 1, 1, one, 1, 1), ERR_CORRUPT);
	assert_int_equal(walk(FRAME_STORED_MAX + 1, 1, 1, one, 1, 1), ERR_CORRUPT);
	assert_int_equal(walk(UINT64_MAX, 1, 1, one, 1, 1), ERR_CORRUPT);
	assert_int_equal(walk(500, 0, 1, one, 1, 1), ERR_CORRUPT);
	assert_int_equal(walk(500, FRAME_PLAIN_MAX + 1, 1, one, 1, 1), ERR_CORRUPT);
	assert_int_equal(walk(500, 1, 0, one, 0, 1), ERR_CORRUPT);
	assert_int_equal(walk(500, 1, UINT64_MAX, one, 1, 1), ERR_CORRUPT);
	assert_int_equal(walk(500, 100, 1, two, 1, 1), ERR_CORRUPT); /* does not fill it */
	assert_int_equal(walk(500, 99, 2, two, 2, 1), ERR_CORRUPT); /* reaches beyond */
	assert_int_equal(walk(500, BLOB_MAX + 1, 1, big, 1, 1), ERR_CORRUPT);
	assert_int_equal(walk(500, 100, 2, zero, 2, 1), ERR_CORRUPT);
	assert_int_equal(walk(500, 100, 2, wrap, 2, 1), ERR_CORRUPT);
	assert_int_equal(walk(500, 100, 2, over, 2, 1), ERR_CORRUPT);
}

static int
refuse(void *arg, const struct blob_id *id, const struct blob_loc *loc, struct error *err)
{
	(void)id;
	(void)loc;
	(*(int *)arg)++;
	return error_set(err, ERR_CANCELLED, "enough");
}

static void
walk_ends_when_told(void **state)
{
	struct pack_table t = PACK_TABLE_INIT;
	struct frame_blob blobs[2] = {{.length = 1}, {.length = 1}};
	struct pack_id id = {{0}};
	struct error err;
	uint64_t end = 4711;
	int calls = 0;

	(void)state;
	assert_int_equal(pack_table_add(&t, 100, 2, blobs, 2, &err), OK);
	assert_int_equal(pack_table_walk(buf_slice(&t.bytes), &id, 1, refuse, &calls, &end, &err),
			 ERR_CANCELLED);
	assert_int_equal(calls, 1);
	assert_int_equal(end, 4711);
	pack_table_done(&t);
}

static void
table_that_is_full(void **state)
{
	struct pack_table t = PACK_TABLE_INIT;
	struct frame_blob blobs[3] = {{.length = 1}, {.length = 1}, {.length = 1}};
	struct error err;

	(void)state;
	t.bytes.max = 100;
	assert_int_equal(pack_table_add(&t, 100, 2, blobs, 2, &err), OK);
	size_t n = t.bytes.n;
	assert_int_equal(pack_table_add(&t, 100, 3, blobs, 3, &err), ERR_LIMIT);
	assert_int_equal(t.bytes.n, n);
	assert_int_equal(t.n_frames, 1);
	assert_int_equal(t.n_blobs, 2);
	pack_table_done(&t);
}

/* ---- whole packs ----------------------------------------------------------------------------- */

enum { BLOBS = 12 };

static int
read_table(struct rig *r, const char *name)
{
	CLEAN(buf_done) struct buf table = BUF_INIT(PACK_TABLE_MAX + 4096);
	struct pack_id id;
	uint64_t size;
	uint8_t class;

	assert_true(name_parse_pack(name, &id));
	int rc = pack_read_table(r->repo, &id, &class, &size, &table, &r->err);
	assert_true(rc == OK || table.n == 0);
	return rc;
}

/* As whoever verifies: the table from the pack itself, then every blob. */
static int
read_all(struct rig *r, const char *name, const struct blob_id *ids)
{
	struct repo_reader *reader = NULL;
	int rc = read_table(r, name);

	if (rc < 0)
		return rc;
	rig_ok(r, repo_reader_open(r->repo, r->index, &reader, &r->err));
	for (size_t i = 0; i < BLOBS && rc == OK; i++) {
		struct slice content;

		rc = repo_reader_blob(reader, &ids[i], &content, &r->err);
		if (rc == OK)
			rc = repo_reader_check(reader, &ids[i], content, &r->err);
	}
	repo_reader_close(reader);
	return rc;
}

static void
every_byte_of_a_pack(void **state)
{
	struct rig *r = *state;
	struct blob_id ids[BLOBS];
	char name[STORE_NAME_MAX + 1];
	size_t n;

	rig_begin(r, NULL);
	for (size_t i = 0; i < BLOBS; i++) {
		uint8_t content[40];

		rig_fill(content, sizeof(content), i);
		/* Two frames: one of data, one of pages. */
		ids[i] = rig_put(r, i % 2 == 0 ? BLOB_DATA : BLOB_PAGES, content, sizeof(content));
	}
	rig_end(r);
	assert_int_equal(rig_count(r, NAME_PACKS), 1);
	rig_name(r, NAME_PACKS, 0, name);
	rig_ok(r, read_all(r, name, ids));
	uint8_t *p = store_mem_bytes(r->mem, name, &n);
	for (size_t i = 0; i < n; i++) {
		p[i] ^= (uint8_t)(1u << i % 8);
		int rc = read_all(r, name, ids);
		assert_true(rc == ERR_CORRUPT || (rc == ERR_VERSION && i == 8));
		p[i] ^= (uint8_t)(1u << i % 8);
	}
	rig_ok(r, read_all(r, name, ids));
	while (n-- > 0) {
		store_mem_truncate(r->mem, name, n);
		rig_fails(r, read_table(r, name), ERR_CORRUPT);
		assert_non_null(strstr(r->err.msg, name));
	}
}

static void
trailers(void **state)
{
	static const uint32_t lengths[] = {0,         1, 15, 16, 47, 1u << 20, PACK_TABLE_MAX + 17,
					   UINT32_MAX};
	struct rig *r = *state;
	char name[STORE_NAME_MAX + 1];
	size_t n;

	rig_begin(r, NULL);
	(void)rig_put(r, BLOB_DATA, "x", 1);
	rig_end(r);
	rig_name(r, NAME_PACKS, 0, name);
	rig_ok(r, read_table(r, name));
	uint8_t *p = store_mem_bytes(r->mem, name, &n);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		le32_put(p + n - 16, lengths[i]);
		le32_put(p + n - 12, ~lengths[i]);
		rig_fails(r, read_table(r, name), ERR_CORRUPT);
	}
	assert_int_equal(store_remove(r->mem, name, &r->err), 1);
	rig_fails(r, read_table(r, name), ERR_CORRUPT);
	assert_non_null(strstr(r->err.msg, "missing"));
}

/* A pack that was given another's name, and one made of two. */
static void
swapped_packs(void **state)
{
	struct rig *r = *state;
	struct repo_write_options small = {.pack_size = 1};
	char a[STORE_NAME_MAX + 1], b[STORE_NAME_MAX + 1];
	uint8_t big[4096];
	size_t n, m;

	for (uint64_t i = 0; i < 2; i++) {
		rig_begin(r, &small);
		rig_fill(big, sizeof(big), i);
		(void)rig_put(r, BLOB_DATA, big, sizeof(big));
		rig_end(r);
	}
	assert_int_equal(rig_count(r, NAME_PACKS), 2);
	rig_name(r, NAME_PACKS, 0, a);
	rig_name(r, NAME_PACKS, 1, b);
	uint8_t *p = store_mem_bytes(r->mem, a, &n), *q = store_mem_bytes(r->mem, b, &m);
	assert_int_equal(n, m);
	CLEAN(free_ptr) uint8_t *keep = rig_copy(r, a, &n);
	memcpy(p, q, n);
	rig_fails(r, read_table(r, a), ERR_CORRUPT);
	/* a's header and frame before b's table and trailer. */
	memcpy(p, keep, PACK_HEADER_SIZE + 4096 + 17);
	rig_fails(r, read_table(r, a), ERR_CORRUPT);
	memcpy(p, keep, n);
	rig_ok(r, read_table(r, a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(frames_open_in_their_place, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(headers, rig_setup, rig_teardown),
		cmocka_unit_test(table_round_trip),
		cmocka_unit_test(hostile_tables),
		cmocka_unit_test(walk_ends_when_told),
		cmocka_unit_test(table_that_is_full),
		cmocka_unit_test_setup_teardown(every_byte_of_a_pack, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(trailers, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(swapped_packs, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
