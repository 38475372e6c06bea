/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A JSON header and raw bytes as one body, so that bulk data need not be made into text:
 *
 *	4 bytes   length of the header, little-endian, at most FRAME_HEADER_MAX
 *	n bytes   the header: one JSON object
 *	rest      the bytes
 */
#ifndef HF_STORE_FRAME_H
#define HF_STORE_FRAME_H

#include <jansson.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

enum {
	FRAME_HEADER_MAX = 64 << 10,
	FRAME_DATA_MAX = 4 << 20,
	FRAME_MAX = 4 + FRAME_HEADER_MAX + FRAME_DATA_MAX,
};

/* Appended to b; on failure b is what it was. */
CHECKED int frame_write(const json_t *header, struct slice data, struct buf *b, struct error *err);
/* *ret_data lies within frame. ERR_PROTOCOL if it is none. */
CHECKED int frame_read(struct slice frame, json_t **ret_header, struct slice *ret_data,
		       struct error *err);

#endif
