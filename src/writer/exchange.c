/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One loop serves all three pipes of the program, so that neither side can block the other: while a
 * request is written, replies and complaints are read. Its end is known by its process, not by its
 * pipes, which others may hold.
 */
#include "writer/exchange.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/json.h"
#include "writer/wire.h"

/* After its output ended a program has this long to end itself, so that we learn how it ended. */
#define EXIT_LIMIT_NS (1 * NS_PER_S)

/* More lines than this without being asked is a flood. */
enum { UNASKED_MAX = 256 };
/* Reads of each pipe in one exchange_look(), which must not be held up by a program that never
 * stops. */
enum { LOOK_READS_MAX = 16 };
/* Of what was printed, so much goes into an error's message. */
enum { QUOTE_MAX = 200 };

/* The request being sent, the reply being awaited; all zero when nothing is. */
struct call {
	struct slice out;
	size_t reply_max;
	json_t *reply;
};

static void
call_done(struct call *c)
{
	json_decref(c->reply);
}

int
exchange_open(const char *path, struct exchange *ret, struct error *err)
{
	CLEAN(free_ptr) char *copy = strdup(path);
	char *argv[] = {copy, NULL};

	if (copy == NULL)
		return error_no_memory(err);
	*ret = (struct exchange){.child = CHILD_INIT};
	int rc = child_start_group(argv, NULL, &ret->child, err);
	if (rc < 0)
		return rc;
	lines_init(&ret->lines, WIRE_LARGE_MAX);
	return OK;
}

static void
keep_printed(struct exchange *x, const char *p, size_t n)
{
	if (n >= sizeof(x->printed)) {
		p += n - sizeof(x->printed);
		n = sizeof(x->printed);
	}
	size_t excess = x->n_printed + n > sizeof(x->printed)
				? x->n_printed + n - sizeof(x->printed)
				: 0;
	memmove(x->printed, x->printed + excess, x->n_printed - excess);
	memcpy(x->printed + x->n_printed - excess, p, n);
	x->n_printed += n - excess;
}

/* One read of its standard error; closes our end when that is over. */
static int
drain_printed(struct exchange *x)
{
	char text[EXCHANGE_PRINTED_MAX];

	ssize_t n = read(x->child.errout, text, sizeof(text));
	if (n > 0) {
		keep_printed(x, text, (size_t)n);
		return 1;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		fd_close(&x->child.errout);
		x->child.errout = -1;
	}
	return 0;
}

/* The end of what it printed, on one line. */
static void
quote_printed(const struct exchange *x, char text[QUOTE_MAX + 4])
{
	size_t n = x->n_printed;
	size_t to = 0;

	while (n > 0 && strchr(" \t\r\n", x->printed[n - 1]) != NULL)
		n--;
	size_t from = n > QUOTE_MAX ? n - QUOTE_MAX : 0;
	/* Not from the middle of a character. */
	while (from > 0 && from < n && ((unsigned char)x->printed[from] & 0xc0) == 0x80)
		from++;
	if (from > 0) {
		memcpy(text, "...", 3);
		to = 3;
	}
	for (size_t i = from; i < n; i++) {
		unsigned char c = (unsigned char)x->printed[i];

		text[to++] = c >= 0x20 && c != 0x7f ? (char)c : ' ';
	}
	text[to] = 0;
}

/* Kill the program for the reason in *why, which stays. What it printed may tell more. */
static enum err
give_up(struct exchange *x, const struct error *why, struct error *err)
{
	char quote[QUOTE_MAX + 4];

	for (int i = 0; i < LOOK_READS_MAX && x->child.errout >= 0; i++)
		if (drain_printed(x) == 0)
			break;
	quote_printed(x, quote);
	child_kill(&x->child);
	if (quote[0] != 0) {
		(void)error_set(&x->failure, why->code, "%s (it printed: %s)", why->msg, quote);
		(void)error_hint(&x->failure, "%s", why->hint);
	} else {
		x->failure = *why;
	}
	if (err != NULL)
		*err = x->failure;
	return x->failure.code;
}

/* Its output has ended: find out how, and say so. */
static enum err
give_up_ended(struct exchange *x, struct error *err)
{
	struct error why = ERROR_INIT;
	int status = 0;

	int rc = child_wait(&x->child, clock_boot_ns() + EXIT_LIMIT_NS, &status, NULL);
	if (rc == 1 && WIFSIGNALED(status))
		(void)error_set(&why, ERR_WRITER_DIED, "the writer was ended by signal %d (%s)",
				WTERMSIG(status), sigdescr_np(WTERMSIG(status)));
	else if (rc == 1)
		(void)error_set(&why, ERR_WRITER_DIED, "the writer ended with exit code %d",
				WEXITSTATUS(status));
	else
		(void)error_set(&why, ERR_WRITER_DIED, "the writer closed its output");
	return give_up(x, &why, err);
}

