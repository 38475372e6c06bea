/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The bounded growing buffer. Sizes are compared by subtraction from the maximum, never by adding,
 * so that no length a peer invents can wrap around. The one byte beyond the maximum that may be
 * allocated is for the zero buf_printf() keeps.
 */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/le.h"

enum { BUF_FIRST_CAP = 64, VARINT_MAX = 10 };

void
buf_done(struct buf *b)
{
	free(b->p);
	b->p = NULL;
	b->n = 0;
	b->cap = 0;
}

void
buf_reset(struct buf *b)
{
	b->n = 0;
}

/* Make cap at least want (<= max + 1), by half as much again so that appending stays linear. */
static int
grow(struct buf *b, size_t want, struct error *err)
{
	size_t limit = b->max < SIZE_MAX ? b->max + 1 : SIZE_MAX;
	size_t cap = MAX(want, (size_t)BUF_FIRST_CAP);

	if (cap - b->cap < b->cap / 2)
		cap = b->cap + b->cap / 2;
	/* The exact size is right for whoever asked for much at once, and at the limit. */
	cap = MIN(cap, limit);
	uint8_t *p = realloc(b->p, cap);
	if (p == NULL)
		return error_no_memory(err);
	b->p = p;
	b->cap = cap;
	return OK;
}

int
buf_reserve(struct buf *b, size_t more, struct error *err)
{
	assert(b->n <= b->max);

	if (more > b->max - b->n)
		return error_set(err, ERR_LIMIT, "more than %zu bytes", b->max);
	if (b->p != NULL && more <= b->cap - b->n)
		return OK;
	return grow(b, b->n + more, err);
}

int
buf_append(struct buf *b, const void *p, size_t n, struct error *err)
{
	if (n == 0)
		return OK;
	int rc = buf_reserve(b, n, err);
	if (rc < 0)
		return rc;
	memcpy(b->p + b->n, p, n);
	b->n += n;
	return OK;
}

int
buf_u8(struct buf *b, uint8_t v, struct error *err)
{
	return buf_append(b, &v, 1, err);
}

int
buf_le16(struct buf *b, uint16_t v, struct error *err)
{
	uint8_t bytes[2];

	le16_put(bytes, v);
	return buf_append(b, bytes, sizeof(bytes), err);
}

int
buf_le32(struct buf *b, uint32_t v, struct error *err)
{
	uint8_t bytes[4];

	le32_put(bytes, v);
	return buf_append(b, bytes, sizeof(bytes), err);
}

int
buf_le64(struct buf *b, uint64_t v, struct error *err)
{
	uint8_t bytes[8];

	le64_put(bytes, v);
	return buf_append(b, bytes, sizeof(bytes), err);
}

static size_t
varint_put(uint8_t bytes[VARINT_MAX], uint64_t v)
{
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (uint8_t)(v | 0x80);
	bytes[n++] = (uint8_t)v;
	return n;
}

int
buf_varint(struct buf *b, uint64_t v, struct error *err)
{
	uint8_t bytes[VARINT_MAX];

	return buf_append(b, bytes, varint_put(bytes, v), err);
}

int
buf_bytes(struct buf *b, const void *p, size_t n, struct error *err)
{
	uint8_t bytes[VARINT_MAX];
	size_t head = varint_put(bytes, n);

	/* Room for both before either is written: on failure the contents are unchanged. */
	if (n > SIZE_MAX - head)
		return error_set(err, ERR_LIMIT, "more than %zu bytes", b->max);
	int rc = buf_reserve(b, head + n, err);
	if (rc < 0)
		return rc;
	memcpy(b->p + b->n, bytes, head);
	if (n > 0)
		memcpy(b->p + b->n + head, p, n);
	b->n += head + n;
	return OK;
}

int
buf_printf(struct buf *b, struct error *err, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int len = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	if (len < 0)
		return error_sys(err, ERR_LIMIT, "format text");

	size_t n = (size_t)len;
	int rc = buf_reserve(b, n, err);
	if (rc < 0)
		return rc;
	if (b->cap - b->n <= n) {
		rc = grow(b, b->n + n + 1, err);
		if (rc < 0)
			return rc;
	}
	va_start(ap, format);
	(void)vsnprintf((char *)b->p + b->n, n + 1, format, ap);
	va_end(ap);
	b->n += n;
	return OK;
}
