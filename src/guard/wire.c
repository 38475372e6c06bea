/* SPDX-License-Identifier: Apache-2.0 */

/* One table says which body each kind of message has, in each direction. */
#include "guard/wire.h"

#include <string.h>
#include <sys/socket.h>

static const struct {
	size_t request, answer; /* bodies */
} sizes[WIRE_KINDS] = {
	[WIRE_HELLO] = {sizeof(struct wire_hello), 0},
	[WIRE_PING] = {0, 0},
	[WIRE_BEGIN] = {sizeof(struct wire_begin), 0}, /* the answer's key is the lease's */
	[WIRE_ADD] = {sizeof(struct wire_add), sizeof(struct snapshot)},
	[WIRE_WRITER] = {0, 0},
	[WIRE_FREEZE] = {sizeof(uint64_t), 0},
	[WIRE_SNAPSHOT] = {0, sizeof(struct guard_moment)},
	[WIRE_THAWED] = {0, 0},
	[WIRE_EXPOSE] = {0, sizeof(uint64_t)},
	[WIRE_KEEP] = {sizeof(uint64_t), 0},
	[WIRE_FINISH] = {0, sizeof(struct guard_verdict)},
	[WIRE_ABORT] = {0, 0},
	[WIRE_LOOK] = {0, sizeof(struct guard_lease)},
	[WIRE_NEXT] = {0, sizeof(struct guard_lease)},
	[WIRE_MEMBER] = {sizeof(uint64_t), sizeof(struct snapshot)},
	[WIRE_RELEASE] = {0, 0},
	[WIRE_SETTLE] = {0, 0},
	[WIRE_STOP] = {0, 0},
	[WIRE_EVENT] = {sizeof(struct guard_event), 0},
};

size_t
wire_size(const struct wire_head *head)
{
	if (head->kind == 0 || head->kind >= WIRE_KINDS || head->answer > 1 || head->code > OK ||
	    (head->answer == 0 && head->code != OK))
		return 0;
	size_t body = head->answer == 0 ? sizes[head->kind].request : sizes[head->kind].answer;
	if (head->code != OK)
		body = sizeof(struct wire_error);
	return offsetof(struct wire_message, body) + body;
}

/* ---- what C takes for granted ---------------------------------------------------------------- */

static bool
is_text(const char *field, size_t size)
{
	return memchr(field, '\0', size) != NULL;
}

#define IS_TEXT(field) is_text(field, sizeof(field))

/* Reading anything but 0 and 1 as a bool is undefined. */
static bool
is_bool(const bool *b)
{
	return *(const unsigned char *)b <= 1;
}

static bool
is_snapshot(const struct snapshot *s)
{
	return IS_TEXT(s->provider) && IS_TEXT(s->source) && IS_TEXT(s->place) &&
	       IS_TEXT(s->exposed) && IS_TEXT(s->detail);
}

static bool
is_hello(const struct wire_hello *h)
{
	const struct provider_settings *s = &h->settings;

	return IS_TEXT(h->state_dir) && IS_TEXT(s->mount_root) && IS_TEXT(s->external.create) &&
	       IS_TEXT(s->external.expose) && IS_TEXT(s->external.remove) &&
	       is_bool(&s->external.freeze);
}

static bool
is_lease(const struct guard_lease *l)
{
	return IS_TEXT(l->job) && is_bool(&l->lease.proven);
}

static bool
is_body(const struct wire_message *m)
{
	if (m->head.code != OK)
		return IS_TEXT(m->body.error.msg) && IS_TEXT(m->body.error.hint);
	switch (m->head.kind * 2 + (int)m->head.answer) {
	case WIRE_HELLO * 2:
		return is_hello(&m->body.hello);
	case WIRE_BEGIN * 2:
		return IS_TEXT(m->body.begin.job);
	case WIRE_ADD * 2:
		return IS_TEXT(m->body.add.provider) && IS_TEXT(m->body.add.source);
	case WIRE_ADD * 2 + 1:
	case WIRE_MEMBER * 2 + 1:
		return is_snapshot(&m->body.snapshot);
	case WIRE_SNAPSHOT * 2 + 1:
		return is_bool(&m->body.moment.ours);
	case WIRE_FINISH * 2 + 1:
		return is_bool(&m->body.verdict.proven);
	case WIRE_LOOK * 2 + 1:
	case WIRE_NEXT * 2 + 1:
		return is_lease(&m->body.lease);
	case WIRE_EVENT * 2:
		return IS_TEXT(m->body.event.job) && IS_TEXT(m->body.event.fields);
	default:
		return true;
	}
}

