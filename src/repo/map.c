/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Writing file maps. Encodings (doc/format.md, "File maps"):
 *
 *	content		1, varint n, chunks				one short segment
 *			2, u8 depth, varint n, ids			segments, or lists of them
 *	list		'S', version, ids (of segments, or of lists one level down)
 *	chunk segment	'C', version, varint n, chunks
 *	region segment	'R', version, varint n, ids of region leaves
 *	chunk		varint (length << 1 | hole), id unless a hole
 *	region leaf	'G', version, u8 page_shift, le32 length, varint n_blobs, ids,
 *			runs of pages: varint pages, varint (0 hole | 1 + blob), varint first page
 *			  unless a hole, until all pages are covered;
 *			16-byte fingerprints of all pages that are not holes
 */
#include "repo/map.h"

#include <string.h>

#include "repo/map_internal.h"

static int
encode_chunks(struct buf *out, const struct map_segment *s, struct error *err)
{
	if (buf_varint(out, s->n_chunks, err) < 0)
		return err->code;
	for (size_t i = 0; i < s->n_chunks; i++) {
		bool hole = blob_id_is_hole(&s->chunks[i].id);

		if (buf_varint(out, s->chunks[i].length << 1 | hole, err) < 0 ||
		    (!hole && buf_append(out, s->chunks[i].id.b, BLOB_ID_SIZE, err) < 0))
			return err->code;
	}
	return OK;
}

static int
encode_runs(struct buf *out, const struct region *g, struct error *err)
{
	for (size_t i = 0; i < g->n_pages;) {
		const struct region_page *p = &g->pages[i];
		size_t n = 1;

		while (i + n < g->n_pages && region_continues(p, &g->pages[i + n], n))
			n++;
		if (buf_varint(out, n, err) < 0 ||
		    buf_varint(out, p->blob == PAGE_HOLE ? 0 : UINT64_C(1) + p->blob, err) < 0 ||
		    (p->blob != PAGE_HOLE && buf_varint(out, p->page, err) < 0))
			return err->code;
		i += n;
	}
	return OK;
}

static bool
region_is_hole(const struct region *g)
{
	for (size_t i = 0; i < g->n_pages; i++)
		if (g->pages[i].blob != PAGE_HOLE)
			return false;
	return true;
}

int
map_put_region(struct repo_sink *sink, const struct region *g, struct blob_id *ret_id,
	       struct error *err)
{
	CLEAN(buf_done) struct buf leaf = BUF_INIT(BLOB_MAX);

	if (region_is_hole(g)) {
		*ret_id = (struct blob_id){0};
		return OK;
	}
	if (buf_u8(&leaf, 'G', err) < 0 || buf_u8(&leaf, FORMAT_VERSION, err) < 0 ||
	    buf_u8(&leaf, g->page_shift, err) < 0 || buf_le32(&leaf, g->length, err) < 0 ||
	    buf_varint(&leaf, g->n_blobs, err) < 0 ||
	    buf_append(&leaf, g->blobs, (size_t)g->n_blobs * BLOB_ID_SIZE, err) < 0 ||
	    encode_runs(&leaf, g, err) < 0)
		return err->code;
	for (size_t i = 0; i < g->n_pages; i++)
		if (g->pages[i].blob != PAGE_HOLE &&
		    buf_append(&leaf, g->fingerprints[i], sizeof(g->fingerprints[i]), err) < 0)
			return err->code;
	return repo_sink_put(sink, BLOB_META, buf_slice(&leaf), ret_id, NULL, err);
}

static bool
segment_is_hole(const struct map_segment *s)
{
	if (s->paged) {
		for (size_t i = 0; i < s->n_regions; i++)
			if (!blob_id_is_hole(&s->regions[i]))
				return false;
	} else {
		for (size_t i = 0; i < s->n_chunks; i++)
			if (!blob_id_is_hole(&s->chunks[i].id))
				return false;
	}
	return true;
}

int
map_put_segment(struct repo_sink *sink, const struct map_segment *s, struct blob_id *ret_id,
		struct error *err)
{
	CLEAN(buf_done) struct buf node = BUF_INIT(BLOB_MAX);

	if (segment_is_hole(s)) {
		*ret_id = (struct blob_id){0};
		return OK;
	}
	if (!s->paged && s->n_chunks > MAP_SEGMENT_CHUNKS_MAX)
		return error_set(err, ERR_INTERNAL, "a segment of %zu chunks", s->n_chunks);
	if (buf_u8(&node, s->paged ? 'R' : 'C', err) < 0 || buf_u8(&node, FORMAT_VERSION, err) < 0)
		return err->code;
	if (s->paged) {
		if (buf_varint(&node, s->n_regions, err) < 0 ||
		    buf_append(&node, s->regions, s->n_regions * BLOB_ID_SIZE, err) < 0)
			return err->code;
	} else if (encode_chunks(&node, s, err) < 0) {
		return err->code;
	}
	return repo_sink_put(sink, BLOB_META, buf_slice(&node), ret_id, NULL, err);
}

int
map_encode_inline(const struct map_segment *s, struct buf *content, struct error *err)
{
	if (buf_u8(content, MAP_KIND_INLINE, err) < 0)
		return err->code;
	return encode_chunks(content, s, err);
}

/* Replace up to MAP_LIST_IDS ids by the id of a list blob that holds them. */
static int
put_list(struct repo_sink *sink, const struct blob_id *ids, size_t n, struct blob_id *ret,
	 struct error *err)
{
	CLEAN(buf_done) struct buf list = BUF_INIT(BLOB_MAX);
	bool hole = true;

	for (size_t i = 0; i < n; i++)
		hole = hole && blob_id_is_hole(&ids[i]);
	if (hole) {
		*ret = (struct blob_id){0};
		return OK;
	}
	if (buf_u8(&list, 'S', err) < 0 || buf_u8(&list, FORMAT_VERSION, err) < 0 ||
	    buf_append(&list, ids, n * BLOB_ID_SIZE, err) < 0)
		return err->code;
	return repo_sink_put(sink, BLOB_META, buf_slice(&list), ret, NULL, err);
}

int
map_encode_segments(struct repo_sink *sink, const struct blob_id *ids, size_t n,
		    struct buf *content, struct error *err)
{
	CLEAN(free_ptr) struct blob_id *level = malloc(MAX(n, (size_t)1) * sizeof(*level));
	uint8_t depth = 0;

	if (level == NULL)
		return error_no_memory(err);
	memcpy(level, ids, n * sizeof(*level));
	for (; n > MAP_INLINE_SEGMENTS; depth++) {
		size_t lists = 0;

		for (size_t i = 0; i < n; i += MAP_LIST_IDS, lists++) {
			struct blob_id id;

			if (put_list(sink, level + i, MIN((size_t)MAP_LIST_IDS, n - i), &id, err) <
			    0)
				return err->code;
			level[lists] = id;
		}
		n = lists;
	}
	if (buf_u8(content, MAP_KIND_SEGMENTS, err) < 0 || buf_u8(content, depth, err) < 0 ||
	    buf_varint(content, n, err) < 0 ||
	    buf_append(content, level, n * sizeof(*level), err) < 0)
		return err->code;
	return OK;
}
