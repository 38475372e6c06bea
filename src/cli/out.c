/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Standard output. JSON lines may come from the progress thread as well as from the verb's, so a
 * lock keeps lines whole.
 */
#include "cli/out.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/json.h"

enum { LINE_MAX_BYTES = 32 << 20 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct error failure; /* the first; code OK: none */

static void
remember_write(void)
{
	if (failure.code == OK)
		error_sys(&failure, ERR_IO, "write to standard output");
}

void
out_bytes(struct slice text)
{
	pthread_mutex_lock(&lock);
	if (text.n > 0 && fwrite(text.p, 1, text.n, stdout) != text.n)
		remember_write();
	pthread_mutex_unlock(&lock);
}

void
out_text(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	pthread_mutex_lock(&lock);
	if (vprintf(format, ap) < 0)
		remember_write();
	pthread_mutex_unlock(&lock);
	va_end(ap);
}

void
out_json(json_t *j)
{
	CLEAN(json_done) json_t *mine = j;
	CLEAN(buf_done) struct buf line = BUF_INIT(LINE_MAX_BYTES);
	struct error err = ERROR_INIT;

	if (mine == NULL)
		error_no_memory(&err);
	else if (json_write(mine, &line, &err) == OK && buf_append(&line, "\n", 1, &err) == OK)
		err.code = OK;

	pthread_mutex_lock(&lock);
	if (err.code != OK) {
		if (failure.code == OK)
			failure = err;
	} else if (fwrite(line.p, 1, line.n, stdout) != line.n || fflush(stdout) != 0) {
		/* Flushed line by line: whoever reads wants to know now. */
		remember_write();
	}
	pthread_mutex_unlock(&lock);
}

bool
out_failed(void)
{
	bool failed;

	pthread_mutex_lock(&lock);
	failed = failure.code != OK;
	pthread_mutex_unlock(&lock);
	return failed;
}

void
out_flush(void)
{
	(void)fflush(stdout); /* a failure is out_finish()'s to report */
}

int
out_finish(struct error *err)
{
	int r = OK;

	pthread_mutex_lock(&lock);
	if (fflush(stdout) != 0)
		remember_write();
	if (failure.code != OK) {
		*err = failure;
		r = failure.code;
	}
	pthread_mutex_unlock(&lock);
	return r;
}
