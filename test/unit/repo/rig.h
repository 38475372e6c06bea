/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A repository in memory with a cache folder of its own, for tests of src/repo. Opened with a key file,
 * since a password costs a tenth of a second each time. What a test opens through the rig is closed by
 * rig_shut() or rig_free(), in the right order.
 */
#ifndef HF_TEST_UNIT_REPO_RIG_H
#define HF_TEST_UNIT_REPO_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "repo/read.h"
#include "repo/repo.h"
#include "repo/write.h"
#include "store/store.h"

enum { RIG_KEY_BYTE = 0x5a }; /* the key file is nothing else */

struct rig {
	struct store *store; /* what the repository is opened on */
	struct store *mem; /* the same, or what the fault store wraps */
	char cache[64]; /* cache root: exists while the rig does */
	struct secret *key;
	struct key_source source;
	struct repo *repo;
	struct repo_index *index;
	struct repo_writer *writer;
	struct repo_sink *sink;
	struct repo_reader *reader;
	struct error err;
};

int rig_setup(void **state); /* *state: struct rig */
int rig_setup_faulty(void **state); /* the store is a fault store around the memory */
int rig_teardown(void **state);
struct rig *rig_new(bool faulty);
void rig_free(struct rig *r);
/* An empty folder, in memory if possible: what is tested here syncs a lot. Fills and returns path. */
char *rig_folder(char path[64]);

/* Index, writer and one sink. */
void rig_begin(struct rig *r, const struct repo_write_options *options);
/* Close the sink, flush, close the writer; the index stays open. */
void rig_end(struct rig *r);
/* Index and reader, afresh. */
void rig_look(struct rig *r);
/* Close all handles but the repository. A writer is given up. */
void rig_shut(struct rig *r);
/* Close everything and unlock the repository again. */
void rig_reopen(struct rig *r);
/* As rig_reopen, with an empty cache. */
void rig_lose_cache(struct rig *r);

struct blob_id rig_put(struct rig *r, enum blob_class class, const void *p, size_t n);
/* The blob is there, with this content, which its id is right for. */
void rig_expect(struct rig *r, const struct blob_id *id, const void *p, size_t n);

/* Repeatable noise. */
void rig_fill(void *p, size_t n, uint64_t seed);
uint64_t rig_random(uint64_t *state);
/* Bytes and id of blob `number` of a series: 1 to 4000 bytes, no two alike. */
size_t rig_sample(uint64_t number, uint8_t content[4096]);

/* Objects whose name begins with prefix, and the nth of them (sorted, from 0) into name. */
size_t rig_count(struct rig *r, const char *prefix);
void rig_name(struct rig *r, const char *prefix, size_t nth, char name[STORE_NAME_MAX + 1]);
/* A copy of an object's bytes; the caller frees it. */
uint8_t *rig_copy(struct rig *r, const char *name, size_t *ret_n);

/* Fail unless rc is what was expected, showing the error. */
#define rig_ok(r, rc) rig_check(&(r)->err, (rc), OK, #rc, __FILE__, __LINE__)
#define rig_fails(r, rc, code) rig_check(&(r)->err, (rc), (code), #rc, __FILE__, __LINE__)
void rig_check(const struct error *err, int rc, int expected, const char *what, const char *file,
	       int line);

#endif
