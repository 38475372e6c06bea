/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Repositories of every released version of the format still open, list, read and verify; and what is
 * written today is read the same way. If this fails, the format has changed: it needs a new version, or
 * the change was a mistake.
 */
#include "golden.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "repo/verify.h"
#include "rig.h"
#include "store/mem.h"

static char cache[64];
static struct error err;

static void
check(struct store *store, bool password)
{
	CLEAN(secret_freep) struct secret *key = NULL;
	CLEAN(repo_closep) struct repo *repo = NULL;
	const struct verify_options options = {.level = VERIFY_DATA, .workers = 1};
	struct verify_stats stats = {0};
	struct key_source source;
	struct rig r = {0}; /* only for its error */

	rig_ok(&r, golden_key(password, &key, &source, &r.err));
	rig_ok(&r, repo_open(store, &source, cache, &repo, &r.err));
	rig_ok(&r, golden_check(repo, &r.err));
	rig_ok(&r, verify_repository(repo, &options, &stats, &r.err));
	assert_int_equal(stats.points, 2);
	assert_int_equal(stats.keys, 2);
	assert_int_equal(stats.unlisted_packs, 0);
}

static void
version_1(void **state)
{
	CLEAN(store_closep) struct store *store = NULL;
	const char *root = getenv("SOURCE_ROOT");
	char path[4096];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/test/golden/v1", root != NULL ? root : ".");
	rig_check(&err, store_open(path, false, &store, &err), OK, path, __FILE__, __LINE__);
	check(store, false);
	check(store, true);
}

static void
written_now(void **state)
{
	CLEAN(store_closep) struct store *store = NULL;

	(void)state;
	assert_int_equal(store_mem_open(&store, &err), OK);
	rig_check(&err, golden_make(store, cache, &err), OK, "golden_make", __FILE__, __LINE__);
	check(store, false);
}

/* It must be able to fail: one wrong byte, anywhere in what is read. */
static void
differences_are_seen(void **state)
{
	CLEAN(store_closep) struct store *store = NULL;
	CLEAN(secret_freep) struct secret *key = NULL;
	CLEAN(repo_closep) struct repo *repo = NULL;
	struct key_source source;

	(void)state;
	assert_int_equal(store_mem_open(&store, &err), OK);
	assert_int_equal(golden_make(store, cache, &err), OK);
	assert_int_equal(golden_key(false, &key, &source, &err), OK);
	assert_int_equal(repo_open(store, &source, cache, &repo, &err), OK);
	struct secret *other = NULL;
	assert_int_equal(secret_random(CRYPTO_KEY_SIZE, &other, &err), OK);
	/* Chunks are cut otherwise, pages have other fingerprints, blobs other ids. */
	struct secret **keys[] = {&repo->keys.chunker, &repo->keys.fingerprint,
				  &repo->keys.blob_id};
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct secret *kept = *keys[i];

		*keys[i] = other;
		assert_true(golden_check(repo, &err) < 0);
		*keys[i] = kept;
		rig_check(&err, golden_check(repo, &err), OK, "golden_check", __FILE__, __LINE__);
	}
	secret_free(other);
}

static int
setup(void **state)
{
	(void)state;
	(void)rig_folder(cache);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return fs_remove_tree(AT_FDCWD, cache, &err);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_1),
		cmocka_unit_test(written_now),
		cmocka_unit_test(differences_are_seen),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
