/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One worker's way into the repository: hash, look up, gather into frames, pack, seal, append to packs
 * of its own. Nothing here is shared with other workers but the writer's table of pending ids, asked
 * once for each blob.
 */
#include <string.h>
#include <zstd_errors.h>

#include "base/clock.h"
#include "repo/names.h"
#include "repo/write_internal.h"

static struct open_frame *
frame_of(struct repo_sink *s, enum blob_class class)
{
	return class == BLOB_META ? &s->meta : class == BLOB_PAGES ? &s->pages : &s->data;
}

static struct open_pack *
pack_of(struct repo_sink *s, const struct open_frame *f)
{
	return f->class == BLOB_META ? &s->pack_meta : &s->pack_data;
}

int
repo_sink_open(struct repo_writer *w, struct repo_sink **ret, struct error *err)
{
	struct repo_sink *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return error_no_memory(err);
	s->writer = w;
	s->data = (struct open_frame){
		.target = FRAME_DATA_TARGET, .level = w->options.level_data, .class = BLOB_DATA};
	s->pages = (struct open_frame){
		.target = FRAME_PAGES_TARGET, .level = w->options.level_pages, .class = BLOB_PAGES};
	s->meta = (struct open_frame){
		.target = FRAME_META_TARGET, .level = w->options.level_data, .class = BLOB_META};
	s->pack_data.table = PACK_TABLE_INIT;
	s->pack_meta.table = PACK_TABLE_INIT;
	s->zstd = ZSTD_createCCtx();
	s->packed = malloc(FRAME_STORED_MAX);
	if (s->zstd == NULL || s->packed == NULL) {
		sink_free(s);
		return error_no_memory(err);
	}
	if (hasher_new(w->repo->keys.blob_id, &s->hasher, err) < 0 ||
	    fingerprinter_new(w->repo->keys.fingerprint, &s->fingerprinter, err) < 0) {
		sink_free(s);
		return err->code;
	}
	*ret = s;
	return OK;
}

static void
drop_pack(struct open_pack *p)
{
	if (p->open)
		store_abort(p->upload);
	pack_cipher_done(&p->cipher);
	pack_table_done(&p->table);
}

void
sink_free(struct repo_sink *s)
{
	if (s == NULL)
		return;
	drop_pack(&s->pack_data);
	drop_pack(&s->pack_meta);
	for (int i = 0; i < 3; i++) {
		struct open_frame *f = i == 0 ? &s->data : i == 1 ? &s->pages : &s->meta;

		free(f->plain);
		free(f->blobs);
	}
	hasher_free(s->hasher);
	fingerprinter_free(s->fingerprinter);
	ZSTD_freeCCtx(s->zstd);
	free(s->packed);
	free(s);
}

static int
write_part(struct repo_sink *s, struct open_pack *p, const void *data, size_t n, struct error *err)
{
	uint64_t start = clock_boot_ns();

	if (store_write(p->upload, data, n, err) < 0)
		return error_prefix(err, "write a pack");
	s->stats.write_ns += clock_boot_ns() - start;
	p->size += n;
	return OK;
}

static int
begin_pack(struct repo_sink *s, struct open_pack *p, uint8_t class, struct error *err)
{
	char name[NAME_SIZE];

	pack_cipher_done(&p->cipher);
	if (pack_cipher_new(s->writer->repo, class, &p->cipher, err) < 0 ||
	    store_begin(s->writer->repo->store, name_pack(&p->cipher.id, name), &p->upload, err) <
		    0)
		return error_prefix(err, "begin a pack");
	p->open = true;
	p->size = 0;
	p->table.n_frames = 0;
	p->table.n_blobs = 0;
	buf_reset(&p->table.bytes);
	return write_part(s, p, p->cipher.header, PACK_HEADER_SIZE, err);
}

/* Table and trailer, then off to the finisher. */
static int
end_pack(struct repo_sink *s, struct open_pack *p, struct error *err)
{
	CLEAN(buf_done) struct buf end = BUF_INIT(PACK_TABLE_MAX + 4096);
	struct done_pack *done;

	if (!p->open)
		return OK;
	if (pack_seal_table(&p->cipher, &p->table, &end, err) < 0 ||
	    write_part(s, p, end.p, end.n, err) < 0)
		return err->code;
	done = calloc(1, sizeof(*done));
	if (done == NULL)
		return error_no_memory(err);
	done->upload = STEAL_PTR(p->upload);
	done->id = p->cipher.id;
	done->class = p->cipher.header[9];
	done->size = p->size;
	done->table = p->table.bytes;
	p->table = PACK_TABLE_INIT;
	p->open = false;
	return write_submit(s->writer, done, err);
}

/* Compress into s->packed behind the codec byte; what does not shrink is kept as it is. */
static int
pack_content(struct repo_sink *s, const struct open_frame *f, struct slice plain, size_t *ret_n,
	     struct error *err)
{
	uint64_t start = clock_boot_ns();
	size_t room = FRAME_STORED_MAX - CRYPTO_TAG_SIZE - 1;
	size_t n = ZSTD_compressCCtx(s->zstd, s->packed + 1, room, plain.p, plain.n, f->level);

	if (ZSTD_isError(n) && ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation)
		return error_no_memory(err);
	s->packed[0] = FRAME_ZSTD;
	if (ZSTD_isError(n) || n >= plain.n) {
		s->packed[0] = FRAME_RAW;
		memcpy(s->packed + 1, plain.p, plain.n);
		n = plain.n;
	}
	*ret_n = n + 1;
	s->stats.compress_ns += clock_boot_ns() - start;
	return OK;
}

