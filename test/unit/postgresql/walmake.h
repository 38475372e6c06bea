/* SPDX-License-Identifier: Apache-2.0 */

/* A write-ahead log as a server would write it, made for tests: record by record, with the headers of its pages. */
#ifndef HF_TEST_UNIT_POSTGRESQL_WALMAKE_H
#define HF_TEST_UNIT_POSTGRESQL_WALMAKE_H

#include <stddef.h>
#include <stdint.h>

enum { WALMAKE_SEGMENT = 1 << 20, WALMAKE_PAGE = 8192 };

#define WALMAKE_IDENTITY UINT64_C(7712192694704567692)

struct walmake {
	uint8_t *bytes; /* zeros at first; room for `size` */
	size_t size;
	uint64_t start; /* position of the first byte: that of a segment */
	uint64_t at; /* where the next byte goes, from `start` */
	uint64_t previous; /* where the last record begins: the next one names it */
	uint32_t timeline;
};

void walmake_begin(struct walmake *w, uint8_t *bytes, size_t size, uint64_t start,
		   uint32_t timeline);
/* The header of the page at that offset; what follows goes behind it. rest: of a record begun before. */
void walmake_page(struct walmake *w, uint64_t page, uint16_t info, uint32_t rest);
/* Return where the record begins. */
uint64_t walmake_record(struct walmake *w, uint8_t manager, uint8_t info, const void *body,
			size_t n);
uint64_t walmake_timed(struct walmake *w, uint8_t manager, uint8_t info, uint64_t time_us,
		       const char *name);
uint64_t walmake_other(struct walmake *w, size_t n); /* something with n bytes in it */
uint64_t walmake_commit(struct walmake *w, uint64_t time_us);
uint64_t walmake_name(struct walmake *w, uint64_t time_us, const char *name);

#endif
