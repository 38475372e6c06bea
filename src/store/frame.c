/* SPDX-License-Identifier: Apache-2.0 */

/* Frames: lengths are checked before anything is parsed. */
#include "store/frame.h"

#include "base/json.h"
#include "base/le.h"
#include "base/reader.h"

enum { LENGTH_SIZE = 4 };

static int
append(const json_t *header, struct slice data, struct buf *b, struct error *err)
{
	size_t start = b->n;

	if (buf_le32(b, 0, err) < 0 || json_write(header, b, err) < 0)
		return err->code;
	size_t n = b->n - start - LENGTH_SIZE;
	if (n > FRAME_HEADER_MAX || data.n > FRAME_DATA_MAX)
		return error_set(err, ERR_LIMIT, "a frame of %zu bytes with a header of %zu",
				 data.n, n);
	le32_put(b->p + start, (uint32_t)n);
	return data.n > 0 ? buf_append(b, data.p, data.n, err) : OK;
}

int
frame_write(const json_t *header, struct slice data, struct buf *b, struct error *err)
{
	size_t start = b->n;
	int rc = append(header, data, b, err);

	if (rc < 0)
		b->n = start;
	return rc;
}

int
frame_read(struct slice frame, json_t **ret_header, struct slice *ret_data, struct error *err)
{
	CLEAN(json_done) json_t *header = NULL;
	struct reader r = reader_of(frame);
	uint32_t n = reader_le32(&r);

	if (r.failed || n > FRAME_HEADER_MAX || n > reader_left(&r))
		return error_set(err, ERR_PROTOCOL, "a frame of %zu bytes is damaged", frame.n);
	if (reader_left(&r) - n > FRAME_DATA_MAX)
		return error_set(err, ERR_PROTOCOL, "a frame of %zu bytes is too long", frame.n);
	if (json_parse(reader_take(&r, n), "a frame's header", &header, err) < 0)
		return err->code;
	if (!json_is_object(header))
		return error_set(err, ERR_PROTOCOL, "a frame's header is not an object");
	*ret_header = STEAL_PTR(header);
	*ret_data = reader_take(&r, reader_left(&r));
	return OK;
}
