/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The agent's log, in the form of the guest logs that administrators of VSS-based backups know: time,
 * thread, level, text. One write a line.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "agent/service_internal.h"
#include "base/clock.h"
#include "base/text.h"

static const char *
level_name(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "ERROR";
	case LOG_LEVEL_WARN:
		return "WARN ";
	case LOG_LEVEL_NOTICE:
	case LOG_LEVEL_INFO:
		return "INFO ";
	case LOG_LEVEL_DEBUG:
		break;
	}
	return "DEBUG";
}

void
service_log(const struct service *s, enum log_level level, const char *format, ...)
{
	static _Thread_local int thread;
	uint64_t now = clock_wall_ns();
	time_t seconds = (time_t)(now / NS_PER_S);
	char text[1024], line[1100], when[32];
	struct tm tm;
	va_list ap;

	if (s->options->log_fd < 0)
		return;
	if (thread == 0)
		thread = (int)gettid();
	va_start(ap, format);
	(void)text_vprintf(text, sizeof(text), format, ap);
	va_end(ap);
	/* A peer's text must not make lines of its own. */
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	(void)gmtime_r(&seconds, &tm);
	(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	(void)text_printf(line, sizeof(line), "%s.%03" PRIu64 " %5d %s %s\n", when,
			  now % NS_PER_S / NS_PER_MS, thread, level_name(level), text);
	(void)!write(s->options->log_fd, line, strlen(line));
}
