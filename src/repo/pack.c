/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Layout of a pack:
 *
 *	header	 0   8	"HFPACK" and two zero bytes
 *		 8   1	format version
 *		 9   1	class
 *		10   6	zero
 *		16  16	pack id
 *		32  16	salt of this pack's key
 *	frames	each: ciphertext of (codec byte, body), 16-byte tag
 *	table	ciphertext of the encoded table, 16-byte tag
 *	trailer	 0   4	le32 length of the sealed table, tag included
 *		 4   4	the same, every bit inverted
 *		 8   8	"HFPACKED"
 *
 * Key: HKDF(pack root, salt, "holdfast pack"). Nonces: frame n has n; the table 2^32. Associated data:
 * header, repository id, le32 number (2^32 - 1 for the table), le32 plain length.
 */
#include "repo/pack.h"

#include <inttypes.h>
#include <string.h>

#include "base/le.h"
#include "base/reader.h"
#include "repo/names.h"

static const char magic[8] = {'H', 'F', 'P', 'A', 'C', 'K', 0, 0};
static const char end_magic[8] = {'H', 'F', 'P', 'A', 'C', 'K', 'E', 'D'};

enum { AAD_SIZE = PACK_HEADER_SIZE + OBJECT_ID_SIZE + 8 };

#define TABLE_NONCE (UINT64_C(1) << 32)

static int
start_cipher(struct repo *repo, struct pack_cipher *p, struct error *err)
{
	CLEAN(secret_freep) struct secret *key = NULL;

	p->repo_id = repo->id;
	memcpy(p->id.b, p->header + 16, PACK_ID_SIZE);
	if (crypto_derive(repo->keys.pack, SLICE(p->header + 32, CRYPTO_SALT_SIZE), "holdfast pack",
			  &key, err) < 0)
		return err->code;
	if (p->cipher != NULL)
		return cipher_rekey(p->cipher, key, err);
	return cipher_new(key, &p->cipher, err);
}

int
pack_cipher_new(struct repo *repo, uint8_t class, struct pack_cipher *ret, struct error *err)
{
	struct pack_cipher p = {0};

	memcpy(p.header, magic, sizeof(magic));
	p.header[8] = FORMAT_VERSION;
	p.header[9] = class;
	if (crypto_random(p.header + 16, PACK_ID_SIZE + CRYPTO_SALT_SIZE, err) < 0 ||
	    start_cipher(repo, &p, err) < 0)
		return err->code;
	*ret = p;
	return OK;
}

int
pack_cipher_open(struct repo *repo, const struct pack_id *id, const uint8_t *header,
		 struct pack_cipher *ret, struct error *err)
{
	static const uint8_t zero[6];
	struct pack_cipher p = {0};

	if (memcmp(header, magic, sizeof(magic)) != 0)
		return error_set(err, ERR_CORRUPT, "not a pack");
	if (header[8] > FORMAT_VERSION)
		return error_set(err, ERR_VERSION, "the pack has format version %u", header[8]);
	if (header[8] == 0 || (header[9] != PACK_CLASS_DATA && header[9] != PACK_CLASS_META) ||
	    memcmp(header + 10, zero, sizeof(zero)) != 0 ||
	    memcmp(header + 16, id->b, PACK_ID_SIZE) != 0)
		return error_set(err, ERR_CORRUPT, "the pack's header is damaged");
	memcpy(p.header, header, PACK_HEADER_SIZE);
	if (start_cipher(repo, &p, err) < 0)
		return err->code;
	*ret = p;
	return OK;
}

void
pack_cipher_done(struct pack_cipher *p)
{
	cipher_free(p->cipher);
	*p = (struct pack_cipher){0};
}

static void
make_aad(const struct pack_cipher *p, uint32_t number, uint32_t plain, uint8_t aad[AAD_SIZE])
{
	memcpy(aad, p->header, PACK_HEADER_SIZE);
	memcpy(aad + PACK_HEADER_SIZE, p->repo_id.b, OBJECT_ID_SIZE);
	le32_put(aad + PACK_HEADER_SIZE + OBJECT_ID_SIZE, number);
	le32_put(aad + PACK_HEADER_SIZE + OBJECT_ID_SIZE + 4, plain);
}

int
pack_seal_frame(struct pack_cipher *p, uint32_t number, uint32_t plain, uint8_t *content, size_t n,
		struct error *err)
{
	uint8_t aad[AAD_SIZE];

