/* SPDX-License-Identifier: Apache-2.0 */

/* The event log back from its two files. */
#include "base/eventlog_read.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/eventlog.h"
#include "base/fs.h"
#include "base/json.h"

/* A writer may go past the limit before it sees it. */
enum { READ_MAX = 2 * EVENTLOG_BYTES_MAX };

/* Jobs are UUIDs in braces, which people may leave out. */
static const char *
without_brace(const char *job)
{
	return job[0] == '{' ? job + 1 : job;
}

bool
eventlog_read_wanted(const struct eventlog_filter *filter, const struct event *e)
{
	if (e->time_ns < filter->since_ns)
		return false;
	if (filter->level != 0 && e->level > filter->level)
		return false;
	if (filter->job == NULL)
		return true;
	const char *prefix = without_brace(filter->job);
	return strncasecmp(without_brace(e->job), prefix, strlen(prefix)) == 0;
}

/* One line, without its newline. Only want of memory is an error. */
static int
take_line(struct slice line, const struct eventlog_filter *filter, struct event_list *list,
	  struct error *err)
{
	CLEAN(json_done) json_t *j = NULL;
	struct error bad = ERROR_INIT;
	struct event e;

	if (line.n == 0)
		return OK;
	if (json_parse(line, "event", &j, &bad) < 0 || event_from_json(j, &e, &bad) < 0)
		return bad.code == ERR_NO_MEMORY ? error_no_memory(err) : OK;
	if (eventlog_read_wanted(filter, &e))
		return event_list_add(list, &e, err);
	event_done(&e);
	return OK;
}

/* Whole lines only; *ret_n says how many bytes they were. */
static int
take_lines(struct slice text, const struct eventlog_filter *filter, struct event_list *list,
	   size_t *ret_n, struct error *err)
{
	size_t n = 0;

	while (n < text.n) {
		const uint8_t *end = memchr(text.p + n, '\n', text.n - n);

		if (end == NULL)
			break;
		if (take_line(SLICE(text.p + n, (size_t)(end - text.p) - n), filter, list, err) < 0)
			return err->code;
		n = (size_t)(end - text.p) + 1;
	}
	*ret_n = n;
	return OK;
}

static int
read_file(int dirfd, const char *name, const struct eventlog_filter *filter,
	  struct event_list *list, struct error *err)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(READ_MAX);
	struct error reason = ERROR_INIT;
	size_t n;

	if (fs_read_file(dirfd, name, &b, &reason) < 0) {
		if (reason.code == ERR_NOT_FOUND)
			return OK;
		*err = reason;
		return error_prefix(err, "event log");
	}
	return take_lines(buf_slice(&b), filter, list, &n, err);
}

static void
keep_last(struct event_list *list, size_t last)
{
	size_t drop = list->n - last;

	for (size_t i = 0; i < drop; i++)
		event_done(&list->items[i]);
	memmove(list->items, list->items + drop, last * sizeof(*list->items));
	list->n = last;
}

int
eventlog_read(const char *dir, const struct eventlog_filter *filter, struct event_list *ret,
	      struct error *err)
{
	CLEAN(event_list_done) struct event_list list = {0};
	CLEAN(fd_close) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dirfd < 0 && errno != ENOENT)
		return error_sys(err, ERR_IO, "open '%s'", dir);
	if (dirfd >= 0 && (read_file(dirfd, EVENTLOG_FILE_OLD, filter, &list, err) < 0 ||
			   read_file(dirfd, EVENTLOG_FILE, filter, &list, err) < 0))
		return err->code;
	event_list_sort(&list);
	if (filter->last > 0 && list.n > filter->last)
		keep_last(&list, filter->last);
	*ret = list;
	list = (struct event_list){0};
	return OK;
}

struct eventlog_reader {
	int dirfd;
	int notify;
	int fd; /* -1: there is no file yet */
	uint64_t offset;
	struct buf b;
};

void
eventlog_reader_closep(struct eventlog_reader **reader)
{
	struct eventlog_reader *r = *reader;

	if (r == NULL)
		return;
	fd_close(&r->fd);
	fd_close(&r->notify);
	fd_close(&r->dirfd);
	buf_done(&r->b);
	free(r);
}

static void
open_current(struct eventlog_reader *r)
{
	r->fd = openat(r->dirfd, EVENTLOG_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	r->offset = 0;
	buf_reset(&r->b);
}

int
eventlog_reader_open(const char *dir, struct eventlog_reader **ret, struct error *err)
{
	CLEAN(eventlog_reader_closep) struct eventlog_reader *r = calloc(1, sizeof(*r));
	struct stat st;

	if (r == NULL)
		return error_no_memory(err);
	r->fd = r->notify = -1;
	r->b = BUF_INIT(READ_MAX);
	r->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->dirfd < 0)
		return error_sys(err, ERR_IO, "open '%s'", dir);
	r->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (r->notify < 0 ||
	    inotify_add_watch(r->notify, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return error_sys(err, ERR_IO, "watch '%s'", dir);
	open_current(r);
	if (r->fd >= 0 && fstat(r->fd, &st) == 0)
		r->offset = (uint64_t)st.st_size;
	*ret = STEAL_PTR(r);
	return OK;
}

int
eventlog_reader_wait(struct eventlog_reader *r, uint64_t deadline_ns, struct error *err)
{
	struct pollfd p = {.fd = r->notify, .events = POLLIN};
	char drained[4096];

	if (poll(&p, 1, clock_left_ms(deadline_ns)) < 0 && errno != EINTR)
		return error_sys(err, ERR_IO, "wait for events");
	/* Which file it was does not matter. */
	while (read(r->notify, drained, sizeof(drained)) > 0)
		continue;
	return OK;
}

static int
read_more(struct eventlog_reader *r, const struct eventlog_filter *filter, struct event_list *list,
	  struct error *err)
{
	size_t n;

	do {
		if (buf_reserve(&r->b, 65536, err) < 0 ||
		    fs_pread(r->fd, r->b.p + r->b.n, 65536, r->offset, &n, err) < 0)
			return err->code;
		r->b.n += n;
		r->offset += n;

		size_t used;
		if (take_lines(buf_slice(&r->b), filter, list, &used, err) < 0)
			return err->code;
		if (used > 0)
			memmove(r->b.p, r->b.p + used, r->b.n - used);
		r->b.n -= used;
	} while (n > 0);
	return OK;
}

/* Has our file become the old one? */
static bool
is_old(const struct eventlog_reader *r)
{
	struct stat ours, named;

	return fstat(r->fd, &ours) == 0 &&
	       fstatat(r->dirfd, EVENTLOG_FILE, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (ours.st_ino != named.st_ino || ours.st_dev != named.st_dev);
}

int
eventlog_reader_next(struct eventlog_reader *r, const struct eventlog_filter *filter,
		     struct event_list *list, struct error *err)
{
	if (r->fd < 0)
		open_current(r);
	if (r->fd < 0)
		return OK;
	bool old = is_old(r);
	if (read_more(r, filter, list, err) < 0)
		return err->code;
	if (!old)
		return OK;
	fd_close(&r->fd);
	open_current(r);
	return r->fd < 0 ? OK : read_more(r, filter, list, err);
}
