/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A cursor over bytes that nobody has vouched for. Failure is sticky: after the first read beyond the
 * end every read gives 0 or an empty slice, so a parser checks once. reader_end() demands that no
 * read failed and that everything was consumed, exactly.
 */
#ifndef HF_BASE_READER_H
#define HF_BASE_READER_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

struct reader {
	const uint8_t *p;
	const uint8_t *end;
	bool failed;
};

static inline struct reader
reader_of(struct slice s)
{
	/* Nothing may be added to NULL, not even 0. */
	return (struct reader){.p = s.p, .end = s.n > 0 ? s.p + s.n : s.p};
}

static inline size_t
reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->p);
}

uint8_t reader_u8(struct reader *r);
uint16_t reader_le16(struct reader *r);
uint32_t reader_le32(struct reader *r);
uint64_t reader_le64(struct reader *r);
/* Only the shortest encoding is accepted, so that bytes and values map one to one. */
uint64_t reader_varint(struct reader *r);
/* The next n bytes, inside the reader's own memory. */
struct slice reader_take(struct reader *r, size_t n);
/* varint length, then that many bytes */
struct slice reader_bytes(struct reader *r);
/* Mark as failed, for values a parser finds out of range. */
void reader_fail(struct reader *r);

/* ERR_CORRUPT "WHAT: …" unless everything was read, and nothing beyond. */
CHECKED int reader_end(const struct reader *r, const char *what, struct error *err);

#endif