	make_aad(p, number, plain, aad);
	return cipher_seal(p->cipher, number, SLICE(aad, AAD_SIZE), SLICE(content, n), content,
			   err);
}

int
pack_open_frame(struct pack_cipher *p, uint32_t number, uint32_t plain, struct slice stored,
		uint8_t *work, struct slice *ret, struct error *err)
{
	uint8_t aad[AAD_SIZE];

	if (stored.n <= CRYPTO_TAG_SIZE + 1)
		return error_set(err, ERR_CORRUPT, "the frame is too short");
	make_aad(p, number, plain, aad);
	if (cipher_open(p->cipher, number, SLICE(aad, AAD_SIZE), stored, work, err) < 0)
		return err->code;
	*ret = SLICE(work, stored.n - CRYPTO_TAG_SIZE);
	return OK;
}

/* One frame: varint stored, varint plain, varint n, then n times (id, varint length). */
int
pack_table_add(struct pack_table *t, uint32_t stored, uint32_t plain,
	       const struct frame_blob *blobs, size_t n, struct error *err)
{
	size_t before = t->bytes.n;

	if (buf_varint(&t->bytes, stored, err) < 0 || buf_varint(&t->bytes, plain, err) < 0 ||
	    buf_varint(&t->bytes, n, err) < 0)
		goto undo;
	for (size_t i = 0; i < n; i++)
		if (buf_append(&t->bytes, blobs[i].id.b, BLOB_ID_SIZE, err) < 0 ||
		    buf_varint(&t->bytes, blobs[i].length, err) < 0)
			goto undo;
	t->n_frames++;
	t->n_blobs += (uint32_t)n;
	return OK;
undo:
	t->bytes.n = before;
	return err->code;
}

void
pack_table_done(struct pack_table *t)
{
	buf_done(&t->bytes);
	*t = PACK_TABLE_INIT;
}

static int
walk_frame(struct reader *r, struct blob_loc *loc, pack_blob_fn *each, void *arg, struct error *err)
{
	uint64_t stored = reader_varint(r), plain = reader_varint(r), n = reader_varint(r);
	uint64_t offset = 0;

	if (r->failed || stored <= CRYPTO_TAG_SIZE + 1 || stored > FRAME_STORED_MAX || plain == 0 ||
	    plain > FRAME_PLAIN_MAX || n == 0 || n > PACK_BLOBS_MAX ||
	    loc->frame_offset + stored > PACK_SIZE_MAX)
		return error_set(err, ERR_CORRUPT, "the table of a pack has an impossible frame");
	loc->frame_stored = (uint32_t)stored;
	loc->frame_plain = (uint32_t)plain;
	for (uint64_t i = 0; i < n; i++) {
		struct slice id = reader_take(r, BLOB_ID_SIZE);
		uint64_t length = reader_varint(r);
		struct blob_id blob;

		if (r->failed || length == 0 || length > BLOB_MAX || offset + length > plain)
			return error_set(err, ERR_CORRUPT,
					 "the table of a pack has an impossible "
					 "blob");
		memcpy(blob.b, id.p, BLOB_ID_SIZE);
		loc->offset = (uint32_t)offset;
		loc->length = (uint32_t)length;
		if (each != NULL && each(arg, &blob, loc, err) < 0)
			return err->code;
		offset += length;
	}
	if (offset != plain)
		return error_set(err, ERR_CORRUPT, "the blobs of a frame do not fill it");
	loc->frame_offset += (uint32_t)stored;
	loc->frame++;
	return OK;
}

int
pack_table_walk(struct slice table, const struct pack_id *id, uint8_t class, pack_blob_fn *each,
		void *arg, uint64_t *ret_frames_end, struct error *err)
{
	struct reader r = reader_of(table);
	struct blob_loc loc = {.pack = *id, .class = class, .frame_offset = PACK_HEADER_SIZE};

	while (reader_left(&r) > 0 && !r.failed)
		if (walk_frame(&r, &loc, each, arg, err) < 0)
			return err->code;
	if (reader_end(&r, "pack table", err) < 0)
		return err->code;
	if (ret_frames_end != NULL)
		*ret_frames_end = loc.frame_offset;
	return OK;
}

