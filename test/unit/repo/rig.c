/* SPDX-License-Identifier: Apache-2.0 */

/* See rig.h. Each test has its own rig, so nothing one test breaks can help another. */
#include "rig.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/le.h"
#include "store/fault.h"
#include "store/mem.h"

void
rig_check(const struct error *err, int rc, int expected, const char *what, const char *file,
	  int line)
{
	if (rc == expected)
		return;
	print_error("%s:%d: %s gave %d, not %d%s%s\n", file, line, what, rc, expected,
		    rc < 0 ? ": " : "", rc < 0 ? err->msg : "");
	_fail(file, line);
}

char *
rig_folder(char path[64])
{
	(void)snprintf(path, 64, "/dev/shm/holdfast-test-XXXXXX");
	if (mkdtemp(path) != NULL)
		return path;
	(void)snprintf(path, 64, "/tmp/holdfast-test-XXXXXX");
	assert_non_null(mkdtemp(path));
	return path;
}

static void
open_repo(struct rig *r)
{
	rig_ok(r, repo_open(r->store, &r->source, r->cache, &r->repo, &r->err));
}

struct rig *
rig_new(bool faulty)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct object_id id;

	assert_non_null(r);
	/* Contexts and buffers of megabytes come and go by the thousand here: keep their pages. */
	(void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
	(void)mallopt(M_TRIM_THRESHOLD, 512 << 20);
	(void)rig_folder(r->cache);
	rig_ok(r, store_mem_open(&r->mem, &r->err));
	r->store = r->mem;
	if (faulty)
		rig_ok(r, store_fault_open(r->mem, &r->store, &r->err));
	rig_ok(r, secret_new(CRYPTO_KEY_SIZE, &r->key, &r->err));
	memset(secret_bytes(r->key), RIG_KEY_BYTE, CRYPTO_KEY_SIZE);
	r->source.key_file = r->key;
	rig_ok(r, repo_init(r->store, &r->source, "rig", &id, &r->err));
	open_repo(r);
	return r;
}

static void
remove_cache(struct rig *r)
{
	rig_ok(r, fs_remove_tree(AT_FDCWD, r->cache, &r->err));
}

void
rig_free(struct rig *r)
{
	rig_shut(r);
	repo_close(r->repo);
	store_close(r->store);
	secret_free(r->key);
	remove_cache(r);
	free(r);
}

int
rig_setup(void **state)
{
	*state = rig_new(false);
	return 0;
}

int
rig_setup_faulty(void **state)
{
	*state = rig_new(true);
	return 0;
}

int
rig_teardown(void **state)
{
	rig_free(*state);
	return 0;
}

void
rig_begin(struct rig *r, const struct repo_write_options *options)
{
	rig_shut(r);
	rig_ok(r, repo_index_open(r->repo, &r->index, &r->err));
	rig_ok(r, repo_writer_open(r->repo, r->index, options, &r->writer, &r->err));
	rig_ok(r, repo_sink_open(r->writer, &r->sink, &r->err));
}

void
rig_end(struct rig *r)
{
	if (r->sink != NULL)
		rig_ok(r, repo_sink_close(STEAL_PTR(r->sink), &r->err));
	rig_ok(r, repo_writer_flush(r->writer, &r->err));
	repo_writer_close(STEAL_PTR(r->writer));
}

void
rig_look(struct rig *r)
{
	rig_shut(r);
	rig_ok(r, repo_index_open(r->repo, &r->index, &r->err));
	rig_ok(r, repo_reader_open(r->repo, r->index, &r->reader, &r->err));
}

void
rig_shut(struct rig *r)
{
	repo_sink_abort(STEAL_PTR(r->sink));
	repo_writer_close(STEAL_PTR(r->writer));
	repo_reader_close(STEAL_PTR(r->reader));
	repo_index_close(STEAL_PTR(r->index));
}

void
rig_reopen(struct rig *r)
{
	rig_shut(r);
	repo_close(STEAL_PTR(r->repo));
	open_repo(r);
}

void
rig_lose_cache(struct rig *r)
{
	rig_shut(r);
	remove_cache(r);
	rig_reopen(r);
}

struct blob_id
rig_put(struct rig *r, enum blob_class class, const void *p, size_t n)
{
	struct blob_id id;

	rig_ok(r, repo_sink_put(r->sink, class, SLICE(p, n), &id, NULL, &r->err));
	return id;
}

void
rig_expect(struct rig *r, const struct blob_id *id, const void *p, size_t n)
{
	struct slice content;

	rig_ok(r, repo_reader_blob(r->reader, id, &content, &r->err));
	assert_int_equal(content.n, n);
	assert_memory_equal(content.p, p, n);
	rig_ok(r, repo_reader_check(r->reader, id, content, &r->err));
}

/* splitmix64: good enough to be incompressible, and the same everywhere. */
uint64_t
rig_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void
rig_fill(void *p, size_t n, uint64_t seed)
{
	uint8_t *at = p, last[8];

	for (; n >= 8; n -= 8, at += 8)
		le64_put(at, rig_random(&seed));
	le64_put(last, rig_random(&seed));
	memcpy(at, last, n);
}

size_t
rig_sample(uint64_t number, uint8_t content[4096])
{
	uint64_t seed = number * 7919 + 13;
	size_t n = 8 + rig_random(&seed) % 3993;

	/* Every other one compresses. */
	if (number % 2 == 0)
		memset(content, (int)(number % 251), n);
	else
		rig_fill(content, n, seed);
	le64_put(content, number);
	return n;
}

struct names {
	char (*names)[STORE_NAME_MAX + 1];
	size_t n;
};

static int
collect(void *arg, const struct store_entry *entry, struct error *err)
{
	struct names *l = arg;

	(void)err;
	l->names = realloc(l->names, (l->n + 1) * sizeof(*l->names));
	assert_non_null(l->names);
	(void)snprintf(l->names[l->n++], sizeof(*l->names), "%s", entry->name);
	return OK;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

size_t
rig_count(struct rig *r, const char *prefix)
{
	struct names l = {0};

	rig_ok(r, store_list(r->mem, prefix, collect, &l, &r->err));
	free(l.names);
	return l.n;
}

void
rig_name(struct rig *r, const char *prefix, size_t nth, char name[STORE_NAME_MAX + 1])
{
	struct names l = {0};

	rig_ok(r, store_list(r->mem, prefix, collect, &l, &r->err));
	assert_true(nth < l.n);
	qsort(l.names, l.n, sizeof(*l.names), compare);
	memcpy(name, l.names[nth], sizeof(*l.names));
	free(l.names);
}

uint8_t *
rig_copy(struct rig *r, const char *name, size_t *ret_n)
{
	struct buf b = BUF_INIT(1 << 30);

	rig_ok(r, store_get(r->mem, name, &b, &r->err));
	*ret_n = b.n;
	return b.p;
}
