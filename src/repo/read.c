/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fetching frames. A reader keeps the keys of the last few packs (deriving one costs a few
 * microseconds and a read of the header), the last few metadata frames (trees and maps lie together,
 * and are asked for together), and one data frame.
 */
#include "repo/read.h"

#include <string.h>
#include <zstd.h>

#include "base/hex.h"
#include "repo/index.h"
#include "repo/names.h"
#include "repo/pack.h"

enum { PACKS_KEPT = 8, META_FRAMES_KEPT = 12 };

struct kept_frame {
	struct blob_loc loc; /* length 0: empty */
	uint8_t *plain;
	size_t size, cap;
	uint64_t used; /* tick of the last use */
};

struct repo_reader {
	struct repo *repo;
	struct repo_index *index;
	struct hasher *hasher;
	ZSTD_DCtx *zstd;
	uint64_t tick;
	struct pack_cipher packs[PACKS_KEPT];
	uint64_t packs_used[PACKS_KEPT];
	struct kept_frame frames[META_FRAMES_KEPT + 1]; /* the last is for data */
	uint8_t *stored, *work; /* FRAME_STORED_MAX each, made when needed */
};

int
blob_loc_order(const struct blob_loc *a, const struct blob_loc *b)
{
	int r = memcmp(a->pack.b, b->pack.b, PACK_ID_SIZE);

	if (r != 0)
		return r;
	if (a->frame_offset != b->frame_offset)
		return a->frame_offset < b->frame_offset ? -1 : 1;
	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	return 0;
}

bool
blob_loc_same_frame(const struct blob_loc *a, const struct blob_loc *b)
{
	return a->frame_offset == b->frame_offset &&
	       memcmp(a->pack.b, b->pack.b, PACK_ID_SIZE) == 0;
}

int
repo_reader_open(struct repo *repo, struct repo_index *index, struct repo_reader **ret,
		 struct error *err)
{
	CLEAN(repo_reader_closep) struct repo_reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return error_no_memory(err);
	r->repo = repo;
	r->index = index;
	r->zstd = ZSTD_createDCtx();
	if (r->zstd == NULL)
		return error_no_memory(err);
	if (hasher_new(repo->keys.blob_id, &r->hasher, err) < 0)
		return err->code;
	*ret = STEAL_PTR(r);
	return OK;
}

void
repo_reader_close(struct repo_reader *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < PACKS_KEPT; i++)
		pack_cipher_done(&r->packs[i]);
	for (size_t i = 0; i < ARRAY_SIZE(r->frames); i++)
		free(r->frames[i].plain);
	hasher_free(r->hasher);
	ZSTD_freeDCtx(r->zstd);
	free(r->stored);
	free(r->work);
	free(r);
}

void
repo_reader_closep(struct repo_reader **r)
{
	repo_reader_close(*r);
}

static int
find_pack(struct repo_reader *r, const struct pack_id *id, struct pack_cipher **ret,
	  struct error *err)
{
	uint8_t header[PACK_HEADER_SIZE];
	struct pack_cipher fresh;
	char name[NAME_SIZE];
	size_t oldest = 0;

	for (size_t i = 0; i < PACKS_KEPT; i++) {
		if (r->packs[i].cipher != NULL && memcmp(&r->packs[i].id, id, sizeof(*id)) == 0) {
			r->packs_used[i] = ++r->tick;
			*ret = &r->packs[i];
			return OK;
		}
		if (r->packs_used[i] < r->packs_used[oldest])
			oldest = i;
	}
	if (store_read(r->repo->store, name_pack(id, name), 0, header, sizeof(header), err) < 0 ||
	    pack_cipher_open(r->repo, id, header, &fresh, err) < 0) {
		/* An index refers to it: that it is not there is damage, not an answer. */
		if (err->code == ERR_NOT_FOUND)
			err->code = ERR_CORRUPT;
		return err->code;
	}
	pack_cipher_done(&r->packs[oldest]);
	r->packs[oldest] = fresh;
	r->packs_used[oldest] = ++r->tick;
	*ret = &r->packs[oldest];
	return OK;
}

static int
unpack(struct repo_reader *r, struct slice content, struct kept_frame *f, uint32_t plain,
       struct error *err)
{
	struct slice body = SLICE(content.p + 1, content.n - 1);