static enum err
give_up_protocol(struct exchange *x, struct error *why, struct error *err)
{
	(void)error_prefix(why, "the writer broke the protocol");
	if (why->code != ERR_NO_MEMORY) {
		why->code = ERR_PROTOCOL;
		(void)error_hint(why, "check that the writer program is of the same version");
	}
	return give_up(x, why, err);
}

static int
state_field(const json_t *line, enum writer_state *ret, struct error *err)
{
	uint64_t state;

	int rc = json_get_u64(line, "state", &state, err);
	if (rc < 0)
		return rc;
	if (state < WRITER_STABLE || state > WRITER_STATE_MAX)
		return error_set(err, ERR_PROTOCOL, "state %" PRIu64 " does not exist", state);
	*ret = (enum writer_state)state;
	return OK;
}

/* A line that answers nothing: a failure between events, or a change of state to be shown. */
static int
take_unasked(struct exchange *x, const json_t *line, struct error *err)
{
	const json_t *error = json_object_get(line, "error");

	if (++x->unasked > UNASKED_MAX)
		return error_set(err, ERR_PROTOCOL, "more than %d lines that answer nothing",
				 UNASKED_MAX);
	if (error == NULL || json_is_null(error))
		return OK;
	struct error told;
	int rc = wire_error_unpack(error, &told, err);
	if (rc == OK && x->failure.code == OK)
		x->failure = told;
	return rc;
}

static int
take_line(struct exchange *x, struct call *c, struct slice text, struct error *err)
{
	CLEAN(json_done) json_t *line = NULL;
	uint64_t seq;

	int rc = wire_parse(text, &line, err);
	if (rc == OK)
		rc = state_field(line, &x->shown, err);
	if (rc == OK)
		rc = json_opt_u64(line, "seq", 0, &seq, err);
	if (rc < 0)
		return rc;
	if (json_object_get(line, "seq") == NULL)
		return take_unasked(x, line, err);
	if (c->reply_max == 0 || c->reply != NULL || (json_int_t)seq != x->seq || c->out.n > 0)
		return error_set(err, ERR_PROTOCOL,
				 "a reply to request %" PRIu64 ", which is not open", seq);
	c->reply = STEAL_PTR(line);
	x->unasked = 0;
	return OK;
}

static int
take_lines(struct exchange *x, struct call *c, struct error *err)
{
	struct slice text;
	int rc;

	for (;;) {
		size_t max = c->reply_max > 0 && c->reply == NULL ? c->reply_max : WIRE_LINE_MAX;

		rc = lines_next(&x->lines, max, &text, err);
		if (rc <= 0)
			return rc;
		rc = take_line(x, c, text, err);
		if (rc < 0)
			return rc;
	}
}

/* Read what there is on its output. 1: there may be more; 0: not now. Its end is a failure. */
static int
take_output(struct exchange *x, struct call *c, struct error *err)
{
	struct error why = ERROR_INIT;

	int more = lines_fill(&x->lines, x->child.out, &why);
	int rc = more >= 0 ? take_lines(x, c, &why) : more;
	if (rc < 0)
		return give_up_protocol(x, &why, err);
	/* With a reply at hand the call succeeded; the end is met again by the next one. */
	if (x->lines.eof && c->reply == NULL)
		return give_up_ended(x, err);
	return more;
}

/* The process is gone. What it said before it went may still be here, held open by something that it
 * started; a reply among that counts, as if it had gone later. */
static int
take_last_words(struct exchange *x, struct call *c, struct error *err)
{
	for (int i = 0; i < LOOK_READS_MAX && c->reply == NULL; i++) {
		int rc = take_output(x, c, err);
		if (rc < 0)
			return rc;
		if (rc == 0)
			break;
	}
	return c->reply != NULL ? OK : (int)give_up_ended(x, err);
}

static int
push_request(struct exchange *x, struct call *c, struct error *err)
{
	struct error why = ERROR_INIT;
	size_t n;

	int rc = lines_push(x->child.in, c->out, &n, &why);
	if (rc < 0 && why.sys == EPIPE) {
		/* Its last words on its output tell more than this. */
		c->out.n = 0;
		return OK;
	}
	if (rc < 0)
		return give_up(x, &why, err);
	c->out.p += n;
	c->out.n -= n;
	return OK;
}

