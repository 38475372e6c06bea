/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading file maps: one walk serves restore, verify and prune. Bytes are checked as they come; that
 * the pieces cover the file exactly is checked at each level, so that a damaged or hostile map can
 * neither leave a gap nor reach beyond.
 */
#include <string.h>

#include "base/reader.h"
#include "repo/map_internal.h"

/* ---- region leaves -------------------------------------------------------------------------- */

static int
parse_runs(struct reader *r, struct region *g, struct error *err)
{
	for (size_t i = 0; i < g->n_pages;) {
		uint64_t n = reader_varint(r), source = reader_varint(r);
		uint64_t first = source == 0 ? 0 : reader_varint(r);

		if (r->failed || n == 0 || n > g->n_pages - i || source > g->n_blobs ||
		    first > (BLOB_MAX >> g->page_shift) - n)
			return error_set(err, ERR_CORRUPT, "a region has an impossible run");
		for (uint64_t k = 0; k < n; k++, i++) {
			g->pages[i].blob = source == 0 ? PAGE_HOLE : (uint16_t)(source - 1);
			g->pages[i].page = (uint16_t)(first + k);
		}
	}
	return OK;
}

int
map_region_parse(struct slice leaf, struct region *ret, struct error *err)
{
	struct reader r = reader_of(leaf);
	uint64_t n_blobs;

	memset(ret->fingerprints, 0, sizeof(ret->fingerprints));
	if (reader_u8(&r) != 'G' || reader_u8(&r) != FORMAT_VERSION)
		return error_set(err, ERR_CORRUPT, "not a region");
	ret->page_shift = reader_u8(&r);
	ret->length = reader_le32(&r);
	n_blobs = reader_varint(&r);
	if (r.failed || ret->page_shift < 12 || ret->page_shift > 16 || ret->length == 0 ||
	    ret->length > REGION_SIZE || n_blobs > REGION_PAGES_MAX)
		return error_set(err, ERR_CORRUPT, "a region has an impossible head");
	ret->n_blobs = (uint16_t)n_blobs;
	ret->n_pages = (uint16_t)((ret->length + (1u << ret->page_shift) - 1) >> ret->page_shift);
	struct slice ids = reader_take(&r, n_blobs * BLOB_ID_SIZE);
	if (r.failed)
		return error_set(err, ERR_CORRUPT, "a region is cut short");
	if (ids.n > 0)
		memcpy(ret->blobs, ids.p, ids.n);
	if (parse_runs(&r, ret, err) < 0)
		return err->code;
	for (size_t i = 0; i < ret->n_pages && !r.failed; i++) {
		if (ret->pages[i].blob == PAGE_HOLE)
			continue;
		struct slice f = reader_take(&r, sizeof(ret->fingerprints[i]));
		if (!r.failed)
			memcpy(ret->fingerprints[i], f.p, f.n);
	}
	return reader_end(&r, "region", err);
}

/* ---- the walk -------------------------------------------------------------------------------- */

struct walk {
	struct repo_reader *reader;
	uint64_t size, from;
	map_piece_fn *piece; /* either this ... */
	map_blob_fn *blob; /* ... or this */
	void *arg;
	struct buf node; /* the segment at hand */
	struct region *region;
};

static int
give_piece(struct walk *w, uint64_t offset, uint64_t length, const struct blob_id *blob,
	   uint32_t blob_offset, const uint8_t *fingerprints, uint32_t page_size, struct error *err)
{
	bool hole = blob == NULL;

	if (w->blob != NULL)
		return hole || w->blob(w->arg, blob, false, err) >= 0 ? OK : err->code;
	while (length > 0) {
		uint32_t n = (uint32_t)MIN(length, (uint64_t)1 << 31);
		struct map_piece p = {.file_offset = offset,
				      .length = n,
				      .hole = hole,
				      .blob_offset = blob_offset,
				      .fingerprints = fingerprints,
				      .page_size = page_size};

		if (!hole)
			p.blob = *blob;
		if (offset + n > w->from && w->piece(w->arg, &p, err) < 0)
			return err->code;
		offset += n;
		length -= n;
	}
	return OK;
}

/* 1: whoever asked for blobs knows this one and all below it. */
static int
tell_meta(struct walk *w, const struct blob_id *id, struct error *err)
{
	return w->blob == NULL ? 0 : w->blob(w->arg, id, true, err);
}

