/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What both ends of the writer protocol agree on: its version, its limits, and how an error
 * travels. The protocol itself is told in doc/writer-protocol.md.
 */
#ifndef HF_WRITER_WIRE_H
#define HF_WRITER_WIRE_H

#include <jansson.h>

#include "base/base.h"
#include "base/error.h"

enum {
	WIRE_PROTOCOL = 1,
	WIRE_LINE_MAX = 64 << 10, /* every line but those below, without its end */
	WIRE_LARGE_MAX = 16 << 20, /* requests; replies to prepare-snapshot and post-copy */
	WIRE_DEPTH_MAX = 16, /* of objects and arrays within each other */
};

/* One JSON object of bounded depth. */
CHECKED int wire_parse(struct slice line, json_t **ret, struct error *err);

/*
 * {"code", "hresult", "message", "hint", "retryable"}; new reference, NULL when out of memory.
 * On the way back the code's name decides; a name we do not know, or one that is not for writers,
 * becomes WRITER_RETRYABLE or WRITER_FAILED by "retryable". Message and hint are text for people:
 * control characters are taken out, so that a writer cannot drive anybody's terminal.
 */
json_t *wire_error_pack(const struct error *e);
CHECKED int wire_error_unpack(const json_t *j, struct error *ret, struct error *err);

#endif
