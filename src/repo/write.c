/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The writer: which ids are on their way, the finisher thread that makes packs durable and writes
 * index objects, and the end of it all.
 *
 * Index objects are written whenever what is not yet indexed exceeds a sixteenth of what is: so their
 * number grows with the logarithm of a backup's size, and a killed backup loses at most that share.
 * Even the rest is found again: a marker file in the cache, locked while the writer lives, tells the
 * next one that a writer died, and it then adopts packs that no index lists.
 */
#include "repo/write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/clock.h"
#include "base/hex.h"
#include "repo/mark.h"
#include "repo/names.h"
#include "repo/object.h"
#include "repo/write_internal.h"

enum {
	INDEX_MIN_BYTES = 64 << 20, /* not before so much is unindexed */
	INDEX_MAX_BLOBS = 1 << 17, /* bounds the pending table and one object's size */
	INDEX_SHARE = 16,
};

#define UNFINISHED "unfinished-"

void
write_pack_free(struct done_pack *pack)
{
	store_abort(pack->upload);
	buf_done(&pack->table);
	free(pack);
}

/* ---- failure -------------------------------------------------------------------------------- */

int
repo_writer_fail(struct repo_writer *w, const struct error *err)
{
	pthread_mutex_lock(&w->lock);
	if (w->failed.code == OK)
		w->failed = *err;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return err->code;
}

int
write_check(struct repo_writer *w, struct error *err)
{
	int r;

	pthread_mutex_lock(&w->lock);
	r = w->failed.code;
	if (r < 0)
		*err = w->failed;
	pthread_mutex_unlock(&w->lock);
	return r;
}

/* ---- pending ids -------------------------------------------------------------------------- */

int
write_claim(struct repo_writer *w, const struct blob_id *id, struct error *err)
{
	struct blob_loc loc;
	bool pending;
	int r;

	pthread_mutex_lock(&w->lock);
	pending = idset_has(&w->pending, id);
	r = w->failed.code;
	if (r < 0)
		*err = w->failed;
	pthread_mutex_unlock(&w->lock);
	if (r < 0 || pending)
		return r;
	r = repo_index_find_visible(w->index, id, &loc, err);
	if (r != 0)
		return r < 0 ? r : 0;
	pthread_mutex_lock(&w->lock);
	r = idset_add(&w->pending, id, err);
	pthread_mutex_unlock(&w->lock);
	return r;
}

static int
forget_pending(void *arg, const struct blob_id *id, const struct blob_loc *loc, struct error *err)
{
	struct repo_writer *w = arg;

	(void)loc;
	(void)err;
	idset_remove(&w->pending, id);
	return OK;
}

/* ---- the finisher --------------------------------------------------------------------------- */

static int
write_index(struct repo_writer *w, struct error *err)
{
	struct object_id id;
	uint64_t stored;

	if (w->payload_blobs == 0)
		return OK;
	if (object_put(w->repo, OBJECT_INDEX, buf_slice(&w->payload), &id, &stored, err) < 0 ||
	    repo_index_add(w->index, &id, buf_slice(&w->payload), err) < 0)
		return error_prefix(err, "write the index");
	pthread_mutex_lock(&w->lock);
	int r = index_payload_walk(buf_slice(&w->payload), NULL, forget_pending, w, err);
	w->stats.bytes_stored += stored;
	pthread_mutex_unlock(&w->lock);
	if (r < 0)
		return r;
	w->indexed_bytes += w->unindexed_bytes;
	w->unindexed_bytes = 0;
	w->payload_blobs = 0;
	buf_reset(&w->payload);
	return index_payload_begin(&w->payload, err);
}

static int
count_blob(void *arg, const struct blob_id *id, const struct blob_loc *loc, struct error *err)
{
	(void)id;
	(void)loc;
	(void)err;
	(*(uint32_t *)arg)++;
	return OK;
}

static int
list_pack(struct repo_writer *w, const struct pack_id *id, uint8_t class, uint64_t size,
	  struct slice table, struct error *err)
{
	uint32_t blobs = 0;

	if (pack_table_walk(table, id, class, count_blob, &blobs, NULL, err) < 0)
		return err->code;
	if (w->payload.n + table.n + 64 > w->payload.max && write_index(w, err) < 0)
		return err->code;
	if (index_payload_add(&w->payload, id, class, size, table, err) < 0)
		return err->code;
	w->payload_blobs += blobs;
	w->unindexed_bytes += size;
	return OK;
}

