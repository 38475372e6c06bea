/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The tests every provider must pass: provider.h's promises, one by one, on real file systems in image
 * files. A test program names the providers and the worlds they live in; each world is built once for
 * all tests of its suite. Needs root and mkfs programs: what is missing is said, and the suite skipped.
 */
#ifndef HF_TEST_CONTRACT_PROVIDER_CONTRACT_H
#define HF_TEST_CONTRACT_PROVIDER_CONTRACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "provider/provider.h"

struct provider_world {
	char folder[64]; /* scratch, outside of the file system under test */
	char top[96]; /* where that is mounted */
	char missing[256]; /* why there is no such world here; "" */
	struct provider_settings settings;
};

struct provider_subject {
	const char *name; /* of the suite: "reflink on xfs" */
	const char *provider;
	const char *file_system; /* what to make and mount at top */
	bool writable; /* exposed views are kept from being changed by rights only */
	/* More to build once top is mounted, and to take down before it is unmounted. NULL: nothing. */
	void (*open)(struct provider_world *w);
	void (*close)(struct provider_world *w);
	/* Instead of an image file: mount something at top, or set `missing`. NULL: an image file. */
	void (*mount)(struct provider_world *w);
	/* Make the source of one test: a folder or subvolume TOP/NAME ... */
	void (*make_source)(const char *path);
	/* ... or, if this is set, the source is TOP and the test's files are in TOP/NAME. */
	bool source_is_top;
};

/* Run the suite; the number of failed tests. */
int provider_contract_run(const struct provider_subject *subject);

/* Run a program to its end; its exit status, -1 if it could not be started. Output goes nowhere. */
int provider_world_run(const char *program, ...) __attribute__((sentinel));
/* Set `missing`. */
void provider_world_lacks(struct provider_world *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A file with this text, and its text equal to this. */
void provider_world_write(const char *folder, const char *name, const char *text);
void provider_world_expect(const char *folder, const char *name, const char *text);

#endif
