/* SPDX-License-Identifier: Apache-2.0 */

/* A folder of its own for each test, with a store opened in it: cmocka fixtures and what tests of
 * the folder store look at behind its back. */
#ifndef HF_TEST_UNIT_STORE_SANDBOX_H
#define HF_TEST_UNIT_STORE_SANDBOX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "store/store.h"

struct sandbox {
	char base[80]; /* an empty folder */
	char path[96]; /* BASE/repo, which the store is in */
	int fd; /* of path */
	struct store *s;
	struct error err;
};

int sandbox_setup(void **state); /* *state: struct sandbox */
int sandbox_teardown(void **state);

/* Like sandbox_setup and sandbox_teardown, for a test that needs several in turn. */
struct sandbox *sandbox_new(void);
void sandbox_free(struct sandbox *b);

/* Store, read and compare; the test fails if that does. */
void sandbox_put(struct sandbox *b, const char *name, const char *text);
void sandbox_expect(struct sandbox *b, const char *name, const char *text);
/* A file or folder below path, not through the store. */
void sandbox_write_file(struct sandbox *b, const char *name, const char *text);
void sandbox_mkdir(struct sandbox *b, const char *name);
/* Fail unless rc is expected, showing the error. */
void sandbox_check(struct sandbox *b, int rc, int expected, const char *what);

/* Objects below prefix, or the listing's error. */
int sandbox_count(struct sandbox *b, const char *prefix);
/* Entries of a folder below path, "." and ".." left out. */
int sandbox_entries(struct sandbox *b, const char *name);
/* Descriptors this process has open. */
int sandbox_open_fds(void);

#endif
