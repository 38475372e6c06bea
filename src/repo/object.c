/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Layout: 32 bytes of header in the clear, then the compressed payload and its tag.
 *
 *	0	8	"HFOBJECT"
 *	8	1	format version
 *	9	1	kind
 *	10	2	zero
 *	12	4	le32 length of the payload when unpacked
 *	16	16	salt of this object's key
 *
 * Associated data: the header, the repository's id, the object's id. Nonce 0: the key is used once.
 */
#include "repo/object.h"

#include <stdio.h>
#include <string.h>
#include <zstd.h>

#include "base/hex.h"
#include "base/le.h"
#include "repo/names.h"

enum { HEADER_SIZE = 32, AAD_SIZE = HEADER_SIZE + 2 * OBJECT_ID_SIZE };

static const char magic[8] = {'H', 'F', 'O', 'B', 'J', 'E', 'C', 'T'};

const char *
object_folder(enum object_kind kind)
{
	switch (kind) {
	case OBJECT_INDEX:
		return NAME_INDEX;
	case OBJECT_POINT:
		return NAME_POINTS;
	case OBJECT_MARK:
		return NAME_MARKS;
	}
	return NULL;
}

static void
make_aad(const struct repo *repo, const struct object_id *id, const uint8_t *header,
	 uint8_t aad[AAD_SIZE])
{
	memcpy(aad, header, HEADER_SIZE);
	memcpy(aad + HEADER_SIZE, repo->id.b, OBJECT_ID_SIZE);
	memcpy(aad + HEADER_SIZE + OBJECT_ID_SIZE, id->b, OBJECT_ID_SIZE);
}

static int
make_cipher(struct repo *repo, const uint8_t *salt, struct cipher **ret, struct error *err)
{
	CLEAN(secret_freep) struct secret *key = NULL;

	if (crypto_derive(repo->keys.object, SLICE(salt, CRYPTO_SALT_SIZE), "holdfast object", &key,
			  err) < 0)
		return err->code;
	return cipher_new(key, ret, err);
}

int
object_seal(struct repo *repo, enum object_kind kind, const struct object_id *id,
	    struct slice payload, struct buf *ret, struct error *err)
{
	CLEAN(cipher_freep) struct cipher *cipher = NULL;
	CLEAN(free_ptr) uint8_t *packed = NULL;
	uint8_t header[HEADER_SIZE] = {0}, aad[AAD_SIZE];
	size_t bound = ZSTD_compressBound(payload.n);

	if (payload.n > OBJECT_PAYLOAD_MAX)
		return error_set(err, ERR_LIMIT, "object of %zu bytes is too large", payload.n);
	memcpy(header, magic, sizeof(magic));
	header[8] = FORMAT_VERSION;
	header[9] = (uint8_t)kind;
	le32_put(header + 12, (uint32_t)payload.n);
	if (crypto_random(header + 16, CRYPTO_SALT_SIZE, err) < 0 ||
	    make_cipher(repo, header + 16, &cipher, err) < 0)
		return err->code;
	packed = malloc(bound);
	if (packed == NULL)
		return error_no_memory(err);
	size_t n = ZSTD_compress(packed, bound, payload.p, payload.n, 3);
	if (ZSTD_isError(n))
		return error_set(err, ERR_INTERNAL, "compress: %s", ZSTD_getErrorName(n));
	make_aad(repo, id, header, aad);
	if (buf_append(ret, header, HEADER_SIZE, err) < 0 ||
	    buf_reserve(ret, n + CRYPTO_TAG_SIZE, err) < 0 ||
	    cipher_seal(cipher, 0, SLICE(aad, AAD_SIZE), SLICE(packed, n), ret->p + ret->n, err) <
		    0)
		return err->code;
	ret->n += n + CRYPTO_TAG_SIZE;
	return OK;
}

/* Version first: a newer layout must be called newer, not damaged. */
static int
check_header(enum object_kind kind, struct slice stored, struct error *err)
{
	if (stored.n < HEADER_SIZE + CRYPTO_TAG_SIZE || memcmp(stored.p, magic, sizeof(magic)) != 0)
		return error_set(err, ERR_CORRUPT, "not a sealed object");
	if (stored.p[8] > FORMAT_VERSION)
		return error_set(err, ERR_VERSION,
				 "the object has format version %u, this program "
				 "knows %u",
				 stored.p[8], FORMAT_VERSION);
	if (stored.p[8] == 0 || stored.p[9] != kind || le16_get(stored.p + 10) != 0 ||
	    le32_get(stored.p + 12) > OBJECT_PAYLOAD_MAX)
		return error_set(err, ERR_CORRUPT, "the object's header is damaged");
	return OK;
}

