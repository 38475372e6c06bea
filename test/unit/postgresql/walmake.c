/* SPDX-License-Identifier: Apache-2.0 */

/* Pages, records and their checksums. */
#include "postgresql/walmake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/le.h"
#include "postgresql/crc32c.h"

#define EPOCH_US (UINT64_C(946684800) * 1000000)

void
walmake_begin(struct walmake *w, uint8_t *bytes, size_t size, uint64_t start, uint32_t timeline)
{
	*w = (struct walmake){.bytes = bytes, .size = size, .start = start, .timeline = timeline};
	w->previous = start - 80;
	walmake_page(w, 0, 0, 0);
}

void
walmake_page(struct walmake *w, uint64_t page, uint16_t info, uint32_t rest)
{
	bool first = page % WALMAKE_SEGMENT == 0;
	uint8_t *p = w->bytes + page;

	assert_true(page + WALMAKE_PAGE <= w->size);
	le16_put(p, 0xd110);
	le16_put(p + 2, (uint16_t)(info | (first ? 2 : 0)));
	le32_put(p + 4, w->timeline);
	le64_put(p + 8, w->start + page);
	le32_put(p + 16, rest);
	if (first) {
		le64_put(p + 24, WALMAKE_IDENTITY);
		le32_put(p + 32, WALMAKE_SEGMENT);
		le32_put(p + 36, WALMAKE_PAGE);
	}
	w->at = page + (first ? 40 : 24);
}

/* Raw bytes of a record, with headers where they cross into another page. */
static void
put_bytes(struct walmake *w, const uint8_t *p, size_t n)
{
	for (; n > 0; p++, n--) {
		if (w->at % WALMAKE_PAGE == 0)
			walmake_page(w, w->at, 1, (uint32_t)n);
		w->bytes[w->at++] = *p;
	}
}

uint64_t
walmake_record(struct walmake *w, uint8_t manager, uint8_t info, const void *body, size_t n)
{
	CLEAN(free_ptr) uint8_t *r = calloc(1, 24 + n);
	uint32_t crc = crc32c_begin();

	assert_non_null(r);
	le32_put(r, (uint32_t)(24 + n));
	le64_put(r + 8, w->previous);
	r[16] = info;
	r[17] = manager;
	memcpy(r + 24, body, n);
	crc = crc32c_add(crc, SLICE(r + 24, n));
	crc = crc32c_add(crc, SLICE(r, 20));
	le32_put(r + 20, crc32c_end(crc));
	w->at = (w->at + 7) / 8 * 8;
	if (w->at % WALMAKE_PAGE == 0)
		walmake_page(w, w->at, 0, 0);
	uint64_t lsn = w->previous = w->start + w->at;
	put_bytes(w, r, 24 + n);
	return lsn;
}

uint64_t
walmake_timed(struct walmake *w, uint8_t manager, uint8_t info, uint64_t time_us, const char *name)
{
	uint8_t body[2 + 3 + 5 + 8 + 64] = {253, 1, 2, 252, 1, 2, 3, 4, 255, 72};

	le64_put(body + 10, time_us - EPOCH_US);
	(void)snprintf((char *)body + 18, 64, "%s", name);
	return walmake_record(w, manager, info, body, sizeof(body));
}

uint64_t
walmake_other(struct walmake *w, size_t n)
{
	CLEAN(free_ptr) uint8_t *body = malloc(n + 1);

	assert_non_null(body);
	memset(body, 0x5a, n);
	return walmake_record(w, 10, 0, body, n);
}

uint64_t
walmake_commit(struct walmake *w, uint64_t time_us)
{
	return walmake_timed(w, 1, 0x00, time_us, "");
}

uint64_t
walmake_name(struct walmake *w, uint64_t time_us, const char *name)
{
	return walmake_timed(w, 0, 0x70, time_us, name);
}
