/* SPDX-License-Identifier: Apache-2.0 */

/* Sessions: what several workers store together, and what a session that died leaves to the next. */
#include "repo/write.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "repo/index.h"
#include "repo/names.h"
#include "repo/write_internal.h"
#include "rig.h"
#include "store/fault.h"

static const struct repo_write_options small_packs = {.pack_size = 1};

/* Put samples [first, end) and count the new ones. */
static size_t
put_samples(struct rig *r, uint64_t first, uint64_t end)
{
	size_t fresh = 0;

	for (uint64_t i = first; i < end; i++) {
		uint8_t content[4096];
		size_t n = rig_sample(i, content);
		struct blob_id id;
		bool new = false;

		rig_ok(r, repo_sink_put(r->sink, i % 3 ? BLOB_DATA : BLOB_META, SLICE(content, n),
					&id, &new, &r->err));
		fresh += new;
	}
	return fresh;
}

static void
expect_samples(struct rig *r, uint64_t first, uint64_t end)
{
	CLEAN(hasher_freep) struct hasher *h = NULL;

	rig_look(r);
	rig_ok(r, hasher_new(r->repo->keys.blob_id, &h, &r->err));
	for (uint64_t i = first; i < end; i++) {
		uint8_t content[4096];
		size_t n = rig_sample(i, content);
		struct blob_id id;

		rig_ok(r, hasher_hash(h, SLICE(content, n), id.b, &r->err));
		rig_expect(r, &id, content, n);
	}
	rig_shut(r);
}

static size_t
markers(struct rig *r)
{
	DIR *d = opendir(r->repo->cache_path);
	size_t n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		n += e->d_name[0] != '.' && strcmp(e->d_name, "index") != 0;
	closedir(d);
	return n;
}

static void
one_pack_of_each_class(void **state)
{
	struct rig *r = *state;
	struct repo_sink *sinks[4];

	rig_begin(r, NULL);
	assert_int_equal(markers(r), 1);
	for (size_t i = 0; i < ARRAY_SIZE(sinks); i++)
		rig_ok(r, repo_sink_open(r->writer, &sinks[i], &r->err));
	for (uint64_t i = 0; i < 100; i++) {
		uint8_t content[4096];
		size_t n = rig_sample(i, content);
		struct blob_id id;

		rig_ok(r, repo_sink_put(sinks[i % 4], (enum blob_class)(BLOB_DATA + i % 3),
					SLICE(content, n), &id, NULL, &r->err));
	}
	for (size_t i = 0; i < ARRAY_SIZE(sinks); i++)
		rig_ok(r, repo_sink_close(sinks[i], &r->err));
	rig_end(r);
	assert_int_equal(rig_count(r, NAME_PACKS), 2);
	assert_int_equal(rig_count(r, NAME_INDEX), 1);
	assert_int_equal(markers(r), 0);
	expect_samples(r, 0, 100);
}

static void
across_sessions(void **state)
{
	struct rig *r = *state;

	for (uint64_t session = 0; session < 5; session++) {
		rig_begin(r, NULL);
		assert_int_equal(put_samples(r, 0, 100 + 50 * session), session == 0 ? 100 : 50);
		rig_end(r);
		assert_int_equal(rig_count(r, NAME_PACKS), 2 * (session + 1));
	}
	/* Nothing new: nothing is stored. */
	rig_begin(r, NULL);
	assert_int_equal(put_samples(r, 0, 300), 0);
	rig_end(r);
	assert_int_equal(rig_count(r, NAME_PACKS), 10);
	assert_int_equal(rig_count(r, NAME_INDEX), 5);
	rig_lose_cache(r);
	expect_samples(r, 0, 300);
}

/* ---- threads --------------------------------------------------------------------------------- */

struct worker {
	struct rig *r;
	uint64_t first, end;
	size_t fresh;
	int failed;
};

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct repo_sink *s = NULL;
	struct error err = ERROR_INIT;

	w->failed = repo_sink_open(w->r->writer, &s, &err);
	for (uint64_t i = w->first; i < w->end && w->failed == OK; i++) {
		uint8_t content[4096];
		size_t n = rig_sample(i, content);
		struct blob_id id;
		bool new = false;

		w->failed = repo_sink_put(s, i % 3 ? BLOB_DATA : BLOB_META, SLICE(content, n), &id,
					  &new, &err);
		w->fresh += new;
	}
	if (w->failed == OK)
		w->failed = repo_sink_close(s, &err);
	else
		repo_sink_abort(s);
	return NULL;
}

