/* SPDX-License-Identifier: Apache-2.0 */

/* The cached index follows the store, survives any damage to the cache, and is the same for all who
 * look at once. */
#include "repo/index.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "repo/names.h"
#include "repo/object.h"
#include "rig.h"
#include "store/mem.h"

/* ---- payloads -------------------------------------------------------------------------------- */

static struct blob_id
id_of(uint64_t number)
{
	struct blob_id id;

	rig_fill(&id, sizeof(id), number * 65537 + 3);
	return id;
}

static struct pack_id
pack_of(uint64_t number)
{
	struct pack_id id;

	rig_fill(&id, sizeof(id), number * 31 + 5);
	return id;
}

/* `packs` packs of 10 blobs each, the first being pack number `first`. */
static void
make_payload(uint64_t first, uint64_t packs, struct buf *payload)
{
	struct error err;

	*payload = BUF_INIT(INDEX_PAYLOAD_MAX);
	assert_int_equal(index_payload_begin(payload, &err), OK);
	for (uint64_t p = first; p < first + packs; p++) {
		struct pack_table t = PACK_TABLE_INIT;
		struct frame_blob blobs[10];
		struct pack_id id = pack_of(p);

		for (uint64_t i = 0; i < 10; i++)
			blobs[i] = (struct frame_blob){.id = id_of(10 * p + i), .length = 5};
		assert_int_equal(pack_table_add(&t, 90, 50, blobs, 10, &err), OK);
		assert_int_equal(index_payload_add(payload, &id, PACK_CLASS_DATA, 90 + 200,
						   buf_slice(&t.bytes), &err),
				 OK);
		pack_table_done(&t);
	}
}

static struct object_id
put_index(struct rig *r, uint64_t first, uint64_t packs)
{
	CLEAN(buf_done) struct buf payload = {0};
	struct object_id id;

	make_payload(first, packs, &payload);
	rig_ok(r, object_put(r->repo, OBJECT_INDEX, buf_slice(&payload), &id, NULL, &r->err));
	return id;
}

static int
find(struct rig *r, struct repo_index *index, uint64_t number)
{
	struct blob_id id = id_of(number);
	struct pack_id pack = pack_of(number / 10);
	struct blob_loc loc;
	int found = repo_index_find(index, &id, &loc, &r->err);

	if (found == 1) {
		assert_memory_equal(&loc.pack, &pack, sizeof(pack));
		assert_int_equal(loc.offset, number % 10 * 5);
	}
	return found;
}

struct counts {
	size_t packs, blobs;
};

static int
count_pack(void *arg, const struct pack_id *id, uint8_t class, uint64_t size, struct error *err)
{
	struct counts *c = arg;
	struct pack_id want = pack_of(c->packs++);

	(void)err;
	assert_memory_equal(id, &want, sizeof(want));
	assert_int_equal(class, PACK_CLASS_DATA);
	assert_int_equal(size, 290);
	return OK;
}

static int
count_blob(void *arg, const struct blob_id *id, const struct blob_loc *loc, struct error *err)
{
	struct counts *c = arg;
	struct blob_id want = id_of(c->blobs++);

	(void)err;
	(void)loc;
	assert_memory_equal(id, &want, sizeof(want));
	return OK;
}

static void
payload_round_trip(void **state)
{
	CLEAN(buf_done) struct buf payload = {0};
	struct counts c = {0};
	struct error err;

	(void)state;
	make_payload(0, 7, &payload);
	assert_int_equal(index_payload_walk(buf_slice(&payload), count_pack, count_blob, &c, &err),
			 OK);
	assert_int_equal(c.packs, 7);
	assert_int_equal(c.blobs, 70);
	assert_int_equal(index_payload_walk(buf_slice(&payload), NULL, NULL, NULL, &err), OK);
	assert_int_equal(index_payload_walk(SLICE(NULL, 0), NULL, NULL, NULL, &err), ERR_CORRUPT);
	for (size_t n = 0; n < payload.n; n++) {
		CLEAN(free_ptr) uint8_t *cut = malloc(n + 1);
		int rc;

		/* A block of just this size, so that a sanitizer sees one byte too far. */
		memcpy(cut + 1, payload.p, n);
		rc = index_payload_walk(SLICE(cut + 1, n), NULL, NULL, NULL, &err);
		assert_true(rc == OK || rc == ERR_CORRUPT);
		assert_true(rc == ERR_CORRUPT || (n - 2) % ((payload.n - 2) / 7) == 0);
	}
}

