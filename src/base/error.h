/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Errors: a code plus a caller-owned struct error that says what happened and what to do.
 *
 * A function that can fail returns OK (0) or a negative enum err, and takes a struct error * as its
 * last parameter. The struct is of fixed size, so an error can be reported when memory is gone,
 * sent over a wire, and shown by whoever owns the screen: libraries never print or log.
 *
 *	if (fd < 0)
 *		return error_sys(err, ERR_IO, "open '%s'", name);
 *	...
 *	if (pack_open(...) < 0)
 *		return error_prefix(err, "back up '%s'", path);
 *
 * Messages read from the outermost to the innermost: "back up '/srv/x': open 'y': No such file".
 * They begin in lower case and have no full stop; the hint is a sentence of its own.
 *
 * Expected outcomes are not errors: lookups return 1 found, 0 not found, < 0 error.
 */
#ifndef HF_BASE_ERROR_H
#define HF_BASE_ERROR_H

#include <errno.h>
#include <stdbool.h>

#include "base/base.h"

enum err {
	OK = 0,
#define ERR(name, number, hresult, retry, sentence, hint) ERR_##name = -(number),
#include "base/errors.def"
#undef ERR
};

struct error {
	enum err code;
	int sys; /* errno, 0 if none */
	const char *file; /* where first raised */
	int line;
	char msg[512];
	char hint[256];
};

#define ERROR_INIT ((struct error){.code = OK})

/* Raise: fill *err (may be NULL) with code, message and the code's default hint; returns code. */
#define error_set(err, code, ...) error_set_at(err, code, 0, __FILE__, __LINE__, __VA_ARGS__)
/* As error_set, for a failed system call: errno is kept and its text appended; ENOMEM, ENOSPC and
 * EDQUOT, EACCES/EPERM keep the code but get the fitting hint. errno is unchanged. */
#define error_sys(err, code, ...) error_set_at(err, code, errno, __FILE__, __LINE__, __VA_ARGS__)
#define error_no_memory(err)                                                                       \
	error_set_at(err, ERR_NO_MEMORY, 0, __FILE__, __LINE__, "allocate memory")

enum err error_set_at(struct error *err, enum err code, int sys, const char *file, int line,
		      const char *format, ...) PRINTF_LIKE(6, 7);

/* Add context in front of the message; returns the code that was there. err may be NULL only if the
 * caller does not need the code (then ERR_INTERNAL is returned). */
enum err error_prefix(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Replace the hint; returns the code that was there. */
enum err error_hint(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Facts about a code, from errors.def. Unknown codes give those of ERR_INTERNAL. */
const char *error_name(enum err code); /* "STORE_FULL" */
const char *error_sentence(enum err code);
uint32_t error_hresult(enum err code); /* 0: none */
bool error_retryable(enum err code);

/* The process exit code for a run that failed with this code: 2 usage, 3 incomplete, 75 worth
 * retrying (EX_TEMPFAIL), else 1. Source: design, "What a person sees". */
int error_exit_code(enum err code);

/* Walk the table: the n-th code (n from 0), or OK past its end. For documentation and tests. */
enum err error_code_at(size_t n);

#endif
