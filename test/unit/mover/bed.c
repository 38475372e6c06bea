/* SPDX-License-Identifier: Apache-2.0 */

/* The bed itself and running backups in it; comparing is in bed_compare.c. */
#include "mover/bed.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "store/fault.h"
#include "store/mem.h"
#include "store/store.h"

/* A store that tells when a pack is begun. */
struct hooked {
	struct store base;
	struct store *inner;
	struct bed *bed;
	pthread_mutex_t lock;
};

static struct hooked *
hooked_of(struct store *s)
{
	return CONTAINER_OF(s, struct hooked, base);
}

static int
hooked_read(struct store *s, const char *name, uint64_t offset, void *p, size_t n,
	    struct error *err)
{
	return store_read(hooked_of(s)->inner, name, offset, p, n, err);
}

static int
hooked_stat(struct store *s, const char *name, uint64_t *ret_size, struct error *err)
{
	return store_stat(hooked_of(s)->inner, name, ret_size, err);
}

static int
hooked_list(struct store *s, const char *prefix, store_list_fn *each, void *arg, struct error *err)
{
	return store_list(hooked_of(s)->inner, prefix, each, arg, err);
}

static int
hooked_begin(struct store *s, const char *name, struct store_upload **ret, struct error *err)
{
	struct hooked *h = hooked_of(s);

	(void)pthread_mutex_lock(&h->lock);
	if (h->bed->hook != NULL && strncmp(name, "packs/", 6) == 0) {
		void (*hook)(struct bed * b) = h->bed->hook;

		h->bed->hook = NULL;
		hook(h->bed);
	}
	(void)pthread_mutex_unlock(&h->lock);
	return store_begin(h->inner, name, ret, err);
}

static int
hooked_remove(struct store *s, const char *name, struct error *err)
{
	return store_remove(hooked_of(s)->inner, name, err);
}

static int
hooked_tidy(struct store *s, uint64_t age_s, struct error *err)
{
	return store_tidy(hooked_of(s)->inner, age_s, err);
}

static void
hooked_close(struct store *s)
{
	store_close(hooked_of(s)->inner);
	free(hooked_of(s));
}

static const struct store_ops hooked_ops = {
	.name = "hooked",
	.read = hooked_read,
	.stat = hooked_stat,
	.list = hooked_list,
	.begin = hooked_begin,
	.remove = hooked_remove,
	.tidy = hooked_tidy,
	.close = hooked_close,
};

struct bed *
bed_new(void)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct hooked *h = calloc(1, sizeof(*h));
	struct object_id id;
	char cache[64];

	assert_non_null(b);
	assert_non_null(h);
	(void)snprintf(b->base, sizeof(b->base), "/tmp/holdfast-mover-XXXXXX");
	assert_non_null(mkdtemp(b->base));
	(void)snprintf(b->src, sizeof(b->src), "%s/src", b->base);
	(void)snprintf(cache, sizeof(cache), "%s/cache", b->base);
	assert_int_equal(mkdir(b->src, 0755), 0);
	assert_int_equal(mkdir(cache, 0700), 0);
	h->base.ops = &hooked_ops;
	h->bed = b;
	(void)pthread_mutex_init(&h->lock, NULL);
	assert_int_equal(store_mem_open(&b->memory, &b->err), OK);
	assert_int_equal(store_fault_open(b->memory, &b->fault, &b->err), OK);
	h->inner = b->fault;
	b->store = &h->base;
	assert_int_equal(secret_random(32, &b->key, &b->err), OK);
	struct key_source source = {.key_file = b->key};
	assert_int_equal(repo_init(b->store, &source, "test", &id, &b->err), OK);
	assert_int_equal(repo_open(b->store, &source, cache, &b->repo, &b->err), OK);
	return b;
}

void
bed_free(struct bed *b)
{
	struct error err = ERROR_INIT;

	clock_fake_off();
	repo_close(b->repo);
	secret_free(b->key);
	store_close(b->store);
	assert_int_equal(fs_remove_tree(AT_FDCWD, b->base, &err), OK);
	free(b);
}

int
bed_setup(void **state)
{
	*state = bed_new();
	return 0;
}

int
bed_teardown(void **state)
{
	bed_free(*state);
	return 0;
}