int
object_open(struct repo *repo, enum object_kind kind, const struct object_id *id,
	    struct slice stored, struct buf *payload, struct error *err)
{
	CLEAN(cipher_freep) struct cipher *cipher = NULL;
	CLEAN(free_ptr) uint8_t *packed = NULL;
	uint8_t aad[AAD_SIZE];

	if (check_header(kind, stored, err) < 0 ||
	    make_cipher(repo, stored.p + 16, &cipher, err) < 0)
		return err->code;
	struct slice sealed = SLICE(stored.p + HEADER_SIZE, stored.n - HEADER_SIZE);
	uint32_t plain = le32_get(stored.p + 12);
	packed = malloc(sealed.n);
	if (packed == NULL)
		return error_no_memory(err);
	make_aad(repo, id, stored.p, aad);
	/* One byte more than needed: an empty payload has an address, too. */
	if (cipher_open(cipher, 0, SLICE(aad, AAD_SIZE), sealed, packed, err) < 0 ||
	    buf_reserve(payload, MAX(plain, 1u), err) < 0)
		return err->code;
	size_t n = ZSTD_decompress(payload->p + payload->n, plain, packed,
				   sealed.n - CRYPTO_TAG_SIZE);
	if (ZSTD_isError(n) || n != plain)
		return error_set(err, ERR_CORRUPT, "the object does not unpack");
	payload->n += n;
	return OK;
}

int
object_put(struct repo *repo, enum object_kind kind, struct slice payload, struct object_id *ret_id,
	   uint64_t *ret_stored, struct error *err)
{
	CLEAN(buf_done) struct buf stored = BUF_INIT(OBJECT_PAYLOAD_MAX + (1 << 20));
	struct object_id id;
	char name[NAME_SIZE];

	if (crypto_random(id.b, sizeof(id.b), err) < 0 ||
	    object_seal(repo, kind, &id, payload, &stored, err) < 0)
		return err->code;
	name_object(object_folder(kind), &id, name);
	if (store_put(repo->store, name, buf_slice(&stored), err) < 0)
		return error_prefix(err, "store '%s'", name);
	*ret_id = id;
	if (ret_stored != NULL)
		*ret_stored = stored.n;
	return OK;
}

int
object_get(struct repo *repo, enum object_kind kind, const struct object_id *id,
	   struct buf *payload, struct error *err)
{
	CLEAN(buf_done) struct buf stored = BUF_INIT(OBJECT_PAYLOAD_MAX + (1 << 20));
	char name[NAME_SIZE];

	name_object(object_folder(kind), id, name);
	if (store_get(repo->store, name, &stored, err) < 0 ||
	    object_open(repo, kind, id, buf_slice(&stored), payload, err) < 0)
		return error_prefix(err, "read '%s'", name);
	return OK;
}

int
object_remove(struct repo *repo, enum object_kind kind, const struct object_id *id,
	      struct error *err)
{
	char name[NAME_SIZE];
	int r = store_remove(repo->store, name_object(object_folder(kind), id, name), err);

	return r < 0 ? error_prefix(err, "remove '%s'", name) : r;
}

struct listing {
	const char *folder;
	struct object_id *ids;
	size_t n, cap;
};

static int
list_one(void *arg, const struct store_entry *entry, struct error *err)
{
	struct listing *l = arg;
	struct object_id id;

	if (!name_parse_object(l->folder, entry->name, &id))
		return OK;
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		struct object_id *ids = reallocarray(l->ids, cap, sizeof(*ids));

		if (ids == NULL)
			return error_no_memory(err);
		l->ids = ids;
		l->cap = cap;
	}
	l->ids[l->n++] = id;
	return OK;
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct object_id));
}

int
object_list(struct repo *repo, enum object_kind kind, struct object_id **ret, size_t *ret_n,
	    struct error *err)
{
	struct listing l = {.folder = object_folder(kind)};

	if (store_list(repo->store, l.folder, list_one, &l, err) < 0) {
		free(l.ids);
		return err->code;
	}
	if (l.n > 0)
		qsort(l.ids, l.n, sizeof(*l.ids), compare_ids);
	*ret = l.ids;
	*ret_n = l.n;
	return OK;
}