static void
payload_lies(void **state)
{
	CLEAN(buf_done) struct buf payload = {0};
	struct pack_id id = pack_of(0);
	struct error err;

	(void)state;
	make_payload(0, 1, &payload);
	payload.p[2 + PACK_ID_SIZE] = BLOB_PAGES; /* packs have no such class */
	assert_int_equal(index_payload_walk(buf_slice(&payload), NULL, NULL, NULL, &err),
			 ERR_CORRUPT);
	payload.n = 2;
	assert_int_equal(index_payload_add(&payload, &id, PACK_CLASS_META,
					   (uint64_t)PACK_SIZE_MAX + 1, SLICE(NULL, 0), &err),
			 OK);
	assert_int_equal(index_payload_walk(buf_slice(&payload), NULL, NULL, NULL, &err),
			 ERR_CORRUPT);
	payload.n = 2;
	payload.p[1] = FORMAT_VERSION + 1;
	assert_true(index_payload_walk(buf_slice(&payload), NULL, NULL, NULL, &err) < 0);
}

/* ---- following the store --------------------------------------------------------------------- */

static void
new_objects_are_taken_in(void **state)
{
	struct rig *r = *state;
	const uint64_t objects = 30;

	for (uint64_t i = 0; i < objects; i++) {
		(void)put_index(r, 3 * i, 3);
		rig_look(r);
		assert_int_equal(repo_index_records(r->index), 30 * (i + 1));
		/* Merged now and then: not a segment for each object. */
		assert_in_range(r->index->n, 1, 8);
		assert_int_equal(find(r, r->index, 30 * i), 1);
	}
	for (uint64_t i = 0; i < 30 * objects; i++)
		assert_int_equal(find(r, r->index, i), 1);
	assert_int_equal(find(r, r->index, 30 * objects), 0);
	rig_lose_cache(r);
	rig_look(r);
	assert_int_equal(repo_index_records(r->index), 30 * objects);
	for (uint64_t i = 0; i < 30 * objects; i++)
		assert_int_equal(find(r, r->index, i), 1);
}

