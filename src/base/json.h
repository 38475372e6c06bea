/* SPDX-License-Identifier: Apache-2.0 */

/*
 * jansson with our errors: read a field of the wanted type or say which field is wrong; parse only up
 * to a limit. Names of any bytes travel through json_bytes(): UTF-8 as it stands, anything else as
 * an object {"bytes": "<base64>"}.
 */
#ifndef HF_BASE_JSON_H
#define HF_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

/* For CLEAN(). */
static inline void
json_done(json_t **j)
{
	json_decref(*j);
}

/* From here on whatever jansson frees is wiped first: texts that it parsed may hold secrets. For a whole
 * process, before it has threads. */
void json_wipe_freed(void);

/* Parse exactly one JSON value; duplicates of a key are refused. `what` names it in the error. */
CHECKED int json_parse(struct slice text, const char *what, json_t **ret, struct error *err);
/* Are at most `max` objects and arrays within each other? To be asked before a stranger's text is parsed.
 * ERR_LIMIT if not. Says nothing about whether it is JSON. */
CHECKED int json_depth_check(struct slice text, unsigned max, const char *what, struct error *err);
/* Compact, keys in insertion order, appended to b. */
CHECKED int json_write(const json_t *j, struct buf *b, struct error *err);

/* Required fields of object `o`; ERR_PROTOCOL "field 'x' …" if absent or of another type. Strings
 * stay owned by the object. Numbers must lie in 0 … INT64_MAX. */
CHECKED int json_get_str(const json_t *o, const char *key, const char **ret, struct error *err);
CHECKED int json_get_u64(const json_t *o, const char *key, uint64_t *ret, struct error *err);
CHECKED int json_get_obj(const json_t *o, const char *key, json_t **ret, struct error *err);
CHECKED int json_get_arr(const json_t *o, const char *key, json_t **ret, struct error *err);
/* Optional fields: the fallback if absent; an error only if of the wrong type. */
CHECKED int json_opt_str(const json_t *o, const char *key, const char *fallback, const char **ret,
			 struct error *err);
CHECKED int json_opt_u64(const json_t *o, const char *key, uint64_t fallback, uint64_t *ret,
			 struct error *err);
CHECKED int json_opt_bool(const json_t *o, const char *key, bool fallback, bool *ret,
			  struct error *err);

/* Any bytes as JSON (new reference, NULL when out of memory), and back (appended to b). */
json_t *json_bytes(const void *p, size_t n);
CHECKED int json_bytes_get(const json_t *j, struct buf *b, struct error *err);

/* Base64 of RFC 4648 with padding, appended; decoding is strict. */
CHECKED int base64_encode(struct slice in, struct buf *out, struct error *err);
CHECKED int base64_decode(struct slice in, struct buf *out, struct error *err);

#endif
