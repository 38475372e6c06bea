/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An error on its way to another program of ours, and back:
 *
 *	{"code": "STORE_FULL", "number": 14, "hresult": "0x8004231f", "message": "…", "hint": "…",
 *	 "retryable": false}
 *
 * "hresult" is absent where VSS has none. On the way back the name decides; a code that this program
 * does not know becomes ERR_PROTOCOL, with the other side's message kept. Message and hint are text for
 * people, and lose their control characters.
 */
#ifndef HF_BASE_ERROR_JSON_H
#define HF_BASE_ERROR_JSON_H

#include <jansson.h>

#include "base/base.h"
#include "base/error.h"

/* New reference, NULL when out of memory. */
json_t *error_json_pack(const struct error *e);
/* Unknown fields are skipped. ERR_PROTOCOL if it is no error at all. */
CHECKED int error_json_unpack(const json_t *j, struct error *ret, struct error *err);

#endif
