/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Programs that do a provider's work: no shell, a deadline, bounded output, and an end for everything
 * they started. What they said is quoted in the error.
 */
#ifndef HF_PROVIDER_TOOL_H
#define HF_PROVIDER_TOOL_H

#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

enum { TOOL_ARGS_MAX = 64 };

/*
 * Run argv[0], a path or a name in PATH, with our environment (less HOLDFAST_*, LC_ALL=C) and `env`
 * ("NAME=value", NULL-terminated; may be NULL). Its standard output is appended to `out` (NULL: only
 * quoted in an error). ERR_TIMEOUT: it and its process group were killed. ERR_IO: it failed.
 */
CHECKED int tool_run(char *const argv[], char *const env[], uint64_t deadline_ns, struct buf *out,
		     struct error *err);

/* A command line taken apart at blanks; '...' and "..." keep blanks, and are left away. `store` holds
 * the words and needs as many bytes as the line. ERR_CONFIG: a quote is not closed, too many words, or
 * none. */
CHECKED int tool_split(const char *line, char *store, char *ret_argv[TOOL_ARGS_MAX + 1],
		       struct error *err);

/* See that it can be run when it has to be: an absolute path of a program that nobody but root can
 * change. ERR_CONFIG. */
CHECKED int tool_check(const char *program, struct error *err);

#endif
