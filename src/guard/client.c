/* SPDX-License-Identifier: Apache-2.0 */

/* A call is a request and a wait for its answer; who hears the answers is client_reader.c. */
#include "guard/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>

#include "base/clock.h"
#include "guard/client_internal.h"

#define START_LIMIT_NS (60 * NS_PER_S)
#define STOP_LIMIT_NS (60 * NS_PER_S)
#define RESTART_LIMIT_NS (30 * NS_PER_S)

/* ---- calls ----------------------------------------------------------------------------------- */

static void
wait_changed(struct guard *g, uint64_t deadline_ns)
{
	struct timespec t = {
		.tv_sec = (time_t)(deadline_ns / NS_PER_S),
		.tv_nsec = (long)(deadline_ns % NS_PER_S),
	};
	struct timespec mono;

	if (deadline_ns == UINT64_MAX) {
		(void)pthread_cond_wait(&g->changed, &g->mutex);
		return;
	}
	/* There is no wait on the boot clock: as much time on the monotonic one. */
	uint64_t now = clock_boot_ns();
	uint64_t left = deadline_ns - MIN(now, deadline_ns);
	(void)clock_gettime(CLOCK_MONOTONIC, &mono);
	uint64_t at = (uint64_t)mono.tv_sec * NS_PER_S + (uint64_t)mono.tv_nsec + left;
	t.tv_sec = (time_t)(at / NS_PER_S);
	t.tv_nsec = (long)(at % NS_PER_S);
	(void)pthread_cond_clockwait(&g->changed, &g->mutex, CLOCK_MONOTONIC, &t);
}

/* Until there is a guard to talk to. The lock is held. */
static int
wait_ready(struct guard *g, struct error *err)
{
	uint64_t limit = clock_boot_ns() + RESTART_LIMIT_NS;

	while (g->phase != GUARD_READY) {
		if (g->phase == GUARD_STOPPED || g->stopping)
			return error_set(err, ERR_GUARD, "the guard was stopped");
		if (clock_boot_ns() >= limit && g->phase == GUARD_DOWN) {
			*err = g->failure;
			return error_prefix(err, "the guard is dead, and starting another failed");
		}
		if (clock_boot_ns() >= limit)
			return error_set(err, ERR_GUARD, "the guard does not start");
		wait_changed(g, limit);
	}
	return OK;
}

static void
forget_call(struct guard *g, struct guard_call *call)
{
	for (struct guard_call **p = &g->calls; *p != NULL; p = &(*p)->next) {
		if (*p != call)
			continue;
		*p = call->next;
		return;
	}
}

/* Put it on its way; the guard reads at its own pace. The lock is held. */
static int
send_call(struct guard *g, struct wire_message *m, int fd, struct guard_call *call)
{
	int rc = 0;

	m->head.number = call->number = ++g->number;
	call->next = g->calls;
	g->calls = call;
	while (!call->lost && (rc = wire_send(g->socket, m, fd, false, NULL)) == 0)
		wait_changed(g, clock_boot_ns() + NS_PER_MS);
	if (rc < 0)
		call->lost = true; /* the reader comes to see why */
	const uint64_t one = 1;
	(void)!write(g->wake, &one, sizeof(one)); /* its wait may have to be shorter now */
	return rc;
}

/* 1: answered, in *m; 0: the guard was lost meanwhile; or an error of its own. */
static int
try_call(struct guard *g, struct wire_message *m, int fd, uint64_t deadline_ns, struct error *err)
{
	struct guard_call call = {.answer = m, .last = m->head.kind == WIRE_STOP};
	int rc;

	(void)pthread_mutex_lock(&g->mutex);
	rc = wait_ready(g, err);
	if (rc == OK) {
		(void)send_call(g, m, fd, &call);
		while (!call.done && !call.lost && clock_boot_ns() < deadline_ns)
			wait_changed(g, deadline_ns);
		forget_call(g, &call);
		rc = call.done ? 1 : 0;
		if (!call.done && !call.lost)
			rc = error_set(err, ERR_TIMEOUT, "the guard is not done yet");
	}
	(void)pthread_mutex_unlock(&g->mutex);
	return rc;
}