int
wire_check(const struct wire_message *m, size_t n, struct error *err)
{
	if (n < sizeof(m->head) || m->head.magic != WIRE_MAGIC)
		return error_set(err, ERR_PROTOCOL, "that is no message of a guard");
	if (m->head.version != WIRE_VERSION)
		return error_set(err, ERR_PROTOCOL, "the guard's protocol is version %u, not %d",
				 m->head.version, WIRE_VERSION);
	if (n != wire_size(&m->head) || !is_body(m))
		return error_set(err, ERR_PROTOCOL, "a message of kind %u is malformed",
				 m->head.kind);
	return OK;
}

/* ---- making them ----------------------------------------------------------------------------- */

void
wire_init(struct wire_message *m, enum wire_kind kind, uint64_t number, const struct lease_key *key)
{
	memset(m, 0, sizeof(*m)); /* what lies between the members crosses, too */
	m->head.magic = WIRE_MAGIC;
	m->head.version = WIRE_VERSION;
	m->head.kind = (uint16_t)kind;
	m->head.number = number;
	if (key != NULL)
		m->head.key = *key;
}

void
wire_text(char *field, size_t size, const char *text)
{
	size_t n = strnlen(text, size - 1);

	memcpy(field, text, n);
	memset(field + n, 0, size - n);
}

void
wire_set_error(struct wire_message *m, const struct error *e)
{
	m->head.answer = 1;
	m->head.code = e->code != OK ? e->code : ERR_INTERNAL;
	memset(&m->body, 0, sizeof(m->body));
	m->body.error.sys = e->sys;
	wire_text(m->body.error.msg, sizeof(m->body.error.msg), e->msg);
	wire_text(m->body.error.hint, sizeof(m->body.error.hint), e->hint);
}

int
wire_get_error(const struct wire_message *m, struct error *err)
{
	(void)error_set(err, m->head.code, "%s", m->body.error.msg);
	if (err != NULL && m->body.error.hint[0] != '\0')
		(void)error_hint(err, "%s", m->body.error.hint);
	if (err != NULL)
		err->sys = m->body.error.sys;
	return m->head.code;
}

/* ---- sending --------------------------------------------------------------------------------- */

union control {
	char room[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int
wire_send(int socket, const struct wire_message *m, int fd, bool wait, struct error *err)
{
	union control control = {0};
	struct iovec data = {.iov_base = (void *)(uintptr_t)m, .iov_len = wire_size(&m->head)};
	struct msghdr h = {.msg_iov = &data, .msg_iovlen = 1};

	if (data.iov_len == 0)
		return error_set(err, ERR_INTERNAL, "there is no message %u", m->head.kind);
	if (fd >= 0) {
		h.msg_control = control.room;
		h.msg_controllen = sizeof(control.room);
		struct cmsghdr *c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	for (;;) {
		if (sendmsg(socket, &h, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT)) >= 0)
			return 1;
		if (errno == EAGAIN && !wait)
			return 0;
		if (errno != EINTR)
			return error_sys(err, ERR_IO,
					 "send to the other end of the guard's socket");
	}
}

/* The descriptor that came along, or -1. We only ever make room for one. */
static int
descriptor_of(struct msghdr *h)
{
	int fd = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		    c->cmsg_len == CMSG_LEN(sizeof(fd)))
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	}
	return fd;
}

int
wire_receive(int socket, struct wire_message *m, int *ret_fd, bool *ret_closed, struct error *err)
{
	union control control = {0};
	struct iovec data = {.iov_base = m, .iov_len = sizeof(*m)};
	struct msghdr h = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	ssize_t n;

	*ret_closed = false;
	do
		n = recvmsg(socket, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n == 0 || (n < 0 && errno == ECONNRESET)) {
		*ret_closed = true;
		return 0;
	}
	if (n < 0)
		return error_sys(err, ERR_IO, "receive from the other end of the guard's socket");
	int fd = descriptor_of(&h);
	if (wire_check(m, (h.msg_flags & MSG_TRUNC) != 0 ? 0 : (size_t)n, err) < 0) {
		fd_close(&fd);
		return err->code;
	}
	*ret_fd = fd;
	return 1;
}