/* Nothing is left lying about in the cache but the segments in use and the manifest. */
static size_t
files_in_cache(struct rig *r)
{
	CLEAN(free_ptr) char *path = NULL;
	size_t n = 0;

	assert_true(asprintf(&path, "%s/index", r->repo->cache_path) > 0);
	DIR *d = opendir(path);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void
the_cache_is_kept_tidy(void **state)
{
	struct rig *r = *state;

	for (uint64_t i = 0; i < 20; i++) {
		(void)put_index(r, i, 1);
		rig_look(r);
		assert_int_equal(files_in_cache(r), r->index->n + 1);
	}
}

static void
replaced_objects_are_forgotten(void **state)
{
	struct rig *r = *state;
	struct object_id first = put_index(r, 0, 5);

	(void)put_index(r, 5, 5);
	rig_look(r);
	assert_int_equal(find(r, r->index, 7), 1);
	/* As a prune does: pack 0 to 4 are gone but for 3 and 4. */
	(void)put_index(r, 3, 2);
	assert_int_equal(object_remove(r->repo, OBJECT_INDEX, &first, &r->err), 1);
	rig_look(r);
	assert_int_equal(find(r, r->index, 7), 0);
	assert_int_equal(find(r, r->index, 37), 1);
	assert_int_equal(find(r, r->index, 97), 1);
	assert_int_equal(repo_index_records(r->index), 70);
	assert_int_equal(files_in_cache(r), r->index->n + 1);
}

static void
last_object_vanishes(void **state)
{
	struct rig *r = *state;
	struct object_id id = put_index(r, 0, 1);

	rig_look(r);
	assert_int_equal(find(r, r->index, 7), 1);
	assert_int_equal(object_remove(r->repo, OBJECT_INDEX, &id, &r->err), 1);
	rig_look(r);
	assert_int_equal(find(r, r->index, 7), 0);
	assert_int_equal(r->index->n, 0);
}

static void
damaged_object(void **state)
{
	struct rig *r = *state;
	struct object_id id = put_index(r, 0, 1);
	struct repo_index *index = NULL;
	char name[NAME_SIZE];
	size_t n;

	(void)put_index(r, 1, 1);
	store_mem_bytes(r->mem, name_object(NAME_INDEX, &id, name), &n)[40] ^= 1;
	rig_fails(r, repo_index_open(r->repo, &index, &r->err), ERR_CORRUPT);
	assert_null(index);
	assert_non_null(strstr(r->err.msg, name));
	rig_ok(r, repo_index_open_lenient(r->repo, &index, &r->err));
	assert_int_equal(repo_index_records(index), 10);
	repo_index_close(index);
}

/* ---- damage to the cache --------------------------------------------------------------------- */

static int
cache_dir(struct rig *r)
{
	CLEAN(free_ptr) char *path = NULL;

	assert_true(asprintf(&path, "%s/index", r->repo->cache_path) > 0);
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	return dir;
}

static void
expect_whole(struct rig *r)
{
	rig_look(r);
	assert_int_equal(repo_index_records(r->index), 20);
	for (uint64_t i = 0; i < 20; i++)
		assert_int_equal(find(r, r->index, i), 1);
	rig_shut(r);
}

static void
damaged_manifest(void **state)
{
	struct rig *r = *state;
	CLEAN(buf_done) struct buf manifest = BUF_INIT(1 << 20);

	(void)put_index(r, 0, 1);
	(void)put_index(r, 1, 1);
	expect_whole(r);
	CLEAN(fd_close) int dir = cache_dir(r);
	for (size_t i = 0;; i += 3) {
		/* Rebuilding gives segments new names: read it anew. */
		buf_reset(&manifest);
		rig_ok(r, fs_read_file(dir, "manifest", &manifest, &r->err));
		if (i >= manifest.n)
			break;
		manifest.p[i] ^= (uint8_t)(1u << i % 7);
		rig_ok(r, fs_write_file(dir, "manifest", buf_slice(&manifest), 0600, &r->err));
		expect_whole(r);
	}
	for (size_t n = 0; n < manifest.n; n += 11) {
		rig_ok(r, fs_write_file(dir, "manifest", SLICE(manifest.p, n), 0600, &r->err));
		expect_whole(r);
	}
	assert_int_equal(unlinkat(dir, "manifest", 0), 0);
	expect_whole(r);
}

static void
damaged_segments(void **state)
{
	struct rig *r = *state;

	(void)put_index(r, 0, 1);
	(void)put_index(r, 1, 1);
	for (int how = 0; how < 3; how++) {
		rig_look(r);
		char name[64];
		memcpy(name, r->index->segments[1]->name, sizeof(name));
		rig_shut(r);
		CLEAN(fd_close) int dir = cache_dir(r);
		CLEAN(buf_done) struct buf file = BUF_INIT(1 << 20);
		rig_ok(r, fs_read_file(dir, name, &file, &r->err));
		if (how == 0)
			assert_int_equal(unlinkat(dir, name, 0), 0);
		else if (how == 1)
			rig_ok(r,
			       fs_write_file(dir, name, SLICE(file.p, file.n - 1), 0600, &r->err));
		else
			rig_ok(r, fs_write_file(dir, name, SLICE(NULL, 0), 0600, &r->err));
		expect_whole(r);
	}
}

/* A record with a wrong bit is an error that names the cache, never another place. */
static void
damaged_record(void **state)
{
	struct rig *r = *state;
	CLEAN(buf_done) struct buf file = BUF_INIT(1 << 20);
	size_t refused = 0;

	(void)put_index(r, 0, 1);
	rig_look(r);
	char name[64];
	memcpy(name, r->index->segments[0]->name, sizeof(name));
	rig_shut(r);
	CLEAN(fd_close) int dir = cache_dir(r);
	rig_ok(r, fs_read_file(dir, name, &file, &r->err));
	for (size_t i = 64; i < 64 + 10 * INDEX_RECORD_SIZE; i++) {
		file.p[i] ^= 0x10;
		rig_ok(r, fs_write_file(dir, name, buf_slice(&file), 0600, &r->err));
		file.p[i] ^= 0x10;
		rig_look(r);
		for (uint64_t b = 0; b < 10; b++) {
			int found = find(r, r->index, b);

			/* find() compares what was found. Not found: the id itself is wrong. */
			assert_true(found == 1 || found == ERR_CORRUPT ||
				    (found == 0 && (i - 64) % INDEX_RECORD_SIZE < BLOB_ID_SIZE));
			if (found == ERR_CORRUPT) {
				assert_non_null(strstr(r->err.msg, r->repo->cache_path));
				refused++;
			}
		}
		rig_shut(r);
	}
	assert_true(refused >= 10 * (INDEX_RECORD_SIZE - BLOB_ID_SIZE));
}

/* ---- together -------------------------------------------------------------------------------- */

static void
two_at_once(void **state)
{
	struct rig *r = *state;
	struct repo_index *other = NULL;

	(void)put_index(r, 0, 2);
	rig_look(r);
	(void)put_index(r, 2, 2);
	rig_ok(r, repo_index_open(r->repo, &other, &r->err));
	assert_int_equal(find(r, r->index, 5), 1);
	assert_int_equal(find(r, r->index, 35), 0);
	assert_int_equal(find(r, other, 35), 1);
	/* The second merged, swept and published; the first still works on what it has mapped. */
	for (uint64_t i = 4; i < 24; i++) {
		(void)put_index(r, i, 1);
		repo_index_close(other);
		rig_ok(r, repo_index_open(r->repo, &other, &r->err));
		assert_int_equal(find(r, r->index, 5), 1);
		assert_int_equal(find(r, other, 10 * i), 1);
	}
	repo_index_close(other);
}

struct writing {
	struct rig *r;
	struct repo_index *index;
	_Atomic uint64_t done; /* packs up to here are in */
	_Atomic uint64_t failures;
};

enum { ADDED = 120 }; /* more than there may be segments */

static void *
add_many(void *arg)
{
	struct writing *w = arg;
	struct error err;

	for (uint64_t i = 0; i < ADDED; i++) {
		CLEAN(buf_done) struct buf payload = {0};
		struct object_id id;

		make_payload(i, 1, &payload);
		if (object_put(w->r->repo, OBJECT_INDEX, buf_slice(&payload), &id, NULL, &err) <
			    0 ||
		    repo_index_add(w->index, &id, buf_slice(&payload), &err) < 0)
			w->failures++;
		w->done = i + 1;
	}
	return NULL;
}

static void *
look_all_the_time(void *arg)
{
	struct writing *w = arg;
	uint64_t seed = (uintptr_t)&seed;

	while (w->done < ADDED) {
		uint64_t known = w->done, number = rig_random(&seed) % (10 * ADDED);
		struct blob_id id = id_of(number);
		struct blob_loc loc;
		struct error err;
		int found = repo_index_find(w->index, &id, &loc, &err);

		w->failures += found < 0 || (found == 0 && number < 10 * known);
	}
	return NULL;
}

static void *
open_all_the_time(void *arg)
{
	struct writing *w = arg;

	while (w->done < ADDED) {
		struct repo_index *own = NULL;
		uint64_t known = w->done;
		struct error err;

		if (repo_index_open(w->r->repo, &own, &err) < 0)
			w->failures++;
		else
			w->failures += repo_index_records(own) < 10 * known;
		repo_index_close(own);
	}
	return NULL;
}

/* More objects than there may be segments, so that it also merges under the lookers' feet. */
static void
readers_while_a_writer_adds(void **state)
{
	struct rig *r = *state;
	struct writing w = {.r = r};
	pthread_t threads[4];
	void *(*const mains[])(void *) = {add_many, look_all_the_time, look_all_the_time,
					  open_all_the_time};

	rig_look(r);
	w.index = r->index;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, mains[i], &w), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(w.failures, 0);
	for (uint64_t i = 0; i < 10 * ADDED; i++)
		assert_int_equal(find(r, r->index, i), 1);
	rig_look(r);
	assert_int_equal(repo_index_records(r->index), 10 * ADDED);
}