static void
across_threads(void **state)
{
	enum { THREADS = 4, SAMPLES = 3000 };
	struct rig *r = *state;
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	struct repo_write_stats stats;
	uint64_t bytes = 0;
	size_t fresh = 0;

	rig_begin(r, &small_packs);
	for (size_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.r = r, .first = 300 * i, .end = SAMPLES};
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (size_t i = 0; i < 200; i++)
		repo_writer_stats(r->writer, &stats); /* as a progress line does, all the while */
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(workers[i].failed, OK);
		fresh += workers[i].fresh;
	}
	assert_int_equal(fresh, SAMPLES);
	rig_ok(r, repo_sink_close(STEAL_PTR(r->sink), &r->err));
	rig_ok(r, repo_writer_flush(r->writer, &r->err));
	repo_writer_stats(r->writer, &stats);
	assert_int_equal(stats.blobs_new, SAMPLES);
	assert_int_equal(stats.blobs, 4 * SAMPLES - 300 * (0 + 1 + 2 + 3));
	assert_int_equal(stats.packs, rig_count(r, NAME_PACKS));
	for (uint64_t i = 0; i < SAMPLES; i++) {
		uint8_t content[4096];

		bytes += rig_sample(i, content);
	}
	assert_int_equal(stats.bytes_new, bytes);
	rig_shut(r);
	expect_samples(r, 0, SAMPLES);
	rig_look(r);
	assert_int_equal(repo_index_records(r->index), SAMPLES);
}

static int
add_size(void *arg, const struct store_entry *entry, struct error *err)
{
	(void)err;
	*(uint64_t *)arg += entry->size_bytes;
	return OK;
}

static void
stored_bytes_are_told(void **state)
{
	struct rig *r = *state;
	struct repo_write_stats stats;
	uint64_t size = 0;

	rig_begin(r, NULL);
	(void)put_samples(r, 0, 100);
	rig_ok(r, repo_sink_close(STEAL_PTR(r->sink), &r->err));
	rig_ok(r, repo_writer_flush(r->writer, &r->err));
	repo_writer_stats(r->writer, &stats);
	rig_ok(r, store_list(r->mem, NAME_PACKS, add_size, &size, &r->err));
	rig_ok(r, store_list(r->mem, NAME_INDEX, add_size, &size, &r->err));
	assert_int_equal(stats.bytes_stored, size);
	/* Once more changes nothing. */
	rig_ok(r, repo_writer_flush(r->writer, &r->err));
	repo_writer_stats(r->writer, &stats);
	assert_int_equal(stats.bytes_stored, size);
}

/* Two backups at once into one repository, from one machine or two. */
static void
two_writers(void **state)
{
	struct rig *r = *state;
	struct repo_index *index = NULL;
	struct repo_writer *other = NULL;
	struct repo_sink *sink = NULL;

	rig_begin(r, NULL);
	rig_ok(r, repo_index_open(r->repo, &index, &r->err));
	rig_ok(r, repo_writer_open(r->repo, index, NULL, &other, &r->err));
	rig_ok(r, repo_sink_open(other, &sink, &r->err));
	assert_int_equal(markers(r), 2);
	assert_int_equal(put_samples(r, 0, 60), 60);
	struct repo_sink *ours = r->sink;
	r->sink = sink;
	assert_int_equal(put_samples(r, 40, 100), 60); /* each stores its own: neither knows yet */
	rig_ok(r, repo_sink_close(sink, &r->err));
	r->sink = ours;
	rig_end(r);
	rig_ok(r, repo_writer_flush(other, &r->err));
	repo_writer_close(other);
	repo_index_close(index);
	assert_int_equal(markers(r), 0);
	expect_samples(r, 0, 100);
}

/* ---- on the way ------------------------------------------------------------------------------ */

/* Much data: the index is written along the way, and ids leave the table of pending ones. */
static void
indexed_along_the_way(void **state)
{
	enum { BLOBS = 150 };
	struct rig *r = *state;
	CLEAN(free_ptr) uint8_t *content = malloc(BLOB_MAX);
	const struct repo_write_options quick = {.level_data = 1, .pack_size = 8 << 20};
	struct blob_id ids[BLOBS];

	assert_non_null(content);
	rig_begin(r, &quick);
	rig_fill(content, BLOB_MAX, 1);
	for (uint64_t i = 0; i < BLOBS; i++) {
		memcpy(content, &i, sizeof(i));
		ids[i] = rig_put(r, BLOB_DATA, content, BLOB_MAX);
	}
	/* At most the queue, the open pack and 64 MiB are not in the index yet. */
	rig_ok(r, repo_sink_close(STEAL_PTR(r->sink), &r->err));
	size_t before_the_end = rig_count(r, NAME_INDEX);
	assert_in_range(before_the_end, 1, 2);
	assert_in_range(r->writer->pending.n, 0, 130);
	rig_end(r);
	rig_look(r);
	for (uint64_t i = 0; i < BLOBS; i++) {
		memcpy(content, &i, sizeof(i));
		rig_expect(r, &ids[i], content, BLOB_MAX);
	}
}