int
pack_seal_table(struct pack_cipher *p, const struct pack_table *t, struct buf *ret,
		struct error *err)
{
	uint8_t aad[AAD_SIZE];
	size_t sealed = t->bytes.n + CRYPTO_TAG_SIZE;

	make_aad(p, UINT32_MAX, (uint32_t)t->bytes.n, aad);
	if (buf_reserve(ret, sealed + PACK_TRAILER_SIZE, err) < 0 ||
	    cipher_seal(p->cipher, TABLE_NONCE, SLICE(aad, AAD_SIZE), buf_slice(&t->bytes),
			ret->p + ret->n, err) < 0)
		return err->code;
	ret->n += sealed;
	le32_put(ret->p + ret->n, (uint32_t)sealed);
	le32_put(ret->p + ret->n + 4, ~(uint32_t)sealed);
	memcpy(ret->p + ret->n + 8, end_magic, sizeof(end_magic));
	ret->n += PACK_TRAILER_SIZE;
	return OK;
}

/* The sealed table's length, from the trailer. */
static int
parse_trailer(const uint8_t *trailer, uint64_t size, uint32_t *ret, struct error *err)
{
	uint32_t n = le32_get(trailer);

	if (memcmp(trailer + 8, end_magic, sizeof(end_magic)) != 0 || le32_get(trailer + 4) != ~n ||
	    n < CRYPTO_TAG_SIZE || n > PACK_TABLE_MAX + CRYPTO_TAG_SIZE ||
	    (uint64_t)n + PACK_HEADER_SIZE + PACK_TRAILER_SIZE > size)
		return error_set(err, ERR_CORRUPT, "the pack's trailer is damaged");
	*ret = n;
	return OK;
}

static int
read_table(struct repo *repo, const char *name, const struct pack_id *id, uint8_t *ret_class,
	   uint64_t size, struct buf *table, struct error *err)
{
	struct pack_cipher cipher = {0};
	uint8_t header[PACK_HEADER_SIZE], trailer[PACK_TRAILER_SIZE], aad[AAD_SIZE];
	uint32_t sealed = 0;
	uint64_t frames_end;
	int r;

	if (size < PACK_HEADER_SIZE + CRYPTO_TAG_SIZE + PACK_TRAILER_SIZE || size > PACK_SIZE_MAX)
		return error_set(err, ERR_CORRUPT, "the pack has an impossible size");
	if (store_read(repo->store, name, 0, header, sizeof(header), err) < 0 ||
	    store_read(repo->store, name, size - PACK_TRAILER_SIZE, trailer, sizeof(trailer), err) <
		    0 ||
	    parse_trailer(trailer, size, &sealed, err) < 0 || buf_reserve(table, sealed, err) < 0 ||
	    store_read(repo->store, name, size - PACK_TRAILER_SIZE - sealed, table->p + table->n,
		       sealed, err) < 0 ||
	    pack_cipher_open(repo, id, header, &cipher, err) < 0)
		return err->code;
	make_aad(&cipher, UINT32_MAX, sealed - CRYPTO_TAG_SIZE, aad);
	r = cipher_open(cipher.cipher, TABLE_NONCE, SLICE(aad, AAD_SIZE),
			SLICE(table->p + table->n, sealed), table->p + table->n, err);
	pack_cipher_done(&cipher);
	if (r < 0)
		return err->code;
	struct slice plain = SLICE(table->p + table->n, sealed - CRYPTO_TAG_SIZE);
	if (pack_table_walk(plain, id, header[9], NULL, NULL, &frames_end, err) < 0)
		return err->code;
	if (frames_end + sealed + PACK_TRAILER_SIZE != size)
		return error_set(err, ERR_CORRUPT, "the pack's frames and its size disagree");
	table->n += plain.n;
	*ret_class = header[9];
	return OK;
}

int
pack_read_table(struct repo *repo, const struct pack_id *id, uint8_t *ret_class, uint64_t *ret_size,
		struct buf *table, struct error *err)
{
	char name[NAME_SIZE];
	uint64_t size;
	int r = store_stat(repo->store, name_pack(id, name), &size, err);

	if (r == 0)
		return error_set(err, ERR_CORRUPT, "'%s' is missing", name);
	if (r < 0 || read_table(repo, name, id, ret_class, size, table, err) < 0)
		return error_prefix(err, "'%s'", name);
	*ret_size = size;
	return OK;
}