/* Wait until something can be done on any of the pipes, and do it. */
static int
serve_pipes(struct exchange *x, struct call *c, const char *event, uint64_t timeout_ns,
	    uint64_t deadline_ns, struct error *err)
{
	struct pollfd p[] = {
		{.fd = x->child.out, .events = POLLIN},
		{.fd = x->child.errout, .events = POLLIN},
		{.fd = c->out.n > 0 ? x->child.in : -1, .events = POLLOUT},
		{.fd = x->child.pidfd, .events = POLLIN},
	};
	struct error why = ERROR_INIT;

	int ready = poll(p, ARRAY_SIZE(p), clock_left_ms(deadline_ns));
	if (ready < 0 && errno == EINTR)
		return OK;
	if (ready < 0) {
		(void)error_sys(&why, ERR_IO, "wait for the writer");
		return give_up(x, &why, err);
	}
	if (clock_boot_ns() >= deadline_ns) {
		(void)error_set(&why, ERR_WRITER_TIMEOUT,
				"the writer did not answer '%s' within %.3g s", event,
				(double)timeout_ns / (double)NS_PER_S);
		return give_up(x, &why, err);
	}
	if (p[1].revents != 0)
		(void)drain_printed(x);
	if (p[2].revents != 0) {
		int rc = push_request(x, c, err);
		if (rc < 0)
			return rc;
	}
	if (p[3].revents != 0)
		return take_last_words(x, c, err);
	return p[0].revents != 0 ? take_output(x, c, err) : OK;
}

static int
request_text(struct exchange *x, json_t *request, uint64_t timeout_ns, struct buf *text,
	     struct error *err)
{
	if (json_object_set_new(request, "seq", json_integer(++x->seq)) < 0 ||
	    json_object_set_new(request, "timeout_ms",
				json_integer((json_int_t)(timeout_ns / NS_PER_MS))) < 0)
		return error_no_memory(err);
	int rc = json_write(request, text, err);
	return rc == OK ? buf_u8(text, '\n', err) : rc;
}

/* What the reply says: its error, or nothing. */
static int
open_reply(struct exchange *x, json_t *reply, struct error *err)
{
	const json_t *error = json_object_get(reply, "error");
	struct error why = ERROR_INIT;
	struct error told;

	if (error == NULL || json_is_null(error))
		return OK;
	if (wire_error_unpack(error, &told, &why) < 0)
		return give_up_protocol(x, &why, err);
	if (err != NULL)
		*err = told;
	return told.code;
}

int
exchange_call(struct exchange *x, json_t *request, size_t reply_max, uint64_t timeout_ns,
	      json_t **ret_reply, struct error *err)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(WIRE_LARGE_MAX + 1);
	CLEAN(call_done) struct call c = {.reply_max = reply_max};
	const char *event = json_string_value(json_object_get(request, "event"));
	uint64_t deadline_ns = clock_boot_ns() + timeout_ns;

	if (x->child.pid == 0) {
		if (err != NULL)
			*err = x->failure;
		return x->failure.code;
	}
	int rc = request_text(x, request, timeout_ns, &text, err);
	if (rc < 0)
		return rc;
	c.out = buf_slice(&text);
	while (c.reply == NULL) {
		rc = serve_pipes(x, &c, event, timeout_ns, deadline_ns, err);
		if (rc < 0)
			return rc;
	}
	rc = open_reply(x, c.reply, err);
	if (rc < 0)
		return rc;
	*ret_reply = STEAL_PTR(c.reply);
	return OK;
}

static bool
has_ended(const struct exchange *x)
{
	struct pollfd p = {.fd = x->child.pidfd, .events = POLLIN};

	return x->child.pid != 0 && poll(&p, 1, 0) == 1;
}

int
exchange_look(struct exchange *x, struct error *err)
{
	struct call nothing = {0};

	for (int i = 0; i < LOOK_READS_MAX && x->child.errout >= 0; i++)
		if (drain_printed(x) == 0)
			break;
	for (int i = 0; i < LOOK_READS_MAX && x->child.pid != 0; i++) {
		int rc = take_output(x, &nothing, err);
		if (rc < 0)
			return rc;
		if (rc == 0)
			break;
	}
	/* Something it started may keep its output open. */
	if (has_ended(x))
		return take_last_words(x, &nothing, err);
	if (x->failure.code != OK && err != NULL)
		*err = x->failure;
	return x->failure.code;
}

void
exchange_close(struct exchange *x, uint64_t deadline_ns)
{
	int status;

	if (x->child.pid != 0) {
		fd_close(&x->child.in);
		x->child.in = -1;
		(void)!child_wait(&x->child, deadline_ns, &status, NULL);
	}
	child_kill(&x->child);
	lines_done(&x->lines);
}
