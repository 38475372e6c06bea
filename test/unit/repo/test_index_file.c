/* SPDX-License-Identifier: Apache-2.0 */

/* Segments of the cached index: every look-up is right, whatever the ids look like, and a damaged
 * file or record is never believed. */
#include "repo/index_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/le.h"
#include "rig.h"

static char folder[64];
static int dir = -1;
static struct error err;

static int
setup(void **state)
{
	(void)state;
	dir = open(rig_folder(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)close(dir);
	return fs_remove_tree(AT_FDCWD, folder, &err);
}

static struct blob_id
id_of(uint64_t seed)
{
	struct blob_id id;

	rig_fill(&id, sizeof(id), seed * 1000003);
	return id;
}

static struct blob_loc
loc_of(uint64_t number)
{
	return (struct blob_loc){.frame = (uint32_t)number,
				 .frame_offset = (uint32_t)number * 3,
				 .frame_stored = 100 + (uint32_t)number % 1000,
				 .frame_plain = 5000,
				 .offset = (uint32_t)number % 4000,
				 .length = 1 + (uint32_t)number % 999,
				 .class = number % 2 ? BLOB_DATA : BLOB_META};
}

static struct pack_id
pack_of(uint64_t number)
{
	struct pack_id id;

	rig_fill(&id, sizeof(id), 77 + number);
	return id;
}

/* Ids `first` to `first + n` by `make`, 100 to a pack. */
static struct index_segment *
segment_of(const char *name, uint64_t first, uint64_t n, struct blob_id (*make)(uint64_t number))
{
	CLEAN(index_rows_done) struct index_rows rows = {0};
	struct index_segment *s = NULL;
	struct object_id object = {{(uint8_t)first}};

	for (uint64_t i = first; i < first + n; i++) {
		struct blob_id id = make(i);
		struct blob_loc loc = loc_of(i);

		if ((i - first) % 100 == 0) {
			struct pack_id pack = pack_of(i / 100);

			assert_int_equal(index_rows_add_pack(&rows, &pack, &err), OK);
		}
		assert_int_equal(index_rows_add_blob(&rows, &id, &loc, &err), OK);
	}
	assert_int_equal(index_segment_write(dir, name, &rows, &err), OK);
	assert_int_equal(index_segment_open(dir, name, &object, 1, &s, &err), OK);
	assert_int_equal(s->n, n);
	return s;
}

static void
expect(const struct index_segment *s, uint64_t number, struct blob_id (*make)(uint64_t number))
{
	struct blob_id id = make(number), back;
	struct blob_loc want = loc_of(number), loc;
	uint64_t at = index_segment_find(s, &id);

	assert_true(at < s->n);
	assert_true(index_segment_get(s, at, &back, &loc));
	assert_memory_equal(&back, &id, sizeof(id));
	want.pack = pack_of(number / 100);
	assert_memory_equal(&loc.pack, &want.pack, sizeof(want.pack));
	assert_int_equal(loc.frame, want.frame);
	assert_int_equal(loc.frame_offset, want.frame_offset);
	assert_int_equal(loc.frame_stored, want.frame_stored);
	assert_int_equal(loc.frame_plain, want.frame_plain);
	assert_int_equal(loc.offset, want.offset);
	assert_int_equal(loc.length, want.length);
	assert_int_equal(loc.class, want.class);
}

static void
expect_none(const struct index_segment *s, const struct blob_id *id)
{
	assert_int_equal(index_segment_find(s, id), s->n);
}

static void
hundred_thousand(void **state)
{
	const uint64_t n = 100000;
	struct index_segment *s = segment_of("segment-a", 0, n, id_of);

	(void)state;
	for (uint64_t i = 0; i < n; i++) {
		struct blob_id absent = id_of(n + i);

		expect(s, i, id_of);
		expect_none(s, &absent);
		/* Neighbours of what is there. */
		absent = id_of(i);
		absent.b[31] ^= 1;
		expect_none(s, &absent);
	}
	index_segment_trim(s);
	expect(s, n / 2, id_of);
	for (uint64_t i = 1; i < s->n; i++) {
		struct blob_id a, b;
		struct blob_loc loc;

		assert_true(index_segment_get(s, i - 1, &a, &loc) &&
			    index_segment_get(s, i, &b, &loc));
		assert_true(memcmp(&a, &b, sizeof(a)) < 0);
	}
	index_segment_close(s);
}

/* Where proportion misleads: all at one end, all alike but for the tail, very few. */
static struct blob_id
low_id(uint64_t i)
{
	struct blob_id id = {{0}};

	le64_put(id.b + 24, __builtin_bswap64(2 * i + 1));
	return id;
}

static struct blob_id
high_id(uint64_t i)
{
	struct blob_id id = low_id(i);

	memset(id.b, 0xff, 24);
	return id;
}

static struct blob_id
lopsided_id(uint64_t i)
{
	struct blob_id id = i % 50 == 0 ? id_of(i) : low_id(i);

	return id;
}

static void
misleading_ids(void **state)
{
	struct blob_id (*const makers[])(uint64_t) = {low_id, high_id, lopsided_id};
	static const uint64_t counts[] = {1, 2, 3, 7, 8, 9, 10, 17, 100, 5000};

	(void)state;
	for (size_t m = 0; m < ARRAY_SIZE(makers); m++) {
		for (size_t c = 0; c < ARRAY_SIZE(counts); c++) {
			struct index_segment *s = segment_of("segment-b", 0, counts[c], makers[m]);
			struct blob_id least = {{0}}, greatest;

			memset(&greatest, 0xff, sizeof(greatest));
			expect_none(s, &least);
			expect_none(s, &greatest);
			for (uint64_t i = 0; i < counts[c]; i++) {
				struct blob_id near = makers[m](i);

				expect(s, i, makers[m]);
				near.b[31] ^= 1; /* even: between two */
				expect_none(s, &near);
			}
			index_segment_close(s);
		}
	}
}

static void
nothing_in_it(void **state)
{
	struct index_segment *s = segment_of("segment-c", 0, 0, id_of);
	struct blob_id id = id_of(1);

	(void)state;
	assert_int_equal(index_segment_find(s, &id), 0);
	struct index_segment *merged = NULL, *full = segment_of("segment-d", 0, 250, id_of);
	struct index_segment *const both[] = {s, full, s};
	assert_int_equal(index_segment_merge(dir, "segment-e", both, 3, &err), OK);
	assert_int_equal(index_segment_open(dir, "segment-e", NULL, 0, &merged, &err), OK);
	for (uint64_t i = 0; i < 250; i++)
		expect(merged, i, id_of);
	index_segment_close(merged);
	index_segment_close(full);
	index_segment_close(s);
}

static struct blob_id
seldom_id(uint64_t i)
{
	return id_of(i % 10);
}

static void
copies_of_one_blob(void **state)
{
	struct index_segment *s = segment_of("segment-f", 0, 300, seldom_id);

	(void)state;
	for (uint64_t i = 0; i < 10; i++) {
		struct blob_id id = seldom_id(i), here;
		bool seen[300] = {false};
		struct blob_loc loc;
		size_t n = 0;

		for (uint64_t k = index_segment_find(s, &id); k < s->n; k++) {
			assert_true(index_segment_get(s, k, &here, &loc));
			if (!blob_id_equal(&here, &id))
				break;
			assert_int_equal(loc.frame % 10, i);
			assert_false(seen[loc.frame]);
			seen[loc.frame] = true;
			n++;
		}
		assert_int_equal(n, 30);
	}
	index_segment_close(s);
}

static void
merging(void **state)
{
	struct index_segment *from[5], *merged = NULL;
	struct object_id objects[2] = {{{1}}, {{2}}};

	(void)state;
	for (uint64_t i = 0; i < 5; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "segment-g%u", (unsigned)i);
		from[i] = segment_of(name, 1000 * i, 1000, id_of);
	}
	assert_int_equal(index_segment_merge(dir, "segment-h", from, 5, &err), OK);
	assert_int_equal(index_segment_open(dir, "segment-h", objects, 2, &merged, &err), OK);
	assert_int_equal(merged->n, 5000);
	assert_int_equal(merged->n_packs, 50);
	assert_int_equal(merged->n_objects, 2);
	assert_memory_equal(merged->objects, objects, sizeof(objects));
	for (uint64_t i = 0; i < 5000; i++)
		expect(merged, i, id_of);
	for (uint64_t i = 0; i < 50; i++) {
		struct pack_id id = index_segment_pack(merged, i), want = pack_of(i);

		assert_memory_equal(&id, &want, sizeof(id));
	}
	for (size_t i = 0; i < 5; i++)
		index_segment_close(from[i]);
	index_segment_close(merged);
}

