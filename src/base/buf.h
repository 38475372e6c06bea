/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A growing byte buffer that is born with a maximum: whatever a peer, a file or a database sends,
 * memory stays below it. All adders fail with ERR_LIMIT beyond the maximum and with ERR_NO_MEMORY
 * when memory is gone; on failure the contents are unchanged.
 *
 *	CLEAN(buf_done) struct buf b = BUF_INIT(64 * 1024);
 *	if (buf_append(&b, p, n, err) < 0) ...
 */
#ifndef HF_BASE_BUF_H
#define HF_BASE_BUF_H

#include "base/base.h"
#include "base/error.h"

struct buf {
	uint8_t *p; /* NULL while nothing was reserved */
	size_t n; /* bytes in use */
	size_t cap;
	size_t max;
};

#define BUF_INIT(max_bytes) ((struct buf){.max = (max_bytes)})

void buf_done(struct buf *b); /* frees; the buffer may be used again */
void buf_reset(struct buf *b); /* n = 0, memory kept */
static inline struct slice
buf_slice(const struct buf *b)
{
	return SLICE(b->p, b->n);
}

/* Make room for `more` bytes after n; afterwards b->p + b->n .. + more may be written. */
CHECKED int buf_reserve(struct buf *b, size_t more, struct error *err);
CHECKED int buf_append(struct buf *b, const void *p, size_t n, struct error *err);
CHECKED int buf_u8(struct buf *b, uint8_t v, struct error *err);
CHECKED int buf_le16(struct buf *b, uint16_t v, struct error *err);
CHECKED int buf_le32(struct buf *b, uint32_t v, struct error *err);
CHECKED int buf_le64(struct buf *b, uint64_t v, struct error *err);
/* LEB128: seven bits a byte, low first, at most ten bytes. */
CHECKED int buf_varint(struct buf *b, uint64_t v, struct error *err);
/* varint length, then the bytes */
CHECKED int buf_bytes(struct buf *b, const void *p, size_t n, struct error *err);
/* Text without its terminating zero; one zero is kept after b->n so that b->p reads as a string. */
CHECKED int buf_printf(struct buf *b, struct error *err, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
