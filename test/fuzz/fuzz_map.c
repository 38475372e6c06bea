/* SPDX-License-Identifier: Apache-2.0 */

/*
 * File maps and folders of several blobs. The input is a list of blobs, each le16 length and bytes; all
 * but the last are metadata, the last is a map: 5 bytes of the file's size, then node.content. In all of
 * them a byte 0xe0 + k stands for the 32-byte id of blob k, and 0xdf for the byte after it. They are put
 * into one frame of one pack by hand: the writer would take too long. Ids are made up (who reads does
 * not compute them), so blobs may even refer to themselves.
 */
#include <fcntl.h>
#include <string.h>

#include "base/le.h"
#include "repo/index.h"
#include "repo/map.h"
#include "repo/names.h"
#include "repo/pack.h"
#include "repo/rig.h"
#include "repo/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BLOBS_MAX = 31 };

static struct blob_id
id_of(size_t k)
{
	struct blob_id id;

	rig_fill(&id, sizeof(id), k);
	return id;
}

static void
expand(struct slice in, struct buf *out)
{
	struct error err;

	for (size_t i = 0; i < in.n; i++) {
		uint8_t c = in.p[i];

		if (c >= 0xe0 && c < 0xe0 + BLOBS_MAX) {
			struct blob_id id = id_of(c - 0xe0);

			if (buf_append(out, &id, sizeof(id), &err) < 0)
				return;
			continue;
		}
		if (c == 0xdf && i + 1 < in.n)
			c = in.p[++i];
		if (buf_u8(out, c, &err) < 0)
			return;
	}
}

/* ---- a repository of one pack ----------------------------------------------------------------- */

struct hand {
	struct rig *rig;
	int dir; /* for the segment's file */
	struct repo_index index; /* of one segment, or none */
	struct pack_cipher cipher; /* of the pack */
	struct frame_blob blobs[BLOBS_MAX];
	size_t n;
	struct buf frame; /* codec byte, blobs */
};

