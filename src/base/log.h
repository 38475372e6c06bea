/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a process tells its operator. Libraries do not log: only programs (src/cli, the writers) set a
 * sink, and code that runs inside one reports notable events through it. Message text is constant,
 * values go into fields, so that logs can be searched:
 *
 *	log_event(LOG_LEVEL_WARN, "file changed while read", "path=%s", path);
 */
#ifndef HF_BASE_LOG_H
#define HF_BASE_LOG_H

#include "base/base.h"

enum log_level {
	LOG_LEVEL_ERROR = 1, /* a person must act */
	LOG_LEVEL_WARN, /* "…, continuing without X" */
	LOG_LEVEL_NOTICE, /* a job begins, ends */
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

typedef void log_sink_fn(enum log_level level, const char *message, const char *fields, void *arg);

/* NULL: silence (the default). Set once, before threads start; called from any thread. */
void log_set_sink(log_sink_fn *sink, void *arg);
void log_event(enum log_level level, const char *message, const char *fields_format, ...)
	PRINTF_LIKE(3, 4);

#endif
