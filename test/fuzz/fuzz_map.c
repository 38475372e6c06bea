/* SPDX-License-Identifier: Apache-2.0 */

/*
 * File maps and folders of several blobs, in a repository in memory. The input is a list of blobs, each
 * le16 length and bytes; all but the last are stored as metadata, the last is a map: 5 bytes of the
 * file's size, then node.content. In all of them a byte 0xe0 + k stands for the 32-byte id of blob k
 * (of those before), and 0xdf for the byte after it.
 */
#include <string.h>

#include "base/le.h"
#include "repo/map.h"
#include "repo/rig.h"
#include "repo/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BLOBS_MAX = 31, RUNS_PER_RIG = 300 };

static struct blob_id ids[BLOBS_MAX];
static size_t n_ids;

static void
expand(struct slice in, struct buf *out)
{
	struct error err;

	buf_reset(out);
	for (size_t i = 0; i < in.n; i++) {
		uint8_t c = in.p[i];

		if (c >= 0xe0 && c < 0xe0 + n_ids) {
			if (buf_append(out, &ids[c - 0xe0], BLOB_ID_SIZE, &err) < 0)
				return;
			continue;
		}
		if (c == 0xdf && i + 1 < in.n)
			c = in.p[++i];
		if (buf_u8(out, c, &err) < 0)
			return;
	}
}

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

static void
run(struct rig *r, const uint8_t *data, size_t size)
{
	CLEAN(buf_done) struct buf blob = BUF_INIT(BLOB_MAX);
	struct slice rest = SLICE(data, size), last = SLICE(NULL, 0);

	n_ids = 0;
	rig_begin(r, NULL);
	while (rest.n >= 2 && n_ids < BLOBS_MAX) {
		size_t n = MIN((size_t)le16_get(rest.p), rest.n - 2);
		struct slice next = SLICE(rest.p + 2, n);

		rest = SLICE(rest.p + 2 + n, rest.n - 2 - n);
		if (rest.n < 2) {
			last = next;
			break;
		}
		expand(next, &blob);
		if (blob.n > 0) {
			struct blob_id id = rig_put(r, BLOB_META, blob.p, blob.n);

			ids[n_ids++] = id;
		}
	}
	rig_end(r);
	rig_look(r);
	expand(last, &blob);
	if (blob.n >= 5)
		read_map(r->reader, SLICE(blob.p + 5, blob.n - 5),
			 le32_get(blob.p) | (uint64_t)blob.p[4] << 32);
	for (size_t i = 0; i < n_ids; i++)
		read_folder(r->reader, &ids[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rig *r;
	static unsigned runs;

	if (size > 4096)
		return 0;
	/* Blobs pile up: begin anew now and then. */
	if (r != NULL && runs++ % RUNS_PER_RIG == 0) {
		rig_free(r);
		r = NULL;
	}
	if (r == NULL)
		r = rig_new(false);
	run(r, data, size);
	return 0;
}
