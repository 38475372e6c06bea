/* SPDX-License-Identifier: Apache-2.0 */

/*
 * tablespace_map: the file by which a restored cluster finds its tablespaces, one line "OID
 * LOCATION" for each. A newline, a carriage return and, from version 14 on, a backslash in a
 * location have a backslash before them; before version 14 a backslash stands for itself unless a
 * newline follows.
 */
#ifndef HF_POSTGRESQL_SPCMAP_H
#define HF_POSTGRESQL_SPCMAP_H

#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

enum { SPCMAP_MAX = 65536, SPCMAP_LOCATION_MAX = 4096 };

struct spcmap_entry {
	char oid[12]; /* digits */
	char *location; /* absolute */
};

struct spcmap {
	size_t n;
	struct spcmap_entry *entries;
};

#define SPCMAP_INIT ((struct spcmap){0})

CHECKED int spcmap_parse(struct slice text, bool escapes_backslash, struct spcmap *ret,
			 struct error *err);
/* Appended to out. */
CHECKED int spcmap_write(const struct spcmap *map, bool escapes_backslash, struct buf *out,
			 struct error *err);
/* Give an entry another location. */
CHECKED int spcmap_move(struct spcmap_entry *entry, const char *location, struct error *err);
void spcmap_done(struct spcmap *map);

#endif
