/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Writing the event log. A line is put together on the stack: an event must still get out when memory
 * is gone. No lock between processes on the way of an event, since its holder may be stopped; only who
 * finds the file full asks for one, and does without if it is taken.
 */
#include "base/eventlog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/eventlog_entry.h"
#include "base/fs.h"
#include "base/text.h"

struct eventlog {
	pthread_mutex_t lock;
	int dirfd;
	int fd; /* EVENTLOG_FILE; -1: could not be opened, tried again with the next event */
	char program[32];
	int journal; /* socket, -1: none */
	eventlog_sink_fn *sink;
	void *sink_arg;
	unsigned holds;
	size_t n_held;
	uint64_t n_lost;
	struct eventlog_entry held[EVENTLOG_HELD_MAX];
};

static void
open_file(struct eventlog *log)
{
	log->fd = openat(log->dirfd, EVENTLOG_FILE,
			 O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
}

/* Somebody else may have renamed the file that we have open. */
static bool
is_current(const struct eventlog *log, struct stat *ret)
{
	struct stat named;

	return fstat(log->fd, ret) == 0 &&
	       fstatat(log->dirfd, EVENTLOG_FILE, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       named.st_ino == ret->st_ino && named.st_dev == ret->st_dev;
}

static void
reopen(struct eventlog *log)
{
	fd_close(&log->fd);
	open_file(log);
}

/* The file is full: make it the old one, unless another process is doing that. */
static void
rotate(struct eventlog *log)
{
	struct stat st;

	if (flock(log->fd, LOCK_EX | LOCK_NB) < 0)
		return;
	/* Under the lock it is certain whether the full file is still the current one. */
	if (is_current(log, &st))
		(void)renameat(log->dirfd, EVENTLOG_FILE, log->dirfd, EVENTLOG_FILE_OLD);
	reopen(log);
}

static void
write_line(struct eventlog *log, const char *line, size_t n)
{
	struct stat st;

	if (log->fd < 0)
		open_file(log);
	else if (!is_current(log, &st))
		reopen(log);
	else if (st.st_size >= EVENTLOG_BYTES_MAX)
		rotate(log);
	if (log->fd < 0)
		return;
	/* One write, never continued: the rest of a torn line would look like a line. */
	ssize_t written = write(log->fd, line, n);
	if (written > 0 && (size_t)written < n)
		(void)!write(log->fd, "\n", 1);
}

static void
emit(struct eventlog *log, const struct eventlog_entry *entry)
{
	char text[EVENTLOG_LINE_MAX];

	write_line(log, text, eventlog_entry_line(entry, log->program, text, sizeof(text)));
	if (log->journal >= 0)
		eventlog_entry_journal(entry, log->program, log->journal);
}

static void
emit_held(struct eventlog *log)
{
	for (size_t i = 0; i < log->n_held; i++)
		emit(log, &log->held[i]);
	log->n_held = 0;
	if (log->n_lost > 0) {
		struct eventlog_entry lost;

		eventlog_entry_make(&lost, clock_wall_ns(), EVENT_EVENTS_LOST, NULL,
				    "count=%" PRIu64, log->n_lost);
		emit(log, &lost);
		log->n_lost = 0;
	}
}

int
eventlog_open(const struct eventlog_options *options, struct eventlog **ret, struct error *err)
{
	struct eventlog *log = calloc(1, sizeof(*log));

	if (log == NULL)
		return error_no_memory(err);
	(void)pthread_mutex_init(&log->lock, NULL);
	log->dirfd = log->fd = log->journal = -1;
	(void)text_printf(log->program, sizeof(log->program), "%s", options->program);
	log->sink = options->sink;
	log->sink_arg = options->sink_arg;
	if (fs_mkdirs(AT_FDCWD, options->dir, 0700, err) < 0) {
		eventlog_close(log);
		return error_prefix(err, "event log");
	}
	log->dirfd = open(options->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (log->dirfd >= 0)
		open_file(log);
	if (log->fd < 0) {
		error_sys(err, ERR_IO, "open event log '%s/" EVENTLOG_FILE "'", options->dir);
		eventlog_close(log);
		return err->code;
	}
	if (options->journal != NULL)
		log->journal = eventlog_entry_journal_open(options->journal);
	*ret = log;
	return OK;
}

void
eventlog_close(struct eventlog *log)
{
	if (log == NULL)
		return;
	emit_held(log);
	fd_close(&log->journal);
	fd_close(&log->fd);
	fd_close(&log->dirfd);
	(void)pthread_mutex_destroy(&log->lock);
	free(log);
}

void
eventlog_closep(struct eventlog **log)
{
	eventlog_close(*log);
}

static void
add(struct eventlog *log, const struct eventlog_entry *entry)
{
	char fields[EVENTLOG_FIELDS_MAX];

	(void)pthread_mutex_lock(&log->lock);
	if (log->holds == 0)
		emit(log, entry);
	else if (log->n_held < EVENTLOG_HELD_MAX)
		log->held[log->n_held++] = *entry;
	else
		log->n_lost++;
	(void)pthread_mutex_unlock(&log->lock);
	if (log->sink != NULL)
		log->sink(log->sink_arg, entry->id, entry->job,
			  eventlog_entry_fields(entry, fields));
}

void
eventlog_add(struct eventlog *log, enum event_id id, const char *job, const char *format, ...)
{
	struct eventlog_entry entry;
	int errno_kept = errno;
	va_list ap;

	if (log == NULL)
		return;
	va_start(ap, format);
	eventlog_entry_vmake(&entry, clock_wall_ns(), id, job, format, ap);
	va_end(ap);
	add(log, &entry);
	errno = errno_kept;
}

void
eventlog_add_at(struct eventlog *log, uint64_t wall_ns, enum event_id id, const char *job,
		const char *format, ...)
{
	struct eventlog_entry entry;
	int errno_kept = errno;
	va_list ap;

	if (log == NULL)
		return;
	va_start(ap, format);
	eventlog_entry_vmake(&entry, wall_ns, id, job, format, ap);
	va_end(ap);
	add(log, &entry);
	errno = errno_kept;
}

void
eventlog_add_fields(struct eventlog *log, uint64_t wall_ns, enum event_id id, const char *job,
		    const char *fields)
{
	struct eventlog_entry entry;
	int errno_kept = errno;

	if (log == NULL)
		return;
	eventlog_entry_take(&entry, wall_ns, id, job, fields);
	add(log, &entry);
	errno = errno_kept;
}

void
eventlog_hold(struct eventlog *log)
{
	if (log == NULL)
		return;
	(void)pthread_mutex_lock(&log->lock);
	log->holds++;
	(void)pthread_mutex_unlock(&log->lock);
}

void
eventlog_let_go(struct eventlog *log)
{
	if (log == NULL)
		return;
	(void)pthread_mutex_lock(&log->lock);
	if (--log->holds == 0)
		emit_held(log);
	(void)pthread_mutex_unlock(&log->lock);
}
