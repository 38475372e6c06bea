/* SPDX-License-Identifier: Apache-2.0 */

/* Payloads of index objects, and tables of packs, which are a part of them. What gets through is
 * written out again and must come to the same bytes: the encoding is canonical. */
#include <string.h>

#include "repo/index.h"
#include "repo/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct again {
	struct pack_table table;
	struct frame_blob *blobs; /* of the frame at hand */
	size_t n;
	struct blob_loc frame;
	bool open;
};

static int
flush(struct again *a, struct error *err)
{
	if (!a->open)
		return OK;
	a->open = false;
	return pack_table_add(&a->table, a->frame.frame_stored, a->frame.frame_plain, a->blobs,
			      a->n, err);
}

static int
take_blob(void *arg, const struct blob_id *id, const struct blob_loc *loc, struct error *err)
{
	struct again *a = arg;

	if (loc->length == 0 || (uint64_t)loc->offset + loc->length > loc->frame_plain ||
	    loc->frame_plain > FRAME_PLAIN_MAX || loc->frame_stored > FRAME_STORED_MAX ||
	    (uint64_t)loc->frame_offset + loc->frame_stored > PACK_SIZE_MAX)
		abort();
	if (!a->open || loc->frame != a->frame.frame) {
		if (flush(a, err) < 0)
			return err->code;
		a->frame = *loc;
		a->open = true;
		a->n = 0;
	}
	struct frame_blob *blobs = reallocarray(a->blobs, a->n + 1, sizeof(*blobs));
	if (blobs == NULL)
		return error_no_memory(err);
	a->blobs = blobs;
	a->blobs[a->n++] = (struct frame_blob){.id = *id, .length = loc->length};
	return OK;
}

static int
walk_table(struct slice bytes)
{
	struct again a = {.table = PACK_TABLE_INIT};
	const struct pack_id pack = {{0}};
	struct error err = ERROR_INIT;
	uint64_t end;
	int rc = pack_table_walk(bytes, &pack, PACK_CLASS_DATA, take_blob, &a, &end, &err);

	if (rc == OK && flush(&a, &err) == OK &&
	    (a.table.bytes.n != bytes.n ||
	     (bytes.n > 0 && memcmp(a.table.bytes.p, bytes.p, bytes.n) != 0)))
		abort();
	free(a.blobs);
	pack_table_done(&a.table);
	return rc;
}

static int
take_table(void *arg, const struct pack_id *id, uint8_t class, uint64_t size, struct slice table,
	   struct error *err)
{
	struct buf *again = arg;

	(void)walk_table(table);
	return index_payload_add(again, id, class, size, table, err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(buf_done) struct buf again = BUF_INIT(INDEX_PAYLOAD_MAX);
	struct error err = ERROR_INIT;

	(void)walk_table(SLICE(data, size));
	if (index_payload_begin(&again, &err) < 0)
		return 0;
	int rc = index_payload_tables(SLICE(data, size), take_table, &again, &err);
	if (rc == OK && (again.n != size || memcmp(again.p, data, size) != 0))
		abort();
	if (index_payload_walk(SLICE(data, size), NULL, NULL, NULL, &err) == OK && rc != OK)
		abort();
	return 0;
}
