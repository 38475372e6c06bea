/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Raising and wording errors. Everything works in the caller's struct and on the stack: an error
 * about missing memory must not need memory. When a message outgrows its buffer the outer context is
 * cut, never the innermost reason, which is what a person needs.
 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

struct error_fact {
	enum err code;
	const char *name;
	uint32_t hresult;
	bool retryable;
	const char *sentence;
	const char *hint;
};

static const struct error_fact facts[] = {
#define ERR(name, number, hresult, retry, sentence, hint)                                          \
	{ERR_##name, #name, hresult, (retry) != 0, sentence, hint},
#include "base/errors.def"
#undef ERR
};

static const struct error_fact fact_ok = {OK, "OK", 0, false, "done", ""};

static const struct error_fact *
fact_of(enum err code)
{
	if (code == OK)
		return &fact_ok;
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		if (facts[i].code == code)
			return &facts[i];
	return &facts[0];
}

/* What to do about an errno, where that is better known than what to do about the code. */
static const char *
hint_of_sys(enum err code, int sys)
{
	switch (sys) {
	case ENOMEM:
		return fact_of(ERR_NO_MEMORY)->hint;
	case ENOSPC:
		if (code == ERR_STORE_FULL)
			return NULL; /* the code's own hint names the ways out */
		return "free space on that file system";
	case EDQUOT:
		return "free space, or raise the quota of this user on that file system";
	case EACCES:
	case EPERM:
		return "check owner and permissions, or run as a user who may (root may read every "
		       "file)";
	case EROFS:
		return "the file system is read-only: remount it writable, or use another path";
	case EMFILE:
		return "raise this process's limit of open files (ulimit -n, or LimitNOFILE= in "
		       "the unit)";
	case ENFILE:
		return "the machine is out of open files: raise sysctl fs.file-max";
	default:
		return NULL;
	}
}

/* Put `head` and ": " in front of msg. What is too long is taken from the head. */
static void
prepend(char *msg, size_t size, char *head)
{
	size_t tail_len = strlen(msg);
	size_t room = size - 1 - tail_len;

	/* A head of a few letters would tell nothing: leave it out. */
	if (room < 8)
		return;
	(void)text_cut(head, room - 2);
	size_t head_len = strlen(head);
	memmove(msg + head_len + 2, msg, tail_len + 1);
	memcpy(msg, head, head_len);
	memcpy(msg + head_len, ": ", 2);
}

static void
describe_sys(char *text, size_t size, int sys)
{
	const char *known = strerrordesc_np(sys);

	if (known != NULL)
		(void)text_printf(text, size, "%s", known);
	else
		(void)text_printf(text, size, "error number %d", sys);
}

enum err
error_set_at(struct error *err, enum err code, int sys, const char *file, int line,
	     const char *format, ...)
{
	if (err == NULL)
		return code;

	int errno_kept = errno;
	/* Formatted aside: an argument may be a part of the very struct that is being filled. */
	char msg[sizeof(err->msg)];
	va_list ap;

	va_start(ap, format);
	(void)text_vprintf(msg, sizeof(msg), format, ap);
	va_end(ap);

	err->code = code;
	err->sys = sys;
	err->file = file;
	err->line = line;
	if (sys != 0) {
		describe_sys(err->msg, sizeof(err->msg), sys);
		prepend(err->msg, sizeof(err->msg), msg);
	} else {
		memcpy(err->msg, msg, strlen(msg) + 1);
	}

	const char *hint = sys != 0 ? hint_of_sys(code, sys) : NULL;
	if (hint == NULL)
		hint = fact_of(code)->hint;
	(void)text_printf(err->hint, sizeof(err->hint), "%s", hint);
	errno = errno_kept;
	return code;
}

enum err
error_prefix(struct error *err, const char *format, ...)
{
	if (err == NULL)
		return ERR_INTERNAL;

	int errno_kept = errno;
	char head[sizeof(err->msg)];
	va_list ap;

	va_start(ap, format);
	(void)text_vprintf(head, sizeof(head), format, ap);
	va_end(ap);

	/* Whoever adds context has seen a failure; one without a code must not turn into success. */
	if (err->code == OK)
		err->code = ERR_INTERNAL;
	prepend(err->msg, sizeof(err->msg), head);
	errno = errno_kept;
	return err->code;
}

enum err
error_hint(struct error *err, const char *format, ...)
{
	if (err == NULL)
		return ERR_INTERNAL;

	int errno_kept = errno;
	char hint[sizeof(err->hint)];
	va_list ap;

	va_start(ap, format);
	(void)text_vprintf(hint, sizeof(hint), format, ap);
	va_end(ap);
	memcpy(err->hint, hint, strlen(hint) + 1);
	errno = errno_kept;
	return err->code;
}

const char *
error_name(enum err code)
{
	return fact_of(code)->name;
}

const char *
error_sentence(enum err code)
{
	return fact_of(code)->sentence;
}

uint32_t
error_hresult(enum err code)
{
	return fact_of(code)->hresult;
}

bool
error_retryable(enum err code)
{
	return fact_of(code)->retryable;
}

int
error_exit_code(enum err code)
{
	enum { EXIT_USAGE = 2, EXIT_INCOMPLETE = 3, EXIT_RETRY = 75 };

	if (code == OK)
		return EXIT_SUCCESS;
	if (code == ERR_USAGE)
		return EXIT_USAGE;
	if (code == ERR_INCOMPLETE)
		return EXIT_INCOMPLETE;
	return error_retryable(code) ? EXIT_RETRY : EXIT_FAILURE;
}

enum err
error_code_at(size_t n)
{
	return n < ARRAY_SIZE(facts) ? facts[n].code : OK;
}
