/* SPDX-License-Identifier: Apache-2.0 */

/* The thread of a channel, with a channel that does what the test says. */
#include "group/context_link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define MS(n) ((n)*NS_PER_MS)
#define LIMIT_NS (20 * NS_PER_S)

static const struct group group = {
	.heartbeat_ns = MS(20), .heartbeat_timeout_ns = MS(200), .context_lease_ns = MS(1500)};
/* For what is not to expire, on a busy machine neither. */
static const struct group patient = {
	.heartbeat_ns = MS(20), .heartbeat_timeout_ns = MS(200), .context_lease_ns = LIMIT_NS};

struct fake {
	atomic_int beat_code, reopen_code; /* what the next ones end with */
	atomic_bool stuck; /* beats do not come back */
	int fd; /* 0: none */
	atomic_uint heard; /* bytes */
	atomic_uint beats, reopens, lost, back, over;
};

static int
answer(int code, struct error *err)
{
	return code == OK ? OK : (int)error_set(err, (enum err)code, "as told");
}

static void
nap(void)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = 2 * 1000 * 1000}, NULL);
}

static int
fake_beat(void *arg, uint64_t deadline_ns, struct error *err)
{
	struct fake *f = arg;

	(void)deadline_ns;
	atomic_fetch_add(&f->beats, 1);
	while (atomic_load(&f->stuck))
		nap();
	return answer(atomic_load(&f->beat_code), err);
}

static int
fake_reopen(void *arg, uint64_t deadline_ns, struct error *err)
{
	struct fake *f = arg;

	assert_true(deadline_ns <= clock_boot_ns() + 2 * group.heartbeat_timeout_ns);
	atomic_fetch_add(&f->reopens, 1);
	return answer(atomic_load(&f->reopen_code), err);
}

static int
fake_fd(void *arg)
{
	const struct fake *f = arg;

	return f->fd != 0 ? f->fd : -1;
}

static int
fake_hear(void *arg, struct error *err)
{
	struct fake *f = arg;
	char bytes[16];
	ssize_t n = recv(f->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n > 0)
		atomic_fetch_add(&f->heard, (unsigned)n);
	if (n > 0 || (n < 0 && errno == EAGAIN))
		return OK;
	f->fd = 0;
	return answer(ERR_DB_SESSION_LOST, err);
}

static void
fake_lost(void *arg, const struct error *why)
{
	assert_string_equal(why->msg, "as told");
	atomic_fetch_add(&((struct fake *)arg)->lost, 1);
}

static void
fake_back(void *arg, uint64_t away_ns)
{
	assert_true(away_ns < LIMIT_NS);
	atomic_fetch_add(&((struct fake *)arg)->back, 1);
}

static void
fake_over(void *arg, const struct error *why, uint64_t away_ns)
{
	(void)away_ns;
	assert_true(why->code != OK);
	atomic_fetch_add(&((struct fake *)arg)->over, 1);
}

static void
fake_expired(void *arg, uint64_t silent_ns, const struct error *last, struct error *err)
{
	(void)arg;
	assert_true(silent_ns >= group.context_lease_ns);
	(void)error_set(err, ERR_CONTEXT_LOST, "expired, %s", last->code != OK ? last->msg : "-");
}

static const struct context_link_ops ops = {
	.beat = fake_beat,
	.reopen = fake_reopen,
	.fd = fake_fd,
	.hear = fake_hear,
	.lost = fake_lost,
	.back = fake_back,
	.over = fake_over,
	.expired = fake_expired,
};

static struct context_link *
start_in(struct fake *f, const struct group *g)
{
	struct context_link *l;
	struct error err = ERROR_INIT;

	assert_int_equal(context_link_start(&ops, f, g, &l, &err), OK);
	return l;
}

static struct context_link *
start(struct fake *f)
{
	return start_in(f, &patient);
}

static void
until(atomic_uint *counter, unsigned n)
{
	uint64_t end = clock_boot_ns() + LIMIT_NS;

	while (atomic_load(counter) < n) {
		assert_true(clock_boot_ns() < end);
		nap();
	}
}

static int
until_over(struct context_link *l, struct error *err)
{
	uint64_t end = clock_boot_ns() + LIMIT_NS;
	int rc;

	while ((rc = context_link_check(l, err)) == OK) {
		assert_true(clock_boot_ns() < end);
		nap();
	}
	return rc;
}

static int
prove(struct context_link *l, uint64_t ns, struct error *err)
{
	return context_link_await(l, context_link_ask(l), clock_boot_ns() + ns, err);
}

static void
test_well(void **state)
{
	struct fake f = {0};
	struct context_link *l = start(&f);
	struct context_link_state s;
	struct error err = ERROR_INIT;

	(void)state;
	until(&f.beats, 5);
	assert_int_equal(context_link_check(l, &err), OK);
	assert_int_equal(prove(l, LIMIT_NS, &err), OK);
	context_link_state(l, &s);
	assert_true(s.held);
	assert_int_equal(s.reopened, 0);
	context_link_stop(l);
	assert_int_equal(f.lost + f.back + f.over, 0);
}