/* ---- running --------------------------------------------------------------------------------- */

static void
keep_warning(void *arg, const char *path, enum err code, bool serious, const char *message)
{
	struct bed *b = arg;
	size_t n = strlen(path);

	if (b->n_warnings >= BED_WARNINGS_MAX)
		return;
	struct bed_warning *w = &b->warnings[b->n_warnings++];
	if (n >= sizeof(w->path))
		path += n - sizeof(w->path) + 1;
	(void)snprintf(w->path, sizeof(w->path), "%s", path);
	(void)snprintf(w->message, sizeof(w->message), "%s", message);
	w->code = code;
	w->serious = serious;
}

#define MUST(b, call)                                                                              \
	do {                                                                                       \
		if ((call) != OK)                                                                  \
			fail_msg("%s: %s", #call, (b)->err.msg);                                   \
	} while (0)

void
bed_begin(struct bed *b, struct bed_run *r)
{
	struct repo_write_options options = {0};

	*r = (struct bed_run){0};
	memset(&b->progress, 0, sizeof(b->progress));
	b->n_warnings = 0;
	b->err = ERROR_INIT;
	b->options.progress = &b->progress;
	b->options.warn = keep_warning;
	b->options.warn_arg = b;
	MUST(b, repo_index_open(b->repo, &r->index, &b->err));
	MUST(b, repo_writer_open(b->repo, r->index, &options, &r->writer, &b->err));
	MUST(b, mover_new(b->repo, r->index, r->writer, &b->options, &r->mover, &b->err));
}

void
bed_end(struct bed *b, struct bed_run *r)
{
	MUST(b, mover_finish(r->mover, &b->err));
	MUST(b, repo_writer_flush(r->writer, &b->err));
	repo_writer_stats(r->writer, &b->stats);
	bed_drop(r);
}

void
bed_drop(struct bed_run *r)
{
	mover_free(r->mover);
	repo_writer_close(r->writer);
	repo_index_close(r->index);
	*r = (struct bed_run){0};
}

int
bed_try(struct bed *b, const char *const *paths, size_t n, const struct blob_id *previous,
	struct blob_id *ret_tree)
{
	struct bed_run run;
	int r;

	bed_begin(b, &run);
	r = mover_backup_paths(run.mover, paths, n, previous, ret_tree, &b->err);
	if (r == OK)
		bed_end(b, &run);
	else
		bed_drop(&run);
	return r;
}

void
bed_backup(struct bed *b, const struct blob_id *previous, struct blob_id *ret_tree)
{
	const char *path = b->src;

	MUST(b, bed_try(b, &path, 1, previous, ret_tree));
}

/* ---- the source ------------------------------------------------------------------------------ */

void
bed_fill(void *p, size_t n, uint64_t seed)
{
	uint8_t *out = p;
	uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;

	for (size_t i = 0; i < n; i += sizeof(x)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(out + i, &x, MIN(sizeof(x), n - i));
	}
}

char *
bed_path(struct bed *b, const char *name)
{
	static char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", b->src, name);
	return path;
}

int
bed_open(struct bed *b, const char *name, int flags)
{
	int fd = open(bed_path(b, name), flags | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	return fd;
}

void
bed_file(struct bed *b, const char *name, size_t n, uint64_t seed)
{
	int fd = bed_open(b, name, O_WRONLY | O_CREAT | O_TRUNC);
	uint8_t *p = malloc(n + 1);

	assert_non_null(p);
	bed_fill(p, n, seed);
	assert_int_equal(fs_pwrite(fd, p, n, 0, NULL), OK);
	free(p);
	(void)close(fd);
}

void
bed_text(struct bed *b, const char *name, const char *text)
{
	int fd = bed_open(b, name, O_WRONLY | O_CREAT | O_TRUNC);

	assert_int_equal(fs_pwrite(fd, text, strlen(text), 0, NULL), OK);
	(void)close(fd);
}

void
bed_dir(struct bed *b, const char *name)
{
	assert_int_equal(mkdir(bed_path(b, name), 0755), 0);
}

void
bed_later(void)
{
	clock_fake_off();
	clock_fake_set(clock_boot_ns(), clock_wall_ns() + 100 * NS_PER_S);
}