static int
put_frame(struct repo_sink *s, struct open_frame *f, struct slice plain,
	  const struct frame_blob *blobs, size_t n_blobs, struct error *err)
{
	struct open_pack *p = pack_of(s, f);
	uint64_t start;
	size_t n = 0;

	if (!p->open &&
	    begin_pack(s, p, f->class == BLOB_META ? PACK_CLASS_META : PACK_CLASS_DATA, err) < 0)
		return err->code;
	if (pack_content(s, f, plain, &n, err) < 0)
		return err->code;
	start = clock_boot_ns();
	if (pack_seal_frame(&p->cipher, p->table.n_frames, (uint32_t)plain.n, s->packed, n, err) <
	    0)
		return err->code;
	s->stats.seal_ns += clock_boot_ns() - start;
	n += CRYPTO_TAG_SIZE;
	if (write_part(s, p, s->packed, n, err) < 0 ||
	    pack_table_add(&p->table, (uint32_t)n, (uint32_t)plain.n, blobs, n_blobs, err) < 0)
		return err->code;
	if (p->size >= s->writer->options.pack_size || p->table.n_blobs >= PACK_BLOBS_MAX / 2)
		return end_pack(s, p, err);
	return OK;
}

static int
flush_frame(struct repo_sink *s, struct open_frame *f, struct error *err)
{
	if (f->n == 0)
		return OK;
	if (put_frame(s, f, SLICE(f->plain, f->n), f->blobs, f->n_blobs, err) < 0)
		return err->code;
	f->n = 0;
	f->n_blobs = 0;
	return OK;
}

static int
append_blob(struct repo_sink *s, struct open_frame *f, const struct frame_blob *blob,
	    const uint8_t *content, struct error *err)
{
	if (f->plain == NULL) {
		f->plain = malloc(f->target + BLOB_MAX);
		if (f->plain == NULL)
			return error_no_memory(err);
	}
	if (f->n_blobs == f->cap_blobs) {
		size_t cap = f->cap_blobs ? 2 * f->cap_blobs : 64;
		struct frame_blob *blobs = reallocarray(f->blobs, cap, sizeof(*blobs));

		if (blobs == NULL)
			return error_no_memory(err);
		f->blobs = blobs;
		f->cap_blobs = cap;
	}
	memcpy(f->plain + f->n, content, blob->length);
	f->n += blob->length;
	f->blobs[f->n_blobs++] = *blob;
	if (f->n >= f->target || f->n_blobs >= PACK_BLOBS_MAX / 4)
		return flush_frame(s, f, err);
	return OK;
}

int
repo_sink_put(struct repo_sink *s, enum blob_class class, struct slice content,
	      struct blob_id *ret_id, bool *ret_new, struct error *err)
{
	struct open_frame *f = frame_of(s, class);
	struct frame_blob blob = {.length = (uint32_t)content.n};
	uint64_t start = clock_boot_ns();
	int new;

	if (content.n == 0 || content.n > BLOB_MAX)
		return error_set(err, ERR_INTERNAL, "a blob of %zu bytes", content.n);
	if (hasher_hash(s->hasher, content, blob.id.b, err) < 0)
		return err->code;
	s->stats.hash_ns += clock_boot_ns() - start;
	s->stats.blobs++;
	s->stats.bytes += content.n;
	new = write_claim(s->writer, &blob.id, err);
	if (new < 0)
		return new;
	if (new == 1) {
		s->stats.blobs_new++;
		s->stats.bytes_new += content.n;
		/* A whole region of pages needs no company and no copy. */
		int r = f->n == 0 && content.n >= f->target
				? put_frame(s, f, content, &blob, 1, err)
				: append_blob(s, f, &blob, content.p, err);
		if (r < 0)
			return repo_writer_fail(s->writer, err);
	}
	*ret_id = blob.id;
	if (ret_new != NULL)
		*ret_new = new == 1;
	return OK;
}

int
repo_sink_fingerprint(struct repo_sink *s, struct slice page, uint8_t ret[16], struct error *err)
{
	return fingerprinter_page(s->fingerprinter, page, ret, err);
}

static int
absorb_frame(struct repo_sink *s, struct open_frame *to, const struct open_frame *from,
	     struct error *err)
{
	size_t at = 0;

	for (size_t i = 0; i < from->n_blobs; i++) {
		if (append_blob(s, to, &from->blobs[i], from->plain + at, err) < 0)
			return err->code;
		at += from->blobs[i].length;
	}
	return OK;
}

int
sink_absorb(struct repo_sink *s, struct repo_sink *from, struct error *err)
{
	if (write_check(s->writer, err) < 0)
		return err->code;
	if (absorb_frame(s, &s->data, &from->data, err) < 0 ||
	    absorb_frame(s, &s->pages, &from->pages, err) < 0 ||
	    absorb_frame(s, &s->meta, &from->meta, err) < 0)
		return repo_writer_fail(s->writer, err);
	from->data.n = from->pages.n = from->meta.n = 0;
	from->data.n_blobs = from->pages.n_blobs = from->meta.n_blobs = 0;
	return OK;
}

int
sink_drain(struct repo_sink *s, struct error *err)
{
	if (write_check(s->writer, err) < 0)
		return err->code;
	if (flush_frame(s, &s->data, err) < 0 || flush_frame(s, &s->pages, err) < 0 ||
	    flush_frame(s, &s->meta, err) < 0 || end_pack(s, &s->pack_data, err) < 0 ||
	    end_pack(s, &s->pack_meta, err) < 0)
		return repo_writer_fail(s->writer, err);
	return OK;
}