/* ---- damage ---------------------------------------------------------------------------------- */

static void
write_file(const char *name, const struct buf *b, size_t n)
{
	assert_int_equal(fs_write_file(dir, name, SLICE(b->p, n), 0600, &err), OK);
}

static void
damaged_head_or_size(void **state)
{
	CLEAN(buf_done) struct buf file = BUF_INIT(1 << 20);
	struct index_segment *s = segment_of("segment-i", 0, 120, id_of);
	uint8_t more = 0;

	(void)state;
	index_segment_close(STEAL_PTR(s));
	assert_int_equal(fs_read_file(dir, "segment-i", &file, &err), OK);
	for (size_t n = 0; n < file.n; n += n < 200 ? 1 : 97) {
		write_file("segment-j", &file, n);
		assert_int_equal(index_segment_open(dir, "segment-j", NULL, 0, &s, &err),
				 ERR_CORRUPT);
		assert_null(s);
	}
	for (size_t bit = 0; bit < 24 * 8; bit++) {
		file.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		write_file("segment-j", &file, file.n);
		assert_int_equal(index_segment_open(dir, "segment-j", NULL, 0, &s, &err),
				 ERR_CORRUPT);
		file.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(buf_append(&file, &more, 1, &err), OK);
	write_file("segment-j", &file, file.n);
	assert_int_equal(index_segment_open(dir, "segment-j", NULL, 0, &s, &err), ERR_CORRUPT);
	assert_int_equal(index_segment_open(dir, "absent", NULL, 0, &s, &err), ERR_CORRUPT);
	assert_null(s);
}

/* A flipped bit in a record: that record is lost, at worst, and no other is given in its place; and
 * merging does not make it good again. */
static void
damaged_records(void **state)
{
	enum { N = 5 };
	CLEAN(buf_done) struct buf file = BUF_INIT(1 << 20);
	struct index_segment *s = segment_of("segment-k", 0, N, id_of);

	(void)state;
	index_segment_close(STEAL_PTR(s));
	assert_int_equal(fs_read_file(dir, "segment-k", &file, &err), OK);
	for (size_t bit = 64 * 8; bit < (64 + N * INDEX_RECORD_SIZE) * 8; bit++) {
		struct index_segment *merged = NULL;
		struct blob_id id;
		struct blob_loc loc;
		uint64_t hit = bit / 8 / 64 - 1;

		file.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		write_file("segment-l", &file, file.n);
		assert_int_equal(index_segment_open(dir, "segment-l", NULL, 0, &s, &err), OK);
		assert_int_equal(index_segment_merge(dir, "segment-m", &s, 1, &err), OK);
		assert_int_equal(index_segment_open(dir, "segment-m", NULL, 0, &merged, &err), OK);
		for (uint64_t i = 0; i < N; i++) {
			assert_int_equal(index_segment_get(s, i, &id, &loc), i != hit);
			assert_int_equal(index_segment_get(merged, i, &id, &loc), i != hit);
		}
		index_segment_close(merged);
		index_segment_close(STEAL_PTR(s));
		file.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hundred_thousand), cmocka_unit_test(misleading_ids),
		cmocka_unit_test(nothing_in_it),    cmocka_unit_test(copies_of_one_blob),
		cmocka_unit_test(merging),          cmocka_unit_test(damaged_head_or_size),
		cmocka_unit_test(damaged_records),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