static int
call(struct guard *g, struct wire_message *m, int fd, struct error *err)
{
	int rc = try_call(g, m, fd, UINT64_MAX, err);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return error_set(err, ERR_GUARD,
				 "the guard ended while it was asked; another takes its place");
	return m->head.code != OK ? wire_get_error(m, err) : OK;
}

static void
set_armed(struct guard *g, uint64_t until_ns)
{
	(void)pthread_mutex_lock(&g->mutex);
	g->armed_until_ns = until_ns;
	(void)pthread_mutex_unlock(&g->mutex);
}

static int
simple(struct guard *g, enum wire_kind kind, const struct lease_key *key, uint64_t value,
       struct error *err)
{
	struct wire_message m;

	wire_init(&m, kind, 0, key);
	m.body.value = value;
	return call(g, &m, -1, err);
}

/* ---- start and stop -------------------------------------------------------------------------- */

static int
find_program(const char *wanted, char *ret, size_t size, struct error *err)
{
	const char *dir = getenv("HOLDFAST_WRITER_DIR");
	int n = wanted != NULL ? snprintf(ret, size, "%s", wanted)
			       : snprintf(ret, size, "%s/holdfast-guard",
					  dir != NULL && dir[0] != '\0' ? dir : HF_WRITER_DIR);

	if (n < 0 || (size_t)n >= size)
		return error_set(err, ERR_LIMIT, "the path of the guard's program is too long");
	return OK;
}

static void
free_guard(struct guard *g)
{
	fd_close(&g->wake);
	fd_close(&g->socket);
	fd_close(&g->pidfd);
	free(g);
}

static int
wait_started(struct guard *g, struct error *err)
{
	uint64_t limit = clock_boot_ns() + START_LIMIT_NS;
	int rc = OK;

	(void)pthread_mutex_lock(&g->mutex);
	while (g->phase == GUARD_STARTING && g->restarts < 3 && clock_boot_ns() < limit)
		wait_changed(g, limit);
	if (g->failure.code != OK) {
		*err = g->failure;
		rc = err->code;
	} else if (g->phase != GUARD_READY) {
		rc = error_set(err, ERR_GUARD, "'%s' does not start", g->program);
	}
	(void)pthread_mutex_unlock(&g->mutex);
	return rc;
}

static int
set_up(struct guard *g, const struct guard_options *o, struct error *err)
{
	g->socket = g->pidfd = -1;
	g->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (g->wake < 0)
		return error_sys(err, ERR_IO, "create an eventfd");
	(void)pthread_mutex_init(&g->mutex, NULL);
	(void)pthread_cond_init(&g->changed, NULL);
	g->event = o->event;
	g->event_arg = o->event_arg;
	g->hello.settings = o->providers;
	if (strlen(o->state_dir) >= sizeof(g->hello.state_dir) - 64)
		return error_set(err, ERR_LIMIT, "the state folder's path is too long");
	wire_text(g->hello.state_dir, sizeof(g->hello.state_dir), o->state_dir);
	if (getrandom(g->hello.token, sizeof(g->hello.token), 0) != sizeof(g->hello.token))
		return error_sys(err, ERR_IO, "get random bytes");
	return find_program(o->program, g->program, sizeof(g->program), err);
}

int
guard_start(const struct guard_options *options, struct guard **ret, struct error *err)
{
	struct guard *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return error_no_memory(err);
	if (set_up(g, options, err) < 0 || guard_process_start(g, err) < 0) {
		free_guard(g);
		return err->code;
	}
	errno = pthread_create(&g->reader, NULL, guard_reader, g);
	if (errno != 0) {
		(void)error_sys(err, ERR_NO_MEMORY, "start a thread");
		guard_process_kill(g);
		free_guard(g);
		return err->code;
	}
	if (wait_started(g, err) < 0) {
		guard_stop(g);
		return err->code;
	}
	*ret = g;
	return OK;
}

