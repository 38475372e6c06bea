/* SPDX-License-Identifier: Apache-2.0 */

/* Feeding and hearing one ssh; everything bounded. */
#include "requester/ssh_run.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/spawn.h"
#include "writer/lines.h"

struct feed {
	int from; /* -1: all was sent */
	uint8_t bytes[65536];
	size_t at, n;
};

/* The newest words matter most: old ones make room. */
static void
remember(char said[SSH_SAID_MAX], const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t have = strlen(said);
		char c = text[i] >= ' ' && text[i] < 0x7f ? text[i] : ' ';

		if (c == ' ' && (have == 0 || said[have - 1] == ' '))
			continue;
		if (have == SSH_SAID_MAX - 1)
			memmove(said, said + 1, have--);
		said[have] = c;
		said[have + 1] = '\0';
	}
}

bool
ssh_run_listen(int fd, char said[SSH_SAID_MAX])
{
	char text[1024];
	ssize_t n = read(fd, text, sizeof(text));

	if (n > 0)
		remember(said, text, (size_t)n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* One piece of the input. At its end, and when the program no longer reads, its input is closed. */
static int
feed_some(struct feed *f, struct child *c, struct error *err)
{
	size_t taken;

	if (f->at == f->n) {
		ssize_t n = read(f->from, f->bytes, sizeof(f->bytes));

		if (n < 0)
			return error_sys(err, ERR_SOURCE, "read what is sent to the guest");
		f->at = 0;
		f->n = (size_t)n;
	}
	if (f->n > 0) {
		if (lines_push(c->in, SLICE(f->bytes + f->at, f->n - f->at), &taken, err) == OK) {
			f->at += taken;
			return OK;
		}
		if (err->sys != EPIPE)
			return err->code;
	}
	f->from = -1;
	fd_close(&c->in);
	c->in = -1;
	return OK;
}

static void
hear(int *fd, struct ssh_run *run)
{
	if (ssh_run_listen(*fd, run->said))
		return;
	fd_close(fd);
	*fd = -1;
}

/* Until both its outputs have ended. */
static int
converse(struct child *c, struct feed *f, uint64_t deadline_ns, struct ssh_run *run,
	 struct error *err)
{
	while (c->out >= 0 || c->errout >= 0) {
		struct pollfd p[] = {
			{.fd = c->out, .events = POLLIN},
			{.fd = c->errout, .events = POLLIN},
			{.fd = f->from >= 0 ? c->in : -1, .events = POLLOUT},
		};
		int n = poll(p, ARRAY_SIZE(p), clock_left_ms(deadline_ns));

		if (n < 0 && errno != EINTR)
			return error_sys(err, ERR_IO, "wait for ssh");
		if (n == 0)
			return error_set(err, ERR_TIMEOUT, "ssh did not come to an end in time");
		if (n < 0)
			continue;
		if (p[0].revents != 0)
			hear(&c->out, run);
		if (p[1].revents != 0)
			hear(&c->errout, run);
		if (p[2].revents != 0 && feed_some(f, c, err) < 0)
			return err->code;
	}
	return OK;
}

int
ssh_run(char *const argv[], int input, uint64_t deadline_ns, struct ssh_run *ret, struct error *err)
{
	CLEAN(child_kill) struct child c = CHILD_INIT;
	CLEAN(free_ptr) struct feed *feed = calloc(1, sizeof(*feed));
	struct ssh_run run = {0};
	int status = 0;
	int r;

	if (feed == NULL)
		return error_no_memory(err);
	feed->from = input;
	if (child_start(argv, NULL, &c, err) < 0)
		return err->code;
	if (input < 0) {
		fd_close(&c.in);
		c.in = -1;
	}
	if (converse(&c, feed, deadline_ns, &run, err) < 0)
		return err->code;
	r = child_wait(&c, deadline_ns, &status, err);
	if (r <= 0)
		return r < 0 ? r : error_set(err, ERR_TIMEOUT, "ssh did not end in time");
	run.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	*ret = run;
	return OK;
}
