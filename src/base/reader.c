/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The cursor over untrusted bytes. A failed reader stands at its end, so that reading on from it can
 * never give bytes again.
 */
#include "base/reader.h"

#include "base/le.h"

void
reader_fail(struct reader *r)
{
	r->failed = true;
	r->p = r->end;
}

/* The next n bytes, or NULL. */
static const uint8_t *
advance(struct reader *r, size_t n)
{
	if (r->failed || n > reader_left(r)) {
		reader_fail(r);
		return NULL;
	}
	const uint8_t *p = r->p;
	if (n > 0)
		r->p += n;
	return p;
}

uint8_t
reader_u8(struct reader *r)
{
	const uint8_t *p = advance(r, 1);

	return p != NULL ? *p : 0;
}

uint16_t
reader_le16(struct reader *r)
{
	const uint8_t *p = advance(r, 2);

	return p != NULL ? le16_get(p) : 0;
}

uint32_t
reader_le32(struct reader *r)
{
	const uint8_t *p = advance(r, 4);

	return p != NULL ? le32_get(p) : 0;
}

uint64_t
reader_le64(struct reader *r)
{
	const uint8_t *p = advance(r, 8);

	return p != NULL ? le64_get(p) : 0;
}

uint64_t
reader_varint(struct reader *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		const uint8_t *p = advance(r, 1);
		if (p == NULL)
			return 0;
		uint64_t low = *p & 0x7f;
		/* The tenth byte has room for the top bit only. */
		if (shift == 63 && low > 1)
			break;
		v |= low << shift;
		if (*p < 0x80) {
			/* A last byte of zero adds nothing: there is a shorter encoding. */
			if (*p == 0 && shift > 0)
				break;
			return v;
		}
	}
	reader_fail(r);
	return 0;
}

struct slice
reader_take(struct reader *r, size_t n)
{
	const uint8_t *p = advance(r, n);

	return p != NULL ? SLICE(p, n) : SLICE(NULL, 0);
}

struct slice
reader_bytes(struct reader *r)
{
	uint64_t n = reader_varint(r);

	if (n > reader_left(r)) {
		reader_fail(r);
		return SLICE(NULL, 0);
	}
	return reader_take(r, (size_t)n);
}

int
reader_end(const struct reader *r, const char *what, struct error *err)
{
	if (r->failed)
		return error_set(err, ERR_CORRUPT, "%s: ends early or holds a value out of range",
				 what);
	if (reader_left(r) > 0)
		return error_set(err, ERR_CORRUPT, "%s: %zu bytes too many", what, reader_left(r));
	return OK;
}