static void
packs_and_hiding(void **state)
{
	struct rig *r = *state;
	CLEAN(free_ptr) struct pack_id *packs = NULL;
	struct pack_id *hidden = calloc(2, sizeof(*hidden)), three = pack_of(3), four = pack_of(4);
	struct blob_id id = id_of(35), both = id_of(41);
	struct blob_loc loc;
	size_t n;

	(void)put_index(r, 0, 5);
	(void)put_index(r, 4, 5); /* pack 4 in both */
	rig_look(r);
	rig_ok(r, repo_index_packs(r->index, &packs, &n, &r->err));
	assert_int_equal(n, 9);
	for (size_t i = 1; i < n; i++)
		assert_true(memcmp(&packs[i - 1], &packs[i], sizeof(*packs)) < 0);
	hidden[0] = MAX(memcmp(&three, &four, sizeof(three)), 0) ? three : four;
	hidden[1] = memcmp(&hidden[0], &three, sizeof(three)) == 0 ? four : three;
	repo_index_hide(r->index, hidden, 2);
	assert_true(repo_index_hidden(r->index, &three));
	assert_true(repo_index_hidden(r->index, &four));
	assert_int_equal(repo_index_find(r->index, &id, &loc, &r->err), 1);
	assert_int_equal(repo_index_find_visible(r->index, &id, &loc, &r->err), 0);
	assert_int_equal(repo_index_find_visible(r->index, &both, &loc, &r->err), 0);
	repo_index_hide(r->index, NULL, 0);
	assert_false(repo_index_hidden(r->index, &three));
	assert_int_equal(repo_index_find_visible(r->index, &id, &loc, &r->err), 1);
}

