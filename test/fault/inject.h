/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Failing libc functions by count, from inside a test: #include "fault/inject.c" in the one file of
 * a test program that uses it, and every call that the program makes goes through it. See inject.c
 * for the names, and for the same thing from outside.
 *
 *	inject_arm(&(struct inject_order){.call = "fsync", .at = 2, .sys = EIO});
 *	...
 *	inject_arm(NULL);
 *
 * Arm and disarm while only one thread runs.
 */
#ifndef HF_TEST_FAULT_INJECT_H
#define HF_TEST_FAULT_INJECT_H

#include <stdbool.h>

#include "base/base.h"

/* Allocators are wrapped where no sanitizer owns them. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INJECT_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
	__has_feature(memory_sanitizer)
#define INJECT_SANITIZED
#endif
#endif
#ifndef INJECT_SANITIZED
#define INJECT_MEMORY
#endif

enum inject_how { INJECT_FAIL = 0, INJECT_KILL, INJECT_SHORT, INJECT_STOP };

struct inject_order {
	const char *call; /* NULL: none */
	uint64_t at; /* from 1; 0: only count */
	int sys; /* errno */
	bool persist; /* all after it, too */
	bool late; /* after the call was carried out */
	enum inject_how how;
};

/* Begin counting anew. NULL: let everything pass. */
void inject_arm(const struct inject_order *order);
uint64_t inject_calls(void); /* of the ordered function since */
uint64_t inject_fired(void);

/* Called after each call that was carried out. fd: the descriptor it worked on, or the folder that
 * path is relative to; -1 and NULL where it has none. */
typedef void inject_trace_fn(void *arg, const char *name, int fd, const char *path, long result);
void inject_trace(inject_trace_fn *fn, void *arg);

#endif