static struct hand *
hand_get(void)
{
	static struct hand h;

	if (h.rig != NULL)
		return &h;
	h.rig = rig_new(false);
	h.dir = open(h.rig->cache, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	h.index.repo = h.rig->repo;
	h.frame = BUF_INIT(FRAME_STORED_MAX - CRYPTO_TAG_SIZE);
	if (h.dir < 0 || pthread_rwlock_init(&h.index.lock, NULL) != 0 ||
	    repo_reader_open(h.rig->repo, &h.index, &h.rig->reader, &h.rig->err) < 0)
		abort();
	return &h;
}

static int
put_pack(struct hand *h, struct error *err)
{
	CLEAN(buf_done) struct buf pack = BUF_INIT(FRAME_STORED_MAX + 4096);
	uint32_t plain = (uint32_t)h->frame.n - 1;
	char name[NAME_SIZE];

	if (pack_cipher_new(h->rig->repo, PACK_CLASS_META, &h->cipher, err) < 0 ||
	    buf_reserve(&h->frame, CRYPTO_TAG_SIZE, err) < 0 ||
	    pack_seal_frame(&h->cipher, 0, plain, h->frame.p, h->frame.n, err) < 0 ||
	    buf_append(&pack, h->cipher.header, PACK_HEADER_SIZE, err) < 0 ||
	    buf_append(&pack, h->frame.p, h->frame.n + CRYPTO_TAG_SIZE, err) < 0)
		return err->code;
	return store_put(h->rig->store, name_pack(&h->cipher.id, name), buf_slice(&pack), err);
}

static int
put_index(struct hand *h, struct error *err)
{
	CLEAN(index_rows_done) struct index_rows rows = {0};
	uint32_t offset = 0;

	if (index_rows_add_pack(&rows, &h->cipher.id, err) < 0)
		return err->code;
	for (size_t i = 0; i < h->n; i++) {
		const struct blob_loc loc = {.frame_offset = PACK_HEADER_SIZE,
					     .frame_stored = (uint32_t)h->frame.n + CRYPTO_TAG_SIZE,
					     .frame_plain = (uint32_t)h->frame.n - 1,
					     .offset = offset,
					     .length = h->blobs[i].length,
					     .class = BLOB_META};

		if (index_rows_add_blob(&rows, &h->blobs[i].id, &loc, err) < 0)
			return err->code;
		offset += h->blobs[i].length;
	}
	if (index_segment_write(h->dir, "segment", &rows, err) < 0 ||
	    index_segment_open(h->dir, "segment", NULL, 0, &h->index.segments[0], err) < 0)
		return err->code;
	h->index.n = 1;
	return OK;
}

static void
drop_pack(struct hand *h)
{
	char name[NAME_SIZE];

	if (h->index.n > 0)
		index_segment_close(h->index.segments[0]);
	h->index.n = 0;
	if (store_remove(h->rig->store, name_pack(&h->cipher.id, name), &h->rig->err) < 0)
		abort();
	pack_cipher_done(&h->cipher);
}

/* ---- what is read -------------------------------------------------------------------------------- */

struct cover {
	uint64_t size, next;
	bool begun;
};

static int
take_piece(void *arg, const struct map_piece *p, struct error *err)
{
	struct cover *c = arg;

	if (p->length == 0 || p->file_offset + p->length > c->size ||
	    (c->begun && p->file_offset != c->next) || (!p->hole && p->blob_offset >= BLOB_MAX))
		abort();
	c->begun = true;
	c->next = p->file_offset + p->length;
	/* A file of holes may be of any size: that is enough of them. */
	return p->file_offset > UINT64_C(1) << 38 ? error_set(err, ERR_LIMIT, "enough") : OK;
}

static int
take_blob(void *arg, const struct blob_id *id, bool meta, struct error *err)
{
	(void)id;
	(void)meta;
	return ++*(size_t *)arg > 100000 ? error_set(err, ERR_LIMIT, "enough") : OK;
}

static void
read_map(struct repo_reader *r, struct slice content, uint64_t size)
{
	static struct region g;
	CLEAN(map_old_closep) struct map_old *m = NULL;
	struct cover c = {.size = size};
	struct error err = ERROR_INIT;
	struct blob_id id;
	size_t n = 0;

	int rc = map_walk(r, content, size, 0, take_piece, &c, &err);
	if (rc == OK && c.next != size)
		abort();
	c.begun = false;
	(void)!map_walk(r, content, size, size / 3, take_piece, &c, &err);
	int rc2 = map_blobs(r, content, size, take_blob, &n, &err);
	if (rc == OK && rc2 != OK && rc2 != ERR_LIMIT)
		abort();
	if (map_old_open(r, content, size, &m, &err) < 0)
		return;
	for (uint64_t i = 0; i < 200; i += i < 3 ? 1 : 61)
		if (map_old_region(m, i, &g, &id, &err) == 1 && i * REGION_SIZE + g.length > size)
			abort();
}

static void
read_folder(struct repo_reader *r, const struct blob_id *id)
{
	CLEAN(tree_cursor_closep) struct tree_cursor *c = NULL;
	struct error err = ERROR_INIT;
	struct node node;

	if (tree_cursor_open(r, id, &c, &err) < 0)
		return;
	while (tree_cursor_next(c, &node, &err) == 1)
		if (node.name.n == 0)
			abort();
}

/* Take the blobs apart; *last is what follows the last but one. */
static void
parse(struct hand *h, struct slice rest, struct slice *last)
{
	struct error err;

	h->n = 0;
	buf_reset(&h->frame);
	if (buf_u8(&h->frame, FRAME_RAW, &err) < 0)
		return;
	while (rest.n >= 2 && h->n < BLOBS_MAX) {
		size_t n = MIN((size_t)le16_get(rest.p), rest.n - 2), before = h->frame.n;
		struct slice next = SLICE(rest.p + 2, n);

		rest = SLICE(rest.p + 2 + n, rest.n - 2 - n);
		if (rest.n < 2) {
			*last = next;
			return;
		}
		expand(next, &h->frame);
		if (h->frame.n > before) {
			h->blobs[h->n].length = (uint32_t)(h->frame.n - before);
			h->blobs[h->n].id = id_of(h->n);
			h->n++;
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(buf_done) struct buf map = BUF_INIT(BLOB_MAX);
	struct hand *h = hand_get();
	struct slice last = SLICE(NULL, 0);

	if (size > 8192)
		return 0;
	parse(h, SLICE(data, size), &last);
	if (h->n == 0 || put_pack(h, &h->rig->err) < 0)
		return 0;
	if (put_index(h, &h->rig->err) == OK) {
		expand(last, &map);
		if (map.n >= 5)
			read_map(h->rig->reader, SLICE(map.p + 5, map.n - 5),
				 le32_get(map.p) | (uint64_t)map.p[4] << 32);
		for (size_t i = 0; i < h->n; i++)
			read_folder(h->rig->reader, &h->blobs[i].id);
	}
	drop_pack(h);
	return 0;
}
