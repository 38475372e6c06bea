/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Results, on standard output: lines of text, tables, or JSON objects, one a line. A failed write
 * (full disk, closed pipe) is remembered and reported by out_finish(), once, at the end.
 */
#ifndef HF_CLI_OUT_H
#define HF_CLI_OUT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

void out_text(const char *format, ...) PRINTF_LIKE(1, 2);
void out_bytes(struct slice text);
/* One line; takes over the reference. NULL (out of memory while it was made) is remembered. */
void out_json(json_t *j);
/* Has a write failed? Then whoever prints much may stop. */
bool out_failed(void);
/* Flush, and tell of the first failure. */
/* What was printed so far is to be seen now. */
void out_flush(void);
CHECKED int out_finish(struct error *err);

#endif
