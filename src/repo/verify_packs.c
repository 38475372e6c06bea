/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading packs from end to end. Each worker takes the next pack; a pack is read in long stretches,
 * frame after frame as its own table says, which must be the table that the index has.
 *
 * The cores are to have work all the time: while one worker waits for the store another computes, so
 * there is one more of them than there are cores; and the largest packs come first, so that in the end
 * nobody waits long for the last one.
 */
#include <stdio.h>
#include <string.h>
#include <zstd.h>

#include "repo/names.h"
#include "repo/pack.h"
#include "repo/verify_internal.h"

enum { STRETCH = FRAME_STORED_MAX + (1 << 20) };

struct shared {
	struct verify *v;
	_Atomic size_t next;
};

struct worker {
	struct verify *v;
	struct hasher *hasher;
	ZSTD_DCtx *zstd;
	uint8_t *stretch;
	uint8_t *plain; /* the frame being walked */
	uint64_t at; /* place in the pack of the stretch's first byte */
	size_t n;
	/* The frame whose blobs are being walked. */
	struct pack_cipher cipher;
	char name[NAME_SIZE];
	uint64_t size; /* where the frames end: what comes behind was read with the table */
	uint32_t frame; /* number + 1 of the frame in `plain`; 0: none */
};

static int
fill(struct worker *w, const struct blob_loc *loc, struct error *err)
{
	uint64_t end = (uint64_t)loc->frame_offset + loc->frame_stored;

	if (loc->frame_offset >= w->at && end <= w->at + w->n)
		return OK;
	w->n = 0;
	size_t n = (size_t)MIN((uint64_t)STRETCH, w->size - loc->frame_offset);
	if (end > w->size)
		return error_set(err, ERR_CORRUPT, "a frame reaches beyond the pack");
	if (store_read(w->v->repo->store, w->name, loc->frame_offset, w->stretch, n, err) < 0)
		return err->code;
	w->at = loc->frame_offset;
	w->n = n;
	return OK;
}

static int
open_frame(struct worker *w, const struct blob_loc *loc, struct error *err)
{
	struct slice content;
	uint8_t *stored;

	if (fill(w, loc, err) < 0)
		return error_prefix(err, "frame at %u", loc->frame_offset);
	/* Opened where it lies: every frame is looked at once. */
	stored = w->stretch + (loc->frame_offset - w->at);
	if (pack_open_frame(&w->cipher, loc->frame, loc->frame_plain,
			    SLICE(stored, loc->frame_stored), stored, &content, err) < 0)
		return error_prefix(err, "frame at %u", loc->frame_offset);
	atomic_fetch_add(&w->v->stats->bytes_done, loc->frame_stored);
	w->frame = loc->frame + 1;
	if (w->v->options->level < VERIFY_DATA)
		return OK;
	if (content.p[0] == FRAME_RAW && content.n - 1 == loc->frame_plain) {
		memcpy(w->plain, content.p + 1, content.n - 1);
		return OK;
	}
	size_t n = ZSTD_decompressDCtx(w->zstd, w->plain, loc->frame_plain, content.p + 1,
				       content.n - 1);
	if (content.p[0] != FRAME_ZSTD || ZSTD_isError(n) || n != loc->frame_plain)
		return error_set(err, ERR_CORRUPT, "frame at %u does not unpack",
				 loc->frame_offset);
	return OK;
}

static int
check_blob(void *arg, const struct blob_id *id, const struct blob_loc *loc, struct error *err)
{
	struct worker *w = arg;
	uint8_t hash[CRYPTO_HASH_SIZE];

	if (w->frame != loc->frame + 1) {
		if (verify_cancelled(w->v))
			return error_set(err, ERR_CANCELLED, "stopped on request");
		if (open_frame(w, loc, err) < 0)
			return err->code;
	}
	if (w->v->options->level < VERIFY_DATA)
		return OK;
	if (hasher_hash(w->hasher, SLICE(w->plain + loc->offset, loc->length), hash, err) < 0)
		return err->code;
	if (memcmp(hash, id->b, BLOB_ID_SIZE) != 0)
		return error_set(err, ERR_CORRUPT,
				 "frame at %u: a blob's content does not match its id",
				 loc->frame_offset);
	atomic_fetch_add(&w->v->stats->blobs_checked, 1);
	return OK;
}

