/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A test bed for backups: a source folder, a repository in memory, and comparing what is in one with
 * what is in the other, byte by byte.
 */
#ifndef HF_TEST_UNIT_MOVER_BED_H
#define HF_TEST_UNIT_MOVER_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/error.h"
#include "mover/backup.h"
#include "mover/progress.h"
#include "repo/map.h"
#include "repo/tree.h"

enum { BED_WARNINGS_MAX = 64 };

struct bed_warning {
	char path[256]; /* its end, if it is longer */
	enum err code;
	bool serious;
	char message[256];
};

struct bed {
	char base[48];
	char src[64]; /* BASE/src: the folder that is backed up */
	struct store *store; /* in memory, wrapped: see hook */
	struct store *memory; /* what is at the bottom (store/mem.h) */
	struct store *fault; /* the wrapper that fails on command (store/fault.h) */
	/* Called once, when the first pack is begun, which is in the middle of reading. */
	void (*hook)(struct bed *b);
	struct secret *key;
	struct repo *repo;

	/* Of the last backup. */
	struct mover_options options; /* to be set before; the bed sets warn and progress */
	struct progress progress;
	struct repo_write_stats stats;
	size_t n_warnings;
	struct bed_warning warnings[BED_WARNINGS_MAX];
	struct error err;

	/* Of the last comparison. */
	uint64_t hole_bytes;
	size_t n_compared;
};

struct bed *bed_new(void);
void bed_free(struct bed *b);
int bed_setup(void **state);
int bed_teardown(void **state);

/* Everything one backup needs, open. */
struct bed_run {
	struct repo_index *index;
	struct repo_writer *writer;
	struct mover *mover;
};
void bed_begin(struct bed *b, struct bed_run *r);
/* finish, flush, close: the tree is readable afterwards. */
void bed_end(struct bed *b, struct bed_run *r);
/* Close after a failure. */
void bed_drop(struct bed_run *r);

/* Back up the source folder (all of it), or fail the test. */
void bed_backup(struct bed *b, const struct blob_id *previous, struct blob_id *ret_tree);
/* The same, and say what came of it. */
int bed_try(struct bed *b, const char *const *paths, size_t n, const struct blob_id *previous,
	    struct blob_id *ret_tree);
/* The tree's folder at the source's place must be what the source folder is. */
void bed_compare(struct bed *b, const struct blob_id *tree);
/* A folder of the tree against one of the host. */
void bed_compare_at(struct bed *b, const struct blob_id *tree, const char *at, const char *path);
/* A node of the tree by path below the source folder; false if there is none. Slices point into hold. */
bool bed_find(struct bed *b, const struct blob_id *tree, const char *name, struct buf *hold,
	      struct node *ret);
bool bed_find_at(struct bed *b, const struct blob_id *tree, const char *at, struct buf *hold,
		 struct node *ret);
/* All bytes of a file's node, which must be n. */
void bed_content(struct bed *b, const struct node *node, const void *p, size_t n);

/* Files below the source folder. Content is pseudo-random, by seed: it does not compress. */
void bed_fill(void *p, size_t n, uint64_t seed);
void bed_file(struct bed *b, const char *name, size_t n, uint64_t seed);
void bed_text(struct bed *b, const char *name, const char *text);
void bed_dir(struct bed *b, const char *name);
char *bed_path(struct bed *b, const char *name); /* valid until the next call */
int bed_open(struct bed *b, const char *name, int flags);
/* Clocks 100 s ahead: nothing was changed just now. */
void bed_later(void);

#endif