static void
options_within_limits(void **state)
{
	struct rig *r = *state;
	const struct repo_write_options huge = {.pack_size = UINT32_MAX};

	rig_begin(r, &huge);
	assert_in_range(r->writer->options.pack_size, 1,
			PACK_SIZE_MAX - PACK_TABLE_MAX - FRAME_STORED_MAX);
	assert_int_equal(r->writer->options.level_data, 3);
	assert_int_equal(r->writer->options.level_pages, 1);
}

/* ---- given up, and killed -------------------------------------------------------------------- */

/* Whole regions, each of which becomes a pack: compressible, so quick. */
static size_t
put_regions(struct rig *r, uint64_t first, uint64_t end)
{
	CLEAN(free_ptr) uint8_t *region = calloc(1, REGION_SIZE);
	size_t fresh = 0;

	assert_non_null(region);
	for (uint64_t i = first; i < end; i++) {
		struct blob_id id;
		bool new = false;

		memcpy(region, &i, sizeof(i));
		rig_ok(r, repo_sink_put(r->sink, BLOB_PAGES, SLICE(region, REGION_SIZE), &id, &new,
					&r->err));
		fresh += new;
	}
	return fresh;
}

static void
given_up(void **state)
{
	struct rig *r = *state;

	rig_begin(r, &small_packs);
	assert_int_equal(put_regions(r, 0, 7), 7);
	(void)put_samples(r, 0, 10); /* these are lost */
	rig_shut(r);
	assert_int_equal(rig_count(r, NAME_PACKS), 7);
	assert_int_equal(rig_count(r, NAME_INDEX), 1);
	assert_int_equal(markers(r), 0);
	rig_begin(r, &small_packs);
	assert_int_equal(put_regions(r, 0, 8), 1);
	assert_int_equal(put_samples(r, 0, 10), 10);
	rig_end(r);
	expect_samples(r, 0, 10);
}

/* What a killed writer leaves: packs that no index lists, and a marker that nobody holds. */
static void
leave_as_killed(struct rig *r, const char *marker)
{
	CLEAN(free_ptr) char *path = NULL;
	char name[STORE_NAME_MAX + 1];

	rig_begin(r, &small_packs);
	assert_int_equal(put_regions(r, 0, 5), 5);
	(void)put_samples(r, 0, 10);
	rig_end(r);
	rig_shut(r);
	while (rig_count(r, NAME_INDEX) > 0) {
		rig_name(r, NAME_INDEX, 0, name);
		assert_int_equal(store_remove(r->mem, name, &r->err), 1);
	}
	if (marker == NULL)
		return;
	assert_true(asprintf(&path, "%s/%s", r->repo->cache_path, marker) > 0);
	rig_ok(r, fs_write_file(AT_FDCWD, path, SLICE(NULL, 0), 0600, &r->err));
}

static void
killed(void **state)
{
	struct rig *r = *state;

	leave_as_killed(r, "unfinished-0123456789abcdef");
	rig_begin(r, &small_packs);
	assert_int_equal(markers(r), 1); /* ours; the dead one's is gone */
	assert_int_equal(put_regions(r, 0, 5), 0);
	assert_int_equal(put_samples(r, 0, 10), 0);
	rig_end(r);
	assert_int_equal(rig_count(r, NAME_PACKS), 7);
	expect_samples(r, 0, 10);
}

static void
no_marker_no_search(void **state)
{
	struct rig *r = *state;

	leave_as_killed(r, NULL);
	rig_begin(r, &small_packs);
	assert_int_equal(put_regions(r, 0, 5), 5);
	rig_end(r);
}

/* A damaged pack among those to take over does not keep a backup from being made. */
static void
damaged_orphan(void **state)
{
	struct rig *r = *state;
	char name[STORE_NAME_MAX + 1];

	leave_as_killed(r, "unfinished-0123456789abcdef");
	rig_name(r, NAME_PACKS, 0, name);
	assert_int_equal(store_remove(r->mem, name, &r->err), 1);
	rig_ok(r, store_put(r->mem, name, SLICE("HFPACK", 6), &r->err));
	rig_begin(r, &small_packs);
	size_t fresh = put_regions(r, 0, 5) + put_samples(r, 0, 10);
	assert_in_range(fresh, 1, 10);
	rig_end(r);
	expect_samples(r, 0, 10);
}