static int
check_pack(struct worker *w, const struct listed_pack *p, struct error *err)
{
	CLEAN(buf_done) struct buf table = BUF_INIT(PACK_TABLE_MAX + 4096);
	uint8_t header[PACK_HEADER_SIZE], hash[CRYPTO_HASH_SIZE], class;
	uint64_t size;
	int r;

	name_pack(&p->id, w->name);
	w->n = 0;
	w->frame = 0;
	if (pack_read_table(w->v->repo, &p->id, &class, &size, &table, err) < 0 ||
	    crypto_sha256(buf_slice(&table), hash, err) < 0)
		return err->code;
	if (class != p->class || memcmp(hash, p->table_hash, sizeof(hash)) != 0)
		return error_set(err, ERR_CORRUPT, "the index and the pack's own table differ");
	if (pack_table_walk(buf_slice(&table), &p->id, class, NULL, NULL, &w->size, err) < 0 ||
	    store_read(w->v->repo->store, w->name, 0, header, sizeof(header), err) < 0 ||
	    pack_cipher_open(w->v->repo, &p->id, header, &w->cipher, err) < 0)
		return err->code;
	r = pack_table_walk(buf_slice(&table), &p->id, class, check_blob, w, NULL, err);
	pack_cipher_done(&w->cipher);
	return r;
}

static bool
worker_init(struct worker *w, struct verify *v, struct error *err)
{
	*w = (struct worker){.v = v};
	w->zstd = ZSTD_createDCtx();
	w->stretch = malloc(STRETCH);
	w->plain = malloc(FRAME_PLAIN_MAX);
	if (w->zstd == NULL || w->stretch == NULL || w->plain == NULL) {
		error_no_memory(err);
		return false;
	}
	return hasher_new(v->repo->keys.blob_id, &w->hasher, err) == OK;
}

static void
worker_done(struct worker *w)
{
	ZSTD_freeDCtx(w->zstd);
	free(w->stretch);
	free(w->plain);
	hasher_free(w->hasher);
}

static void *
worker_main(void *arg)
{
	struct shared *s = arg;
	struct error err = ERROR_INIT;
	struct worker w;

	if (!worker_init(&w, s->v, &err)) {
		verify_problem(s->v, NAME_PACKS, err.msg);
		worker_done(&w);
		return NULL;
	}
	for (;;) {
		size_t i = atomic_fetch_add(&s->next, 1);

		if (i >= s->v->n_packs || verify_cancelled(s->v))
			break;
		if (!s->v->packs[i].wanted)
			continue;
		if (check_pack(&w, &s->v->packs[i], &err) < 0 && err.code != ERR_CANCELLED) {
			char name[NAME_SIZE];

			verify_problem(s->v, name_pack(&s->v->packs[i].id, name), err.msg);
		}
		atomic_fetch_add(&s->v->stats->packs_done, 1);
	}
	worker_done(&w);
	return NULL;
}

static int
compare_sizes(const void *a, const void *b)
{
	const struct listed_pack *x = a, *y = b;

	return x->size < y->size   ? 1
	       : x->size > y->size ? -1
				   : memcmp(&x->id, &y->id, PACK_ID_SIZE);
}

int
verify_packs(struct verify *v, struct error *err)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = v->options->workers ? v->options->workers : (unsigned)MAX(cores, 1L) + 1;
	struct shared s = {.v = v};
	pthread_t threads[64];
	unsigned started = 0;

	if (v->n_packs > 0)
		qsort(v->packs, v->n_packs, sizeof(*v->packs), compare_sizes);
	for (size_t i = 0; i < v->n_packs; i++) {
		if (!v->packs[i].wanted)
			continue;
		atomic_fetch_add(&v->stats->packs_total, 1);
		atomic_fetch_add(&v->stats->bytes_total, v->packs[i].size);
	}
	n = MIN(n, (unsigned)ARRAY_SIZE(threads));
	/* Our own thread is one of the workers: with no other, the work is still done. */
	while (started + 1 < n && pthread_create(&threads[started], NULL, worker_main, &s) == 0)
		started++;
	(void)worker_main(&s);
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	if (verify_cancelled(v))
		return error_set(err, ERR_CANCELLED, "stopped on request");
	return OK;
}
