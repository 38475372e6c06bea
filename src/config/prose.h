/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Running text for people: wrapped to a width for the terminal, and as mdoc source for manual
 * pages, where a sentence begins on a line of its own. An empty line in the text separates
 * paragraphs.
 */
#ifndef HF_CONFIG_PROSE_H
#define HF_CONFIG_PROSE_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

enum { PROSE_WIDTH = 80 };

/*
 * Append text wrapped to PROSE_WIDTH. Lines are indented by `indent`; `column` is where the first
 * one starts, with what stands before it already in b. Ends with a newline.
 */
CHECKED int prose_wrap(struct buf *b, const char *text, size_t column, size_t indent,
		       struct error *err);

/* Append text as mdoc source: escaped, one sentence a line, ".Pp" between paragraphs. */
CHECKED int prose_mdoc(struct buf *b, const char *text, struct error *err);

/* A lower-case sentence without full stop, as the tables have them, made whole: "Like this." */
CHECKED int prose_sentence(struct buf *b, const char *text, struct error *err);

/* "%*s": n blanks. */
CHECKED int prose_blanks(struct buf *b, size_t n, struct error *err);

#endif