static int
walk_chunks(struct walk *w, struct reader *r, uint64_t offset, uint64_t length, struct error *err)
{
	uint64_t n = reader_varint(r), end = offset + length;

	if (r->failed || n > MAP_SEGMENT_CHUNKS_MAX)
		return error_set(err, ERR_CORRUPT, "a file map has an impossible count");
	for (uint64_t i = 0; i < n; i++) {
		uint64_t head = reader_varint(r), len = head >> 1;
		bool hole = (head & 1) != 0;
		struct slice id = hole ? SLICE(NULL, 0) : reader_take(r, BLOB_ID_SIZE);
		struct blob_id blob;

		if (r->failed || len == 0 || len > end - offset || (!hole && len > BLOB_MAX))
			return error_set(err, ERR_CORRUPT, "a file map has an impossible chunk");
		if (!hole)
			memcpy(blob.b, id.p, BLOB_ID_SIZE);
		if (give_piece(w, offset, len, hole ? NULL : &blob, 0, NULL, 0, err) < 0)
			return err->code;
		offset += len;
	}
	if (offset != end)
		return error_set(err, ERR_CORRUPT, "a file map does not cover its file");
	return reader_end(r, "file map", err);
}

static int
walk_region(struct walk *w, const struct blob_id *id, uint64_t offset, uint64_t length,
	    struct error *err)
{
	struct region *g = w->region;
	struct slice leaf;

	int known = tell_meta(w, id, err);

	if (known != 0)
		return known < 0 ? known : OK;
	if (repo_reader_blob(w->reader, id, &leaf, err) < 0 || map_region_parse(leaf, g, err) < 0)
		return err->code;
	if (g->length != length)
		return error_set(err, ERR_CORRUPT, "a region does not cover its part of the file");
	for (size_t i = 0; i < g->n_pages;) {
		const struct region_page *p = &g->pages[i];
		size_t n = 1;

		while (i + n < g->n_pages && region_continues(p, &g->pages[i + n], n))
			n++;
		uint64_t start = (uint64_t)i << g->page_shift;
		uint64_t end = MIN((uint64_t)(i + n) << g->page_shift, length);
		bool hole = p->blob == PAGE_HOLE;
		if (give_piece(w, offset + start, end - start, hole ? NULL : &g->blobs[p->blob],
			       hole ? 0 : (uint32_t)p->page << g->page_shift,
			       hole ? NULL : g->fingerprints[i], hole ? 0 : 1u << g->page_shift,
			       err) < 0)
			return err->code;
		i += n;
	}
	return OK;
}

static int
walk_regions(struct walk *w, struct reader *r, uint64_t offset, uint64_t length, struct error *err)
{
	uint64_t n = reader_varint(r);

	if (r->failed || n != (length + REGION_SIZE - 1) / REGION_SIZE)
		return error_set(err, ERR_CORRUPT, "a file map has an impossible count of regions");
	struct slice ids = reader_take(r, n * BLOB_ID_SIZE);
	if (reader_end(r, "file map", err) < 0)
		return err->code;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t start = i * REGION_SIZE, len = MIN((uint64_t)REGION_SIZE, length - start);
		struct blob_id id;

		memcpy(id.b, ids.p + i * BLOB_ID_SIZE, BLOB_ID_SIZE);
		if (offset + start + len <= w->from && w->blob == NULL)
			continue;
		int r2 = blob_id_is_hole(&id)
				 ? give_piece(w, offset + start, len, NULL, 0, NULL, 0, err)
				 : walk_region(w, &id, offset + start, len, err);
		if (r2 < 0)
			return r2;
	}
	return OK;
}

static int
walk_segment(struct walk *w, const struct blob_id *id, uint64_t offset, uint64_t length,
	     struct error *err)
{
	struct slice blob;
	struct reader r;
	uint8_t kind;
	int known = tell_meta(w, id, err);

	if (known != 0)
		return known < 0 ? known : OK;
	if (repo_reader_blob(w->reader, id, &blob, err) < 0)
		return err->code;
	buf_reset(&w->node);
	if (buf_append(&w->node, blob.p, blob.n, err) < 0)
		return err->code;
	r = reader_of(buf_slice(&w->node));
	kind = reader_u8(&r);
	bool readable = reader_u8(&r) == FORMAT_VERSION;
	if (readable && kind == 'C')
		return walk_chunks(w, &r, offset, length, err);
	if (readable && kind == 'R')
		return walk_regions(w, &r, offset, length, err);
	return error_set(err, ERR_CORRUPT, "not a segment of a file map");
}

static uint64_t
span_of(uint8_t depth)
{
	uint64_t span = SEGMENT_SIZE;

	while (depth-- > 0)
		span *= MAP_LIST_IDS;
	return span;
}

/* ids: of segments (depth 0) or of lists that stand for `span_of(depth)` bytes each. */
static int
walk_ids(struct walk *w, uint8_t depth, struct slice ids, uint64_t offset, uint64_t length,
	 struct error *err)
{
	uint64_t span = span_of(depth);