/* If taking over fails, the next one tries again. */
static void
taking_over_fails(void **state)
{
	struct rig *r = *state;
	uint64_t n = 1;

	leave_as_killed(r, "unfinished-0123456789abcdef");
	for (;; n++) {
		rig_ok(r, repo_index_open(r->repo, &r->index, &r->err));
		store_fault_arm(r->store, STORE_FAULT_ERROR, n, true);
		int rc = repo_writer_open(r->repo, r->index, NULL, &r->writer, &r->err);
		bool fired = store_fault_fired(r->store) > 0;
		store_fault_arm(r->store, STORE_FAULT_NONE, 0, false);
		rig_shut(r);
		/* One that cannot be read is left out: that is not worth failing for. */
		if (!fired || rc == OK)
			break;
		assert_int_equal(markers(r), 1);
	}
	assert_true(n > 2);
	if (rig_count(r, NAME_INDEX) > 0)
		return;
	rig_begin(r, &small_packs);
	assert_int_equal(put_regions(r, 0, 5), 0);
	rig_end(r);
}

static void
living_markers_are_respected(void **state)
{
	struct rig *r = *state;
	struct repo_index *index = NULL;
	struct repo_writer *other = NULL;

	rig_begin(r, &small_packs);
	assert_int_equal(put_regions(r, 0, 5), 5);
	rig_ok(r, repo_index_open(r->repo, &index, &r->err));
	rig_ok(r, repo_writer_open(r->repo, index, NULL, &other, &r->err));
	assert_int_equal(markers(r), 2);
	assert_int_equal(rig_count(r, NAME_INDEX), 0);
	repo_writer_close(other);
	repo_index_close(index);
	rig_end(r);
	assert_int_equal(markers(r), 0);
}

/* A child that dies in the middle, for good: SIGKILL, with a store in a folder. */
static _Noreturn void
child(const char *path, struct rig *r)
{
	struct store *store = NULL;

	/* Secrets are not inherited: they are not even mapped here. */
	r->repo = NULL;
	if (store_open(path, false, &store, &r->err) < 0 ||
	    secret_new(CRYPTO_KEY_SIZE, &r->key, &r->err) < 0)
		_exit(1);
	memset(secret_bytes(r->key), RIG_KEY_BYTE, CRYPTO_KEY_SIZE);
	r->source.key_file = r->key;
	r->store = r->mem = store;
	rig_reopen(r);
	rig_begin(r, &small_packs);
	(void)put_regions(r, 0, 40);
	uint64_t deadline = clock_boot_ns() + 60 * NS_PER_S;
	while (rig_count(r, NAME_PACKS) < 40 && clock_boot_ns() < deadline)
		usleep(1000);
	(void)kill(getpid(), SIGKILL);
	_exit(2);
}

static void
really_killed(void **state)
{
	struct rig *r = *state;
	struct store *memory = r->store;
	char path[64];
	struct object_id id;
	int status = 0;

	(void)rig_folder(path);
	rig_ok(r, store_open(path, true, &r->store, &r->err));
	r->mem = r->store;
	rig_ok(r, repo_init(r->store, &r->source, "", &id, &r->err));
	rig_reopen(r);
	pid_t pid = fork();
	if (pid == 0)
		child(path, r);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(rig_count(r, NAME_INDEX), 0);
	assert_int_equal(rig_count(r, NAME_PACKS), 40);
	assert_int_equal(markers(r), 1);
	rig_begin(r, &small_packs);
	assert_int_equal(put_regions(r, 0, 41), 1);
	rig_end(r);
	rig_shut(r);
	assert_int_equal(markers(r), 0);
	repo_close(STEAL_PTR(r->repo));
	store_close(r->store);
	r->store = r->mem = memory;
	rig_ok(r, fs_remove_tree(AT_FDCWD, path, &r->err));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_pack_of_each_class, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(across_sessions, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(across_threads, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(stored_bytes_are_told, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(two_writers, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(indexed_along_the_way, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(options_within_limits, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(given_up, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(killed, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(no_marker_no_search, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(damaged_orphan, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(taking_over_fails, rig_setup_faulty, rig_teardown),
		cmocka_unit_test_setup_teardown(living_markers_are_respected, rig_setup,
						rig_teardown),
		cmocka_unit_test_setup_teardown(really_killed, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
