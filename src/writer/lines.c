/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Cutting and sending lines. The buffer keeps only what was not handed out yet: used bytes are
 * moved away at the next fill, so a peer's flood is bounded by the longest line plus one read.
 */
#include "writer/lines.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

enum { LINES_READ = 64 * 1024 };

void
lines_init(struct lines *l, size_t max)
{
	*l = (struct lines){.buf = BUF_INIT(max + LINES_READ)};
}

void
lines_done(struct lines *l)
{
	buf_done(&l->buf);
}

static void
drop_used(struct lines *l)
{
	struct buf *b = &l->buf;

	if (l->at == 0)
		return;
	b->n -= l->at;
	memmove(b->p, b->p + l->at, b->n);
	l->scanned -= l->at;
	l->at = 0;
}

int
lines_fill(struct lines *l, int fd, struct error *err)
{
	ssize_t n;

	drop_used(l);
	int rc = buf_reserve(&l->buf, LINES_READ, err);
	if (rc < 0)
		return rc;
	do
		n = read(fd, l->buf.p + l->buf.n, LINES_READ);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0)
		return error_sys(err, ERR_IO, "read from a pipe");
	if (n == 0) {
		l->eof = true;
		return 0;
	}
	l->buf.n += (size_t)n;
	return 1;
}

int
lines_next(struct lines *l, size_t max, struct slice *ret, struct error *err)
{
	const uint8_t *p = l->buf.p;
	const uint8_t *end = NULL;

	if (l->scanned < l->buf.n)
		end = memchr(p + l->scanned, '\n', l->buf.n - l->scanned);
	size_t n = (end != NULL ? (size_t)(end - p) : l->buf.n) - l->at;
	if (n > max)
		return error_set(err, ERR_LIMIT, "a line is longer than %zu bytes", max);
	if (end == NULL) {
		l->scanned = l->buf.n;
		return 0;
	}
	*ret = SLICE(p + l->at, n);
	l->at += n + 1;
	l->scanned = l->at;
	return 1;
}

/*
 * write(2) that fails with EPIPE without raising SIGPIPE: a library must not end the process, nor
 * change the disposition of its signals. The signal is blocked, and a fresh one taken back.
 */
static ssize_t
write_quietly(int fd, const void *p, size_t n)
{
	sigset_t sigpipe, before, pending;
	const struct timespec now = {0};

	(void)sigemptyset(&sigpipe);
	(void)sigaddset(&sigpipe, SIGPIPE);
	(void)sigpending(&pending);
	(void)pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
	ssize_t done = write(fd, p, n);
	int errno_kept = errno;
	if (done < 0 && errno == EPIPE && sigismember(&pending, SIGPIPE) == 0)
		while (sigtimedwait(&sigpipe, NULL, &now) < 0 && errno == EINTR)
			;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = errno_kept;
	return done;
}

int
lines_push(int fd, struct slice data, size_t *ret_n, struct error *err)
{
	/* A pipe that poll found writable takes PIPE_BUF bytes at once, even a blocking one. */
	ssize_t n = write_quietly(fd, data.p, MIN(data.n, (size_t)PIPE_BUF));
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return error_sys(err, ERR_IO, "write to a pipe");
	*ret_n = n > 0 ? (size_t)n : 0;
	return OK;
}

int
lines_write(int fd, struct slice data, uint64_t deadline_ns, struct error *err)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	while (data.n > 0) {
		int left_ms = clock_left_ms(deadline_ns);
		int ready = poll(&p, 1, left_ms);
		if (ready == 0)
			return error_set(err, ERR_TIMEOUT, "the other side does not read");
		if (ready < 0 && errno != EINTR)
			return error_sys(err, ERR_IO, "wait for a pipe");
		if (ready < 0)
			continue;
		size_t n;
		int rc = lines_push(fd, data, &n, err);
		if (rc < 0)
			return rc;
		data.p += n;
		data.n -= n;
	}
	return OK;
}