	if (ids.n != (length + span - 1) / span * BLOB_ID_SIZE)
		return error_set(err, ERR_CORRUPT,
				 "a file map has an impossible count of segments");
	for (size_t i = 0; i < ids.n / BLOB_ID_SIZE; i++) {
		uint64_t start = i * span, len = MIN(span, length - start);
		CLEAN(buf_done) struct buf copy = BUF_INIT(BLOB_MAX);
		struct slice list;
		struct blob_id id;
		int r;

		memcpy(id.b, ids.p + i * BLOB_ID_SIZE, BLOB_ID_SIZE);
		if (w->blob == NULL && offset + start + len <= w->from)
			continue;
		if (blob_id_is_hole(&id)) {
			r = give_piece(w, offset + start, len, NULL, 0, NULL, 0, err);
		} else if (depth == 0) {
			r = walk_segment(w, &id, offset + start, len, err);
		} else {
			int known = tell_meta(w, &id, err);

			if (known < 0)
				return known;
			if (known == 1)
				continue;
			if (repo_reader_blob(w->reader, &id, &list, err) < 0 ||
			    buf_append(&copy, list.p, list.n, err) < 0)
				return err->code;
			if (copy.n < 2 || copy.p[0] != 'S' || copy.p[1] != FORMAT_VERSION)
				return error_set(err, ERR_CORRUPT, "not a list of a file map");
			r = walk_ids(w, (uint8_t)(depth - 1), SLICE(copy.p + 2, copy.n - 2),
				     offset + start, len, err);
		}
		if (r < 0)
			return r;
	}
	return OK;
}

/* The head of a kind-2 content: depth and ids. */
static int
parse_segments(struct reader *r, uint8_t *ret_depth, struct slice *ret_ids, struct error *err)
{
	uint8_t depth = reader_u8(r);
	uint64_t n = reader_varint(r);

	if (r->failed || depth > MAP_DEPTH_MAX || n > MAP_INLINE_SEGMENTS)
		return error_set(err, ERR_CORRUPT, "a file map has an impossible head");
	*ret_ids = reader_take(r, n * BLOB_ID_SIZE);
	*ret_depth = depth;
	return reader_end(r, "file map", err);
}

static int
walk_content(struct walk *w, struct slice content, struct error *err)
{
	struct reader r = reader_of(content);
	struct slice ids;
	uint8_t depth = 0;

	if (w->size == 0 && content.n == 0)
		return OK;
	switch (reader_u8(&r)) {
	case MAP_KIND_INLINE:
		return walk_chunks(w, &r, 0, w->size, err);
	case MAP_KIND_SEGMENTS:
		if (parse_segments(&r, &depth, &ids, err) < 0)
			return err->code;
		return walk_ids(w, depth, ids, 0, w->size, err);
	default:
		return error_set(err, ERR_CORRUPT, "a file map of an unknown kind");
	}
}

static int
walk(struct walk *w, struct slice content, struct error *err)
{
	int r;

	w->node = BUF_INIT(BLOB_MAX);
	w->region = malloc(sizeof(*w->region));
	if (w->region == NULL)
		return error_no_memory(err);
	r = walk_content(w, content, err);
	buf_done(&w->node);
	free(w->region);
	return r;
}

int
map_walk(struct repo_reader *r, struct slice content, uint64_t size, uint64_t from,
	 map_piece_fn *each, void *arg, struct error *err)
{
	struct walk w = {.reader = r, .size = size, .from = from, .piece = each, .arg = arg};

	return walk(&w, content, err);
}

int
map_blobs(struct repo_reader *r, struct slice content, uint64_t size, map_blob_fn *each, void *arg,
	  struct error *err)
{
	struct walk w = {.reader = r, .size = size, .blob = each, .arg = arg};

	return walk(&w, content, err);
}

/* ---- the previous map ----------------------------------------------------------------------- */

struct map_old {
	struct repo_reader *reader;
	uint64_t size;
	uint8_t depth;
	struct buf ids; /* of the content */
	struct buf list[MAP_DEPTH_MAX]; /* the list at hand of each level; [0] holds segment ids */
	struct blob_id list_id[MAP_DEPTH_MAX];
	struct buf segment;
	struct blob_id segment_id;
};

int
map_old_open(struct repo_reader *r, struct slice content, uint64_t size, struct map_old **ret,
	     struct error *err)
{
	CLEAN(map_old_closep) struct map_old *m = calloc(1, sizeof(*m));
	struct reader in = reader_of(content);
	struct slice ids = {0};

