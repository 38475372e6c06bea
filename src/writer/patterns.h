/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Many file patterns against many paths: a database with a thousand unlogged tables leaves out
 * thousands of names, and a walk asks for each of its files. Patterns are grouped by the text
 * before their first special character, so a path meets only those that begin as it does.
 */
#ifndef HF_WRITER_PATTERNS_H
#define HF_WRITER_PATTERNS_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

struct patterns;

/* The patterns stay the caller's and must outlive the set. */
CHECKED int patterns_new(const char *const *list, size_t n, struct patterns **ret,
			 struct error *err);
void patterns_free(struct patterns *p);

/* Does any pattern match the whole path? fnmatch(3) with FNM_PATHNAME. */
bool patterns_match(const struct patterns *p, const char *path);

/* Write text so that as a pattern it matches only itself, into a buffer of at least 2 *
 * strlen(text) + 1 bytes; returns the buffer. */
char *patterns_quote(const char *text, char *buffer);

#endif