	if (f->cap < plain) {
		uint8_t *p = realloc(f->plain, plain);

		if (p == NULL)
			return error_no_memory(err);
		f->plain = p;
		f->cap = plain;
	}
	if (content.p[0] == FRAME_RAW && body.n == plain) {
		memcpy(f->plain, body.p, plain);
	} else if (content.p[0] == FRAME_ZSTD) {
		size_t n = ZSTD_decompressDCtx(r->zstd, f->plain, plain, body.p, body.n);

		if (ZSTD_isError(n) || n != plain)
			return error_set(err, ERR_CORRUPT, "a frame does not unpack");
	} else {
		return error_set(err, ERR_CORRUPT, "a frame is packed in an unknown way");
	}
	f->size = plain;
	return OK;
}

static int
fetch(struct repo_reader *r, const struct blob_loc *loc, struct kept_frame *f, struct error *err)
{
	struct pack_cipher *pack = NULL;
	struct slice content;
	char name[NAME_SIZE];

	if (r->stored == NULL)
		r->stored = malloc(FRAME_STORED_MAX);
	if (r->work == NULL)
		r->work = malloc(FRAME_STORED_MAX);
	if (r->stored == NULL || r->work == NULL)
		return error_no_memory(err);
	if (loc->frame_stored > FRAME_STORED_MAX || loc->frame_plain > FRAME_PLAIN_MAX)
		return error_set(err, ERR_CORRUPT, "a frame has an impossible length");
	f->loc.length = 0;
	if (find_pack(r, &loc->pack, &pack, err) < 0 ||
	    store_read(r->repo->store, name_pack(&loc->pack, name), loc->frame_offset, r->stored,
		       loc->frame_stored, err) < 0) {
		/* As in find_pack, whose answer may be older than the pack's loss. */
		if (err->code == ERR_NOT_FOUND)
			err->code = ERR_CORRUPT;
		return err->code;
	}
	if (pack_open_frame(pack, loc->frame, loc->frame_plain, SLICE(r->stored, loc->frame_stored),
			    r->work, &content, err) < 0 ||
	    unpack(r, content, f, loc->frame_plain, err) < 0)
		return err->code;
	f->loc = *loc;
	return OK;
}

int
repo_reader_frame(struct repo_reader *r, const struct blob_loc *loc, struct slice *ret,
		  struct error *err)
{
	struct kept_frame *f = &r->frames[META_FRAMES_KEPT];

	if (loc->class == BLOB_META) {
		struct kept_frame *oldest = &r->frames[0];

		for (f = r->frames; f < r->frames + META_FRAMES_KEPT; f++) {
			if (f->loc.length > 0 && blob_loc_same_frame(&f->loc, loc))
				break;
			if (f->used < oldest->used)
				oldest = f;
		}
		if (f == r->frames + META_FRAMES_KEPT)
			f = oldest;
	}
	f->used = ++r->tick;
	if (f->loc.length == 0 || !blob_loc_same_frame(&f->loc, loc)) {
		char hex[2 * PACK_ID_SIZE + 1];

		if (fetch(r, loc, f, err) < 0)
			return error_prefix(err, "read pack %s at %u",
					    hex_encode(loc->pack.b, PACK_ID_SIZE, hex),
					    loc->frame_offset);
	}
	*ret = SLICE(f->plain, f->size);
	return OK;
}

int
repo_reader_blob(struct repo_reader *r, const struct blob_id *id, struct slice *ret,
		 struct error *err)
{
	struct blob_loc loc;
	struct slice frame;
	int found = repo_index_find(r->index, id, &loc, err);

	if (found < 0)
		return found;
	if (found == 0) {
		char hex[2 * BLOB_ID_SIZE + 1];

		return error_set(err, ERR_CORRUPT, "blob %.16s… is in no index",
				 hex_encode(id->b, BLOB_ID_SIZE, hex));
	}
	if (repo_reader_frame(r, &loc, &frame, err) < 0)
		return err->code;
	if (loc.length > frame.n || loc.offset > frame.n - loc.length)
		return error_set(err, ERR_CORRUPT, "a blob lies outside of its frame");
	*ret = SLICE(frame.p + loc.offset, loc.length);
	return OK;
}

int
repo_reader_check(struct repo_reader *r, const struct blob_id *id, struct slice content,
		  struct error *err)
{
	uint8_t hash[CRYPTO_HASH_SIZE];

	if (hasher_hash(r->hasher, content, hash, err) < 0)
		return err->code;
	if (memcmp(hash, id->b, BLOB_ID_SIZE) != 0)
		return error_set(err, ERR_CORRUPT, "a blob's content does not match its id");
	return OK;
}