static int
finish_pack(struct repo_writer *w, struct done_pack *pack, struct error *err)
{
	uint64_t start = clock_boot_ns();
	char name[NAME_SIZE];

	if (store_commit(STEAL_PTR(pack->upload), err) < 0)
		return error_prefix(err, "store '%s'", name_pack(&pack->id, name));
	pthread_mutex_lock(&w->lock);
	w->stats.commit_ns += clock_boot_ns() - start;
	w->stats.packs++;
	w->stats.bytes_stored += pack->size;
	pthread_mutex_unlock(&w->lock);
	if (list_pack(w, &pack->id, pack->class, pack->size, buf_slice(&pack->table), err) < 0)
		return err->code;
	if (w->payload_blobs >= INDEX_MAX_BLOBS ||
	    w->unindexed_bytes >= MAX((uint64_t)INDEX_MIN_BYTES, w->indexed_bytes / INDEX_SHARE))
		return write_index(w, err);
	return OK;
}

static void *
finisher_main(void *arg)
{
	struct repo_writer *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct done_pack *pack = w->queue;
		struct error err = ERROR_INIT;
		bool failed = w->store_failed;

		if (pack == NULL) {
			if (w->stop)
				break;
			pthread_cond_wait(&w->changed, &w->lock);
			continue;
		}
		w->queue = pack->next;
		if (w->queue == NULL)
			w->queue_end = &w->queue;
		w->queued--;
		w->busy = true;
		pthread_mutex_unlock(&w->lock);
		/* After a failure nothing more is stored: the backup is lost, the disk may be full. */
		if (!failed)
			failed = finish_pack(w, pack, &err) < 0;
		write_pack_free(pack);
		pthread_mutex_lock(&w->lock);
		w->busy = false;
		w->store_failed = failed;
		if (failed && w->failed.code == OK)
			w->failed = err;
		pthread_cond_broadcast(&w->changed);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int
write_submit(struct repo_writer *w, struct done_pack *pack, struct error *err)
{
	int r;

	pthread_mutex_lock(&w->lock);
	while (w->queued >= QUEUE_MAX && w->failed.code == OK)
		pthread_cond_wait(&w->changed, &w->lock);
	r = w->failed.code;
	if (r < 0) {
		*err = w->failed;
	} else {
		*w->queue_end = pack;
		w->queue_end = &pack->next;
		w->queued++;
		pthread_cond_broadcast(&w->changed);
	}
	pthread_mutex_unlock(&w->lock);
	if (r < 0)
		write_pack_free(pack);
	return r;
}

void
write_add_stats(struct repo_writer *w, const struct repo_write_stats *s)
{
	pthread_mutex_lock(&w->lock);
	w->stats.blobs += s->blobs;
	w->stats.blobs_new += s->blobs_new;
	w->stats.bytes += s->bytes;
	w->stats.bytes_new += s->bytes_new;
	w->stats.hash_ns += s->hash_ns;
	w->stats.compress_ns += s->compress_ns;
	w->stats.seal_ns += s->seal_ns;
	w->stats.write_ns += s->write_ns;
	pthread_mutex_unlock(&w->lock);
}

/* ---- packs that a killed writer left -------------------------------------------------------- */

struct orphans {
	const struct pack_id *known;
	size_t n_known;
	struct pack_id *found;
	size_t n, cap;
};

static int
compare_packs(const void *a, const void *b)
{
	return memcmp(a, b, PACK_ID_SIZE);
}

static int
find_orphan(void *arg, const struct store_entry *entry, struct error *err)
{
	struct orphans *o = arg;
	struct pack_id id;

	if (!name_parse_pack(entry->name, &id) ||
	    (o->n_known > 0 &&
	     bsearch(&id, o->known, o->n_known, sizeof(id), compare_packs) != NULL))
		return OK;
	if (o->n == o->cap) {
		size_t cap = o->cap ? 2 * o->cap : 16;
		struct pack_id *found = reallocarray(o->found, cap, sizeof(*found));

		if (found == NULL)
			return error_no_memory(err);
		o->found = found;
		o->cap = cap;
	}
	o->found[o->n++] = id;
	return OK;
}

/* List packs that no index object knows and that no prune is about to remove. */
static int
adopt_orphans(struct repo_writer *w, struct error *err)
{
	CLEAN(free_ptr) struct pack_id *known = NULL;
	struct orphans o = {0};
	int r;

	if (repo_index_packs(w->index, &known, &o.n_known, err) < 0)
		return err->code;
	o.known = known;
	r = store_list(w->repo->store, NAME_PACKS, find_orphan, &o, err);
	for (size_t i = 0; i < o.n && r == OK; i++) {
		CLEAN(buf_done) struct buf table = BUF_INIT(PACK_TABLE_MAX + 4096);
		uint64_t size;
		uint8_t class;

		if (repo_index_hidden(w->index, &o.found[i]))
			continue;
		r = pack_read_table(w->repo, &o.found[i], &class, &size, &table, err);
		if (r == OK)
			r = list_pack(w, &o.found[i], class, size, buf_slice(&table), err);
		else if (r == ERR_CORRUPT || r == ERR_VERSION || r == ERR_NOT_FOUND)
			r = OK; /* verify's business, and no reason not to back up */
	}
	free(o.found);
	return r < 0 ? r : write_index(w, err);
}

/* Did an earlier writer on this machine die? Its marker exists, but nobody holds its lock. */
static bool
take_dead_markers(const char *cache_path)
{
	DIR *dir = opendir(cache_path);
	struct dirent *e;
	bool dead = false;

	if (dir == NULL)
		return false;
	while ((e = readdir(dir)) != NULL) {
		if (strncmp(e->d_name, UNFINISHED, strlen(UNFINISHED)) != 0)
			continue;
		int fd = openat(dirfd(dir), e->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
			dead = true;
			(void)unlinkat(dirfd(dir), e->d_name, 0);
		}
		if (fd >= 0)
			(void)close(fd);
	}
	(void)closedir(dir);
	return dead;
}

/* Locked before it gets the name that others look for, or they would take us for dead. */
static int
make_marker(struct repo_writer *w, struct error *err)
{
	CLEAN(free_ptr) char *fresh = NULL;
	uint8_t raw[8];
	char hex[17];

	if (crypto_random(raw, sizeof(raw), err) < 0)
		return err->code;
	if (asprintf(&w->unfinished_path, "%s/" UNFINISHED "%s", w->repo->cache_path,
		     hex_encode(raw, sizeof(raw), hex)) < 0) {
		w->unfinished_path = NULL;
		return error_no_memory(err);
	}
	if (asprintf(&fresh, "%s/starting-%s", w->repo->cache_path, hex) < 0) {
		fresh = NULL;
		return error_no_memory(err);
	}
	w->unfinished_fd = open(fresh, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (w->unfinished_fd < 0)
		return error_sys(err, ERR_IO, "make '%s'", fresh);
	if (flock(w->unfinished_fd, LOCK_EX | LOCK_NB) < 0 ||
	    rename(fresh, w->unfinished_path) < 0) {
		error_sys(err, ERR_IO, "make '%s'", w->unfinished_path);
		(void)unlink(fresh);
		return err->code;
	}
	return OK;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int
start_finisher(struct repo_writer *w, struct error *err)
{
	sigset_t all, before;
	int r;

	/* Signals are for the thread that can act on them. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	r = pthread_create(&w->finisher, NULL, finisher_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0) {
		errno = r;
		return error_sys(err, ERR_NO_MEMORY, "start a thread");
	}
	w->finisher_runs = true;
	return OK;
}

static void
stop_finisher(struct repo_writer *w)
{
	if (!w->finisher_runs)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->finisher, NULL);
	w->finisher_runs = false;
}

static int
prepare(struct repo_writer *w, struct error *err)
{
	/* Ours first: at no moment is there none, so whoever is killed leaves word. */
	if (make_marker(w, err) < 0)
		return err->code;
	bool died = take_dead_markers(w->repo->cache_path);

	w->store_failed = died; /* until it is done: the marker stays for the next one to try */
	if (mark_hide_packs(w->repo, w->index, err) < 0 ||
	    index_payload_begin(&w->payload, err) < 0)
		return err->code;
	if (died && adopt_orphans(w, err) < 0)
		return error_prefix(err, "take over what an interrupted backup stored");
	w->store_failed = false;
	if (repo_sink_open(w, &w->tail, err) < 0)
		return err->code;
	return start_finisher(w, err);
}

int
repo_writer_open(struct repo *repo, struct repo_index *index,
		 const struct repo_write_options *options, struct repo_writer **ret,
		 struct error *err)
{
	CLEAN(repo_writer_closep) struct repo_writer *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return error_no_memory(err);
	w->repo = repo;
	w->index = index;
	if (options != NULL)
		w->options = *options;
	if (w->options.level_data == 0)
		w->options.level_data = 3;
	if (w->options.level_pages == 0)
		w->options.level_pages = 1;
	if (w->options.pack_size == 0)
		w->options.pack_size = 64 << 20;
	/* A pack is closed once it is larger: leave room for one frame and the table. */
	w->options.pack_size = MIN(w->options.pack_size, (uint32_t)PACK_SIZE_MAX / 2);
	w->start_ns = clock_wall_ns();
	w->payload = BUF_INIT(INDEX_PAYLOAD_MAX);
	w->queue_end = &w->queue;
	w->unfinished_fd = -1;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	if (prepare(w, err) < 0)
		return err->code;
	*ret = STEAL_PTR(w);
	return OK;
}

/* The sink that gathers rests is used by one thread at a time. */
static struct repo_sink *
take_tail(struct repo_writer *w)
{
	struct repo_sink *tail;

	pthread_mutex_lock(&w->lock);
	while (w->tail == NULL)
		pthread_cond_wait(&w->changed, &w->lock);
	tail = STEAL_PTR(w->tail);
	pthread_mutex_unlock(&w->lock);
	return tail;
}

static void
give_tail(struct repo_writer *w, struct repo_sink *tail)
{
	pthread_mutex_lock(&w->lock);
	w->tail = tail;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

int
repo_sink_close(struct repo_sink *s, struct error *err)
{
	struct repo_writer *w = s->writer;
	int r = OK;

	/* A sink with an open pack finishes it; the rest of one without joins others' rests, so that a
	 * small backup does not leave one small pack for each worker. */
	if (s->pack_data.open || s->pack_meta.open)
		r = sink_drain(s, err);
	if (r == OK && (s->data.n > 0 || s->pages.n > 0 || s->meta.n > 0)) {
		struct repo_sink *tail = take_tail(w);

		r = sink_absorb(tail, s, err);
		give_tail(w, tail);
	}
	write_add_stats(w, &s->stats);
	sink_free(s);
	return r;
}

void
repo_sink_abort(struct repo_sink *s)
{
	struct error given_up = ERROR_INIT;

	if (s == NULL)
		return;
	/* Others may count on what it took on and now drops. */
	if (s->pack_data.open || s->pack_meta.open || s->data.n > 0 || s->pages.n > 0 ||
	    s->meta.n > 0) {
		error_set(&given_up, ERR_CANCELLED, "a part of the backup was given up");
		(void)!repo_writer_fail(s->writer, &given_up);
	}
	sink_free(s);
}

static int
wait_until_idle(struct repo_writer *w, struct error *err)
{
	int r;

	pthread_mutex_lock(&w->lock);
	while (w->queued > 0 || w->busy)
		pthread_cond_wait(&w->changed, &w->lock);
	r = w->failed.code;
	if (r < 0)
		*err = w->failed;
	pthread_mutex_unlock(&w->lock);
	return r;
}

int
repo_writer_flush(struct repo_writer *w, struct error *err)
{
	struct repo_sink *tail = take_tail(w);
	int r = sink_drain(tail, err);

	give_tail(w, tail);
	if (r < 0 || wait_until_idle(w, err) < 0 || write_index(w, err) < 0)
		return err->code;
	return mark_check_session(w->repo, w->start_ns, err);
}

void
repo_writer_stats(struct repo_writer *w, struct repo_write_stats *ret)
{
	pthread_mutex_lock(&w->lock);
	*ret = w->stats;
	if (w->tail != NULL) {
		const struct repo_write_stats *t = &w->tail->stats;

		ret->compress_ns += t->compress_ns;
		ret->seal_ns += t->seal_ns;
		ret->write_ns += t->write_ns;
	}
	pthread_mutex_unlock(&w->lock);
}

void
repo_writer_close(struct repo_writer *w)
{
	struct error ignored = ERROR_INIT;

	if (w == NULL)
		return;
	stop_finisher(w);
	/* Given up: index what is durable, for the next backup. Failing here loses nothing: packs that
	 * no index lists are adopted later. */
	bool indexed = !w->store_failed && write_index(w, &ignored) == OK;
	sink_free(w->tail);
	idset_done(&w->pending);
	buf_done(&w->payload);
	if (w->unfinished_fd >= 0) {
		if (indexed)
			(void)unlink(w->unfinished_path);
		(void)close(w->unfinished_fd);
	}
	free(w->unfinished_path);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void
repo_writer_closep(struct repo_writer **w)
{
	repo_writer_close(*w);
}
