/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The way from an event to the program's sink. The fields are formatted on the stack: an event must
 * still get out when memory is gone.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>

#include "base/text.h"

enum { LOG_FIELDS_MAX = 2048 };

/* Written once before threads start, see log.h; hence no lock. */
static log_sink_fn *sink_fn;
static void *sink_arg;

void
log_set_sink(log_sink_fn *sink, void *arg)
{
	sink_fn = sink;
	sink_arg = arg;
}

void
log_event(enum log_level level, const char *message, const char *fields_format, ...)
{
	if (sink_fn == NULL)
		return;

	int errno_kept = errno;
	char fields[LOG_FIELDS_MAX];
	va_list ap;

	va_start(ap, fields_format);
	(void)text_vprintf(fields, sizeof(fields), fields_format, ap);
	va_end(ap);
	sink_fn(level, message, fields, sink_arg);
	errno = errno_kept;
}