/* Let it undo everything and end. If it dies in the middle of that, or did just before, the next one is told. */
static bool
say_stop(struct guard *g)
{
	uint64_t limit = clock_boot_ns() + STOP_LIMIT_NS;
	struct error err = ERROR_INIT;
	struct wire_message m;

	(void)pthread_mutex_lock(&g->mutex);
	bool again = g->phase == GUARD_READY || (g->phase == GUARD_STARTING && g->served);
	g->leaving = true;
	(void)pthread_mutex_unlock(&g->mutex);
	wire_init(&m, WIRE_STOP, 0, NULL);
	while (again) {
		wire_init(&m, WIRE_STOP, 0, NULL);
		again = try_call(g, &m, -1, limit, &err) == 0 && clock_boot_ns() < limit;
	}
	return m.head.answer == 1;
}

void
guard_stop(struct guard *g)
{
	if (g == NULL)
		return;
	bool stopped = say_stop(g);
	(void)pthread_mutex_lock(&g->mutex);
	g->stopping = true;
	g->phase = GUARD_STOPPED;
	(void)pthread_cond_broadcast(&g->changed);
	(void)pthread_mutex_unlock(&g->mutex);
	const uint64_t one = 1;
	(void)!write(g->wake, &one, sizeof(one));
	(void)pthread_join(g->reader, NULL);
	/* It ends by itself when the socket closes, once all is undone. */
	fd_close(&g->socket);
	g->socket = -1;
	guard_process_wait(g, stopped ? NS_PER_S : 0);
	free_guard(g);
}

void
guard_stopp(struct guard **g)
{
	guard_stop(*g);
}

/* ---- a set ----------------------------------------------------------------------------------- */

int
guard_begin(struct guard *g, const uint8_t set[LEASE_SET_SIZE], const char *job, uint64_t ttl_ns,
	    struct lease_key *ret, struct error *err)
{
	struct lease_key key = {.epoch = 0};
	struct wire_message m;

	memcpy(key.set, set, sizeof(key.set));
	wire_init(&m, WIRE_BEGIN, 0, &key);
	m.body.begin.ttl_ns = ttl_ns;
	wire_text(m.body.begin.job, sizeof(m.body.begin.job), job);
	if (call(g, &m, -1, err) < 0)
		return err->code;
	*ret = m.head.key;
	return OK;
}

int
guard_add(struct guard *g, const struct lease_key *key, const char *provider, const char *source,
	  struct snapshot *ret, struct error *err)
{
	struct wire_message m;

	wire_init(&m, WIRE_ADD, 0, key);
	if (strlen(provider) >= sizeof(m.body.add.provider) ||
	    strlen(source) >= sizeof(m.body.add.source))
		return error_set(err, ERR_LIMIT, "the path '%.100s...' is too long", source);
	wire_text(m.body.add.provider, sizeof(m.body.add.provider), provider);
	wire_text(m.body.add.source, sizeof(m.body.add.source), source);
	if (call(g, &m, -1, err) < 0)
		return err->code;
	*ret = m.body.snapshot;
	return OK;
}

int
guard_writer(struct guard *g, const struct lease_key *key, int pidfd, struct error *err)
{
	struct wire_message m;

	wire_init(&m, WIRE_WRITER, 0, key);
	return call(g, &m, pidfd, err);
}

int
guard_freeze(struct guard *g, const struct lease_key *key, uint64_t cap_ns, struct error *err)
{
	/* A while longer than the cap: that is when the guard has to act. */
	set_armed(g, clock_boot_ns() + MIN(cap_ns, LEASE_FREEZE_MAX_NS) + 60 * NS_PER_S);
	return simple(g, WIRE_FREEZE, key, cap_ns, err);
}

int
guard_snapshot(struct guard *g, const struct lease_key *key, struct guard_moment *ret,
	       struct error *err)
{
	struct wire_message m;

	wire_init(&m, WIRE_SNAPSHOT, 0, key);
	if (call(g, &m, -1, err) < 0)
		return err->code;
	*ret = m.body.moment;
	return OK;
}

int
guard_thawed(struct guard *g, const struct lease_key *key, struct error *err)
{
	int rc = simple(g, WIRE_THAWED, key, 0, err);

	if (rc == OK)
		set_armed(g, 0);
	return rc;
}

