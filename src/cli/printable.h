/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names of any bytes made fit for a terminal: control characters, bytes that are not UTF-8 and the
 * backslash become \xNN, so that a file's name can neither drive the terminal nor pass for another.
 */
#ifndef HF_CLI_PRINTABLE_H
#define HF_CLI_PRINTABLE_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

/* Append. */
CHECKED int printable_name(struct buf *b, struct slice name, struct error *err);
/* For whole messages: as above, but backslashes stay, and what does not fit is cut. Returns
 * text. */
char *printable_message(const char *message, char *text, size_t size);
/* How many columns a terminal needs for it: characters, not bytes. */
size_t printable_width(const char *text);

#endif