/* The same blob in a hidden and in another pack: only the other may be found. */
static void
visible_copy(void **state)
{
	struct rig *r = *state;
	struct frame_blob blob = {.id = id_of(1), .length = 5};

	for (int order = 0; order < 2; order++) {
		CLEAN(buf_done) struct buf payload = BUF_INIT(INDEX_PAYLOAD_MAX);
		struct pack_id packs[2] = {pack_of(1), pack_of(2)},
			       *hidden = malloc(sizeof(*hidden));
		struct pack_table t = PACK_TABLE_INIT;
		struct object_id id;
		struct blob_loc loc;

		assert_non_null(hidden);
		rig_ok(r, index_payload_begin(&payload, &r->err));
		rig_ok(r, pack_table_add(&t, 50, 5, &blob, 1, &r->err));
		for (size_t i = 0; i < 2; i++)
			rig_ok(r, index_payload_add(&payload, &packs[i], PACK_CLASS_DATA, 300,
						    buf_slice(&t.bytes), &r->err));
		pack_table_done(&t);
		rig_ok(r,
		       object_put(r->repo, OBJECT_INDEX, buf_slice(&payload), &id, NULL, &r->err));
		rig_look(r);
		*hidden = packs[order];
		repo_index_hide(r->index, hidden, 1);
		assert_int_equal(repo_index_find_visible(r->index, &blob.id, &loc, &r->err), 1);
		assert_memory_equal(&loc.pack, &packs[1 - order], sizeof(loc.pack));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(payload_round_trip),
		cmocka_unit_test(payload_lies),
		cmocka_unit_test_setup_teardown(new_objects_are_taken_in, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(the_cache_is_kept_tidy, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(replaced_objects_are_forgotten, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(last_object_vanishes, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(damaged_object, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(damaged_manifest, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(damaged_segments, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(damaged_record, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(two_at_once, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(readers_while_a_writer_adds, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(packs_and_hiding, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(visible_copy, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