int
guard_expose(struct guard *g, const struct lease_key *key, struct snapshot ret[], size_t *ret_n,
	     struct error *err)
{
	if (simple(g, WIRE_EXPOSE, key, 0, err) < 0)
		return err->code;
	return guard_snapshots(g, key, ret, ret_n, err);
}

int
guard_keep(struct guard *g, const struct lease_key *key, uint64_t ttl_ns, struct error *err)
{
	/* Whoever comes after a guard that died knows the lease, and takes it as well. */
	for (;;) {
		struct wire_message m;

		wire_init(&m, WIRE_KEEP, 0, key);
		m.body.value = ttl_ns;
		int rc = try_call(g, &m, -1, UINT64_MAX, err);
		if (rc < 0)
			return rc;
		if (rc == 1)
			return m.head.code != OK ? wire_get_error(&m, err) : OK;
	}
}

int
guard_finish(struct guard *g, const struct lease_key *key, struct guard_verdict *ret,
	     struct error *err)
{
	struct wire_message m;

	wire_init(&m, WIRE_FINISH, 0, key);
	if (call(g, &m, -1, err) < 0)
		return err->code;
	*ret = m.body.verdict;
	return OK;
}

int
guard_abort(struct guard *g, const struct lease_key *key, struct error *err)
{
	int rc = simple(g, WIRE_ABORT, key, 0, err);

	if (rc == OK)
		set_armed(g, 0);
	return rc;
}

/* ---- looking --------------------------------------------------------------------------------- */

int
guard_look(struct guard *g, const struct lease_key *key, struct guard_lease *ret, struct error *err)
{
	struct wire_message m;

	wire_init(&m, WIRE_LOOK, 0, key);
	if (call(g, &m, -1, err) < 0)
		return err->code;
	*ret = m.body.lease;
	return OK;
}

int
guard_snapshots(struct guard *g, const struct lease_key *key, struct snapshot ret[], size_t *ret_n,
		struct error *err)
{
	struct guard_lease l;
	size_t n = 0;

	if (guard_look(g, key, &l, err) < 0)
		return err->code;
	for (; n < MIN(l.n_snapshots, (uint32_t)SNAPSHOT_MEMBERS_MAX); n++) {
		struct wire_message m;

		wire_init(&m, WIRE_MEMBER, 0, key);
		m.body.value = n;
		if (call(g, &m, -1, err) < 0)
			return err->code;
		ret[n] = m.body.snapshot;
	}
	*ret_n = n;
	return OK;
}

int
guard_list(struct guard *g, guard_each_fn *each, void *arg, struct error *err)
{
	struct lease_key key = {.epoch = 0};

	for (;;) {
		struct wire_message m;

		wire_init(&m, WIRE_NEXT, 0, &key);
		int rc = call(g, &m, -1, err);
		if (rc == ERR_NOT_FOUND)
			return OK;
		if (rc < 0)
			return rc;
		rc = each(&m.body.lease, arg, err);
		if (rc < 0)
			return rc;
		key = m.body.lease.lease.key;
	}
}

int
guard_release(struct guard *g, const uint8_t set[LEASE_SET_SIZE], struct error *err)
{
	struct lease_key key = {.epoch = 0};

	memcpy(key.set, set, sizeof(key.set));
	return simple(g, WIRE_RELEASE, &key, 0, err);
}

int
guard_settle(struct guard *g, uint64_t deadline_ns, struct error *err)
{
	for (;;) {
		struct wire_message m;

		wire_init(&m, WIRE_SETTLE, 0, NULL);
		int rc = try_call(g, &m, -1, deadline_ns, err);
		if (rc < 0)
			return rc;
		if (rc == 1)
			return m.head.code != OK ? wire_get_error(&m, err) : OK;
	}
}

pid_t
guard_pid(struct guard *g)
{
	(void)pthread_mutex_lock(&g->mutex);
	pid_t pid = g->pid;
	(void)pthread_mutex_unlock(&g->mutex);
	return pid;
}

unsigned
guard_restarts(struct guard *g)
{
	(void)pthread_mutex_lock(&g->mutex);
	unsigned n = g->restarts;
	(void)pthread_mutex_unlock(&g->mutex);
	return n;
}