static void
test_back(void **state)
{
	struct fake f = {.reopen_code = ERR_DB_CONNECT};
	struct context_link *l = start(&f);
	struct context_link_state s;
	struct error err = ERROR_INIT;

	(void)state;
	atomic_store(&f.beat_code, ERR_TIMEOUT);
	until(&f.reopens, 3);
	assert_int_equal(context_link_check(l, &err), OK);
	/* What is away is not proven. */
	assert_int_equal(prove(l, MS(50), &err), ERR_CONTEXT_LOST);
	assert_string_equal(err.msg, "it is lost, and was not back in time: as told");
	atomic_store(&f.beat_code, OK);
	atomic_store(&f.reopen_code, OK);
	assert_int_equal(prove(l, LIMIT_NS, &err), OK);
	until(&f.back, 1);
	context_link_state(l, &s);
	assert_int_equal(s.reopened, 1);
	context_link_stop(l);
	assert_int_equal(f.lost, 1);
	assert_int_equal(f.over, 0);
}

static void
test_over(void **state)
{
	struct fake f = {.beat_code = ERR_GROUP_ROLE};
	struct context_link *l = start(&f);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(until_over(l, &err), ERR_GROUP_ROLE);
	assert_string_equal(err.msg, "as told");
	assert_int_equal(prove(l, LIMIT_NS, &err), ERR_GROUP_ROLE);
	until(&f.over, 1);
	context_link_stop(l);
	assert_int_equal(f.beats, 1);
	assert_int_equal(f.lost + f.reopens, 0);
}

static void
test_expires(void **state)
{
	struct fake f = {.beat_code = ERR_DB_SESSION_LOST, .reopen_code = ERR_DB_CONNECT};
	uint64_t start_ns = clock_boot_ns();
	struct context_link *l = start_in(&f, &group);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(until_over(l, &err), ERR_CONTEXT_LOST);
	assert_true(clock_boot_ns() - start_ns >= group.context_lease_ns);
	assert_string_equal(err.msg, "expired, as told");
	until(&f.over, 1);
	context_link_stop(l);
	assert_int_equal(f.lost, 1);
	assert_int_equal(f.over, 1);
}

/* A call that does not come back keeps nobody from knowing. */
static void
test_stuck(void **state)
{
	struct fake f = {.stuck = true};
	struct context_link *l = start_in(&f, &group);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(prove(l, MS(50), &err), ERR_CONTEXT_LOST);
	assert_int_equal(until_over(l, &err), ERR_CONTEXT_LOST);
	assert_string_equal(err.msg, "expired, -");
	atomic_store(&f.stuck, false);
	context_link_stop(l);
}

/* A beat that was on its way when somebody asked is no answer. */
static void
test_asked_meanwhile(void **state)
{
	struct fake f = {.stuck = true};
	struct context_link *l = start(&f);
	struct error err = ERROR_INIT;
	uint64_t ticket;

	(void)state;
	until(&f.beats, 1);
	ticket = context_link_ask(l);
	atomic_store(&f.stuck, false);
	assert_int_equal(context_link_await(l, ticket, clock_boot_ns() + LIMIT_NS, &err), OK);
	assert_true(atomic_load(&f.beats) >= 2);
	context_link_stop(l);
}

/* What the far end does between beats is seen at once; what it only says is nothing. */
static void
test_heard(void **state)
{
	static const struct group slow = {.heartbeat_ns = 2 * LIMIT_NS,
					  .heartbeat_timeout_ns = MS(200),
					  .context_lease_ns = 10 * LIMIT_NS};
	int ends[2];
	struct fake f = {0};
	struct context_link *l;
	struct context_link_state s;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	f.fd = ends[0];
	l = start_in(&f, &slow);
	assert_int_equal(send(ends[1], "hello", 5, 0), 5);
	until(&f.heard, 5);
	context_link_state(l, &s);
	assert_true(s.held);
	assert_int_equal(f.lost, 0);
	(void)close(ends[1]);
	until(&f.back, 1);
	context_link_state(l, &s);
	assert_true(s.held);
	assert_int_equal(s.reopened, 1);
	context_link_stop(l);
	assert_int_equal(f.beats, 0);
	assert_int_equal(f.lost, 1);
	assert_int_equal(f.reopens, 1);
	(void)close(ends[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_well),  cmocka_unit_test(test_back),
		cmocka_unit_test(test_over),  cmocka_unit_test(test_expires),
		cmocka_unit_test(test_stuck), cmocka_unit_test(test_asked_meanwhile),
		cmocka_unit_test(test_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
