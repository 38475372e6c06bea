/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a writer offers for backup, unpacked from its JSON and checked: which folders, what to leave
 * out, which files consist of checksummed pages, what comes last. The mover follows this; it knows
 * no database. The JSON form is in doc/writer-protocol.md.
 */
#ifndef HF_WRITER_COMPONENT_H
#define HF_WRITER_COMPONENT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

/* List: 64 Ki logs of 16 MiB are a terabyte written during one backup. Inline: of all files
 * together. */
enum { COMPONENT_LIST_MAX = 65536, COMPONENT_INLINE_MAX = 1 << 20 };

struct patterns;

/*
 * A folder or file of this host, and its place inside the component. What an earlier path has at
 * that place (a symbolic link to a tablespace, say) is replaced by this one.
 */
struct component_path {
	char *source; /* absolute */
	char *at; /* relative, '/'-separated; "" is the component's top folder */
	bool relocatable; /* a folder of its own (tablespace): restored to `source` or where the
			     administrator maps it, with a symbolic link at `at` */
	uint64_t
		expect_size; /* a file that must have exactly this size, and its name until it is read; 0: any */
};

/* A small file made by the writer (backup_label ...). */
struct component_file {
	char *at;
	uint8_t *data;
	size_t n;
	uint16_t mode;
};

/*
 * Patterns are fnmatch(3) with FNM_PATHNAME and nothing else, against the whole path inside the
 * component: '*' stops at '/'. "pg_wal/" + "*" leaves out what is in the folder and keeps the
 * folder; what is below a folder that is left out is never asked about.
 */
struct component_pages {
	char *format; /* "postgresql": the page inspector to use; "" none */
	uint32_t page_size; /* a power of two, 4096 .. 65536 */
	bool checksums; /* verify them */
	uint64_t start_lsn; /* pages newer than this may be torn: recovery rewrites them */
	uint64_t segment_pages; /* pages in one file of a relation: numbers blocks across files */
	size_t n_match;
	char **match; /* patterns of files that consist of pages */
};

struct component {
	char *name; /* "main" */
	size_t n_paths;
	struct component_path *paths; /* the first is the top folder, at "" */
	size_t n_exclude;
	char **exclude;
	struct patterns *exclude_set; /* of the same, for speed; NULL in a component made by hand */
	size_t n_last;
	char **last; /* exact paths to be read after everything else, e.g. "global/pg_control" */
	bool atomic; /* only good if all its paths are read from one and the same instant */
	bool has_pages;
	struct component_pages pages;
	json_t *metadata; /* kept in the restore point as it is; may be NULL */
};

/* What comes after the copy: more files of this host, and generated ones. */
struct component_tail {
	size_t n_paths;
	struct component_path *paths;
	size_t n_files;
	struct component_file *files;
	json_t *metadata; /* merged over the component's; may be NULL */
};

CHECKED int component_parse(const json_t *j, struct component **ret, struct error *err);
void component_free(struct component *c);
void component_freep(struct component **c);
CHECKED int component_tail_parse(const json_t *j, struct component_tail **ret, struct error *err);
void component_tail_free(struct component_tail *t);
void component_tail_freep(struct component_tail **t);

/* An absolute path of any bytes, without '.' and '..', as every "source" is: a new string. */
CHECKED int component_source_parse(const json_t *j, char **ret, struct error *err);

/* Pure decisions about a path inside the component. */
bool component_excludes(const struct component *c, const char *at);
bool component_is_last(const struct component *c, const char *at);
bool component_is_paged(const struct component *c, const char *at);

#endif
