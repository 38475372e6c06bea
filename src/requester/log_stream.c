/* SPDX-License-Identifier: Apache-2.0 */

/* Segment by segment, and within one piece by piece; what lies between is left out of nobody's account. */
#include "requester/log_stream.h"

#include <string.h>

#include "postgresql/walrange.h"
#include "repo/map.h"
#include "repo/tree.h"

enum { NODE_HOLD_MAX = 4 << 20, ZEROS = 64 << 10 };

struct stream {
	struct repo_reader *reader;
	struct progress *progress;
	log_stream_fn *each;
	void *arg;
	uint64_t from, to; /* of the file that is being read: the bytes that are wanted */
	bool enough;
};

static char *
segment_name(const struct log_chain *c, uint32_t timeline, uint64_t position,
	     char name[WALRANGE_NAME_LEN + 1])
{
	const struct walrange r = {.timeline = timeline, .segment_bytes = c->segment_bytes};

	return walrange_name(&r, position / c->segment_bytes, name);
}

int
log_stream_file(const struct log_chain *c, struct repo_reader *reader,
		const struct log_piece *piece, uint64_t position, struct buf *hold,
		struct node *ret, struct error *err)
{
	char name[WALRANGE_NAME_LEN + 1];

	/* First that of its own timeline, then of those that came of it. */
	for (size_t i = 0; i < c->n_path; i++) {
		if (c->path[i].timeline < piece->timeline)
			continue;
		segment_name(c, c->path[i].timeline, position, name);
		int rc = tree_find(reader, &piece->root->tree, name, hold, ret, err);
		if (rc < 0)
			return error_prefix(err, "look for the log %s", name);
		if (rc > 0 && ret->type == NODE_FILE && ret->size == c->segment_bytes)
			return 1;
	}
	return 0;
}

static int
give(struct stream *s, const uint8_t *p, size_t n, struct error *err)
{
	int rc;

	if (s->progress != NULL && atomic_load(&s->progress->cancelled))
		return error_set(err, ERR_CANCELLED, "stopped on request");
	rc = s->each(s->arg, SLICE(p, n), err);
	s->enough = rc > 0;
	/* The walk ends by an error; this one is ours. */
	return rc > 0 ? (int)error_set(err, ERR_CANCELLED, "enough") : rc;
}

static int
on_piece(void *arg, const struct map_piece *piece, struct error *err)
{
	static const uint8_t zeros[ZEROS];
	struct stream *s = arg;
	uint64_t from = MAX(piece->file_offset, s->from);
	uint64_t to = MIN(piece->file_offset + piece->length, s->to);
	struct slice blob;

	if (from >= to)
		return OK;
	for (; piece->hole && from < to; from += MIN(to - from, (uint64_t)ZEROS)) {
		int rc = give(s, zeros, (size_t)MIN(to - from, (uint64_t)ZEROS), err);
		if (rc < 0)
			return rc;
	}
	if (from >= to)
		return OK;
	if (repo_reader_blob(s->reader, &piece->blob, &blob, err) < 0)
		return err->code;
	size_t skip = piece->blob_offset + (size_t)(from - piece->file_offset);
	if (skip > blob.n || to - from > blob.n - skip)
		return error_set(err, ERR_CORRUPT, "a log is shorter than it should be");
	return give(s, blob.p + skip, (size_t)(to - from), err);
}

/* The bytes from `position` to the end of the piece or of the segment. */
static int
one_file(const struct log_chain *c, struct stream *s, const struct log_piece *piece,
	 uint64_t *position, struct error *err)
{
	CLEAN(buf_done) struct buf hold = BUF_INIT(NODE_HOLD_MAX);
	uint64_t segment = *position / c->segment_bytes * c->segment_bytes;
	uint64_t end = MIN(piece->to, segment + c->segment_bytes);
	struct node node;

	int rc = log_stream_file(c, s->reader, piece, *position, &hold, &node, err);
	if (rc == 0) {
		char name[WALRANGE_NAME_LEN + 1];

		return error_set(err, ERR_CORRUPT, "restore point %.8s lacks its log %s",
				 piece->point->id_text,
				 segment_name(c, piece->timeline, *position, name));
	}
	if (rc < 0)
		return rc;
	s->from = *position - segment;
	s->to = end - segment;
	rc = map_walk(s->reader, node.content, node.size, s->from, on_piece, s, err);
	if (rc < 0 && !s->enough)
		return error_prefix(err, "read the logs of restore point %.8s",
				    piece->point->id_text);
	*position = end;
	return OK;
}

int
log_stream(const struct log_chain *c, struct repo_reader *reader, uint64_t position,
	   struct progress *progress, log_stream_fn *each, void *arg, uint64_t *ret_end,
	   struct error *err)
{
	struct stream s = {.reader = reader, .progress = progress, .each = each, .arg = arg};
	const struct log_piece *piece;

	while (!s.enough && (piece = log_chain_piece(c, position)) != NULL) {
		int rc = one_file(c, &s, piece, &position, err);
		if (rc < 0)
			return rc;
	}
	*ret_end = position;
	return OK;
}