	if (m == NULL)
		return error_no_memory(err);
	m->reader = r;
	m->size = size;
	m->ids = BUF_INIT(NODE_CONTENT_MAX_BYTES);
	m->segment = BUF_INIT(BLOB_MAX);
	for (size_t i = 0; i < MAP_DEPTH_MAX; i++)
		m->list[i] = BUF_INIT(BLOB_MAX);
	/* Chunks inline, or nothing at all: no regions, which is not an error. */
	if (size > 0 && reader_u8(&in) == MAP_KIND_SEGMENTS &&
	    (parse_segments(&in, &m->depth, &ids, err) < 0 ||
	     buf_append(&m->ids, ids.p, ids.n, err) < 0))
		return err->code;
	*ret = STEAL_PTR(m);
	return OK;
}

void
map_old_close(struct map_old *m)
{
	if (m == NULL)
		return;
	buf_done(&m->ids);
	buf_done(&m->segment);
	for (size_t i = 0; i < MAP_DEPTH_MAX; i++)
		buf_done(&m->list[i]);
	free(m);
}

void
map_old_closep(struct map_old **m)
{
	map_old_close(*m);
}

/* Make `copy` hold blob `id`, unless it does already. */
static int
keep_blob(struct map_old *m, const struct blob_id *id, struct buf *copy, struct blob_id *copy_id,
	  struct error *err)
{
	struct slice blob;

	if (copy->n > 0 && blob_id_equal(id, copy_id))
		return OK;
	if (repo_reader_blob(m->reader, id, &blob, err) < 0)
		return err->code;
	buf_reset(copy);
	if (buf_append(copy, blob.p, blob.n, err) < 0)
		return err->code;
	*copy_id = *id;
	return OK;
}

/* The id of segment `number`: 1 found, 0 there is none. */
static int
find_segment(struct map_old *m, uint64_t number, struct blob_id *ret, struct error *err)
{
	struct slice ids = buf_slice(&m->ids);
	uint64_t each = 1;

	for (uint8_t d = 0; d < m->depth; d++)
		each *= MAP_LIST_IDS;
	for (uint8_t d = m->depth;; d--, each /= MAP_LIST_IDS) {
		uint64_t i = number / each;

		number %= each;
		if (i >= ids.n / BLOB_ID_SIZE)
			return 0;
		memcpy(ret->b, ids.p + i * BLOB_ID_SIZE, BLOB_ID_SIZE);
		if (d == 0 || blob_id_is_hole(ret))
			return 1;
		struct buf *list = &m->list[d - 1];
		if (keep_blob(m, ret, list, &m->list_id[d - 1], err) < 0)
			return err->code;
		if (list->n < 2 || list->p[0] != 'S' || list->p[1] != FORMAT_VERSION)
			return error_set(err, ERR_CORRUPT, "not a list of a file map");
		ids = SLICE(list->p + 2, list->n - 2);
	}
}

/* A region of the right length in which every page is a hole. */
static void
hole_region(uint64_t length, struct region *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->length = (uint32_t)length;
	ret->page_shift = 13;
	ret->n_pages = (uint16_t)((length + 8191) >> 13);
	for (size_t i = 0; i < ret->n_pages; i++)
		ret->pages[i].blob = PAGE_HOLE;
}

int
map_old_region(struct map_old *m, uint64_t number, struct region *ret, struct blob_id *ret_id,
	       struct error *err)
{
	uint64_t start = number * REGION_SIZE;
	struct blob_id segment;
	struct slice leaf;
	struct reader r;
	int found;

	if (start >= m->size)
		return 0;
	found = find_segment(m, number / SEGMENT_REGIONS, &segment, err);
	if (found != 1)
		return found;
	*ret_id = (struct blob_id){0};
	if (!blob_id_is_hole(&segment)) {
		if (keep_blob(m, &segment, &m->segment, &m->segment_id, err) < 0)
			return err->code;
		r = reader_of(buf_slice(&m->segment));
		if (reader_u8(&r) != 'R' || reader_u8(&r) != FORMAT_VERSION)
			return 0; /* chunks: it was not paged then */
		uint64_t n = reader_varint(&r), i = number % SEGMENT_REGIONS;
		struct slice ids = reader_take(&r,
					       n <= SEGMENT_REGIONS ? n * BLOB_ID_SIZE : SIZE_MAX);
		if (reader_end(&r, "file map", err) < 0)
			return err->code;
		if (i >= n)
			return 0;
		memcpy(ret_id->b, ids.p + i * BLOB_ID_SIZE, BLOB_ID_SIZE);
	}
	if (blob_id_is_hole(ret_id)) {
		hole_region(MIN(m->size - start, (uint64_t)REGION_SIZE), ret);
		return 1;
	}
	if (repo_reader_blob(m->reader, ret_id, &leaf, err) < 0 ||
	    map_region_parse(leaf, ret, err) < 0)
		return err->code;
	if (ret->length != MIN(m->size - start, (uint64_t)REGION_SIZE))
		return error_set(err, ERR_CORRUPT, "a region does not cover its part of the file");
	return 1;
}
