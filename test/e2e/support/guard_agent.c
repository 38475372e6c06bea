/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An agent without a mind of its own: it starts a guard and does, line by line, what standard input says,
 * with one line of answer each. Events go to standard error. For end-to-end tests of the guard.
 *
 *	guard_agent STATE_DIR [NAME=VALUE]...
 *		create=, expose=, remove= commands of the external provider; freeze=0; timeout=SECONDS;
 *		min_free=BYTES
 *
 *	begin TTL_MS | add PROVIDER SOURCE | writer PID | freeze CAP_MS | snapshot | thawed | expose
 *	keep TTL_MS | finish | abort | look | settle | guard | exit (without a word to the guard)
 *
 *	"ok ..." or "error NAME MESSAGE"; the end of the input stops the guard in good order
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/random.h>

#include "base/clock.h"
#include "guard/client.h"

static struct guard *g;
static struct lease_key key;

static void
tell(const struct guard_event *event, void *arg)
{
	(void)arg;
	(void)fprintf(stderr, "%" PRIu64 " %s %s\n", event->wall_ns / NS_PER_MS,
		      event_name(event->id), event->fields);
	(void)fflush(stderr);
}

static void
setting(struct guard_options *o, const char *text)
{
	struct provider_settings *p = &o->providers;
	const char *value = strchr(text, '=');

	if (value == NULL)
		return;
	value++;
	if (strncmp(text, "create=", 7) == 0)
		(void)snprintf(p->external.create, sizeof(p->external.create), "%s", value);
	else if (strncmp(text, "expose=", 7) == 0)
		(void)snprintf(p->external.expose, sizeof(p->external.expose), "%s", value);
	else if (strncmp(text, "remove=", 7) == 0)
		(void)snprintf(p->external.remove, sizeof(p->external.remove), "%s", value);
	else if (strncmp(text, "freeze=", 7) == 0)
		p->external.freeze = value[0] != '0';
	else if (strncmp(text, "timeout=", 8) == 0)
		p->external.timeout_ns = strtoull(value, NULL, 10) * NS_PER_S;
	else if (strncmp(text, "min_free=", 9) == 0)
		p->min_free.bytes = strtoull(value, NULL, 10);
}

static int
begin(uint64_t ttl_ms, struct error *err)
{
	uint8_t set[LEASE_SET_SIZE];

	if (getrandom(set, sizeof(set), 0) != sizeof(set))
		return error_sys(err, ERR_IO, "get random bytes");
	return guard_begin(g, set, "test", ttl_ms * NS_PER_MS, &key, err);
}

static int
add(char *rest, char *out, size_t size, struct error *err)
{
	char *source = strchr(rest, ' ');
	struct snapshot s;

	if (source == NULL)
		return error_set(err, ERR_USAGE, "add PROVIDER SOURCE");
	*source++ = '\0';
	if (guard_add(g, &key, rest, source, &s, err) < 0)
		return err->code;
	(void)snprintf(out, size, "%s", s.place);
	return OK;
}

static int
writer(pid_t pid, struct error *err)
{
	CLEAN(fd_close) int fd = pidfd_open(pid, 0);

	if (fd < 0)
		return error_sys(err, ERR_IO, "open process %d", (int)pid);
	return guard_writer(g, &key, fd, err);
}

static int
snapshot(char *out, size_t size, struct error *err)
{
	struct guard_moment m;

	if (guard_snapshot(g, &key, &m, err) < 0)
		return err->code;
	(void)snprintf(out, size, "ours=%d frozen=%u snapshots=%u us=%" PRIu64, m.ours, m.n_frozen,
		       m.n_snapshots, m.frozen_ns / 1000);
	return OK;
}

static int
expose(char *out, size_t size, struct error *err)
{
	struct snapshot s[SNAPSHOT_MEMBERS_MAX];
	size_t n = 0, used = 0;

	if (guard_expose(g, &key, s, &n, err) < 0)
		return err->code;
	for (size_t i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", i > 0 ? " " : "",
					 s[i].exposed);
	return OK;
}

static int
finish(char *out, size_t size, struct error *err)
{
	struct guard_verdict v;

	if (guard_finish(g, &key, &v, err) < 0)
		return err->code;
	(void)snprintf(out, size, "proven=%d", v.proven);
	return OK;
}

static int
look(char *out, size_t size, struct error *err)
{
	struct guard_lease l;

	if (guard_look(g, &key, &l, err) < 0)
		return err->code;
	(void)snprintf(out, size, "state=%d end=%s deadline_ms=%" PRIu64, l.lease.state,
		       lease_end_text(l.lease.end), l.lease.deadline_ns / NS_PER_MS);
	return OK;
}

static int
carry_out(char *line, char *out, size_t size, struct error *err)
{
	char *rest = strchr(line, ' ');
	uint64_t number = rest != NULL ? strtoull(rest + 1, NULL, 10) : 0;

	if (rest != NULL)
		*rest++ = '\0';
	if (strcmp(line, "begin") == 0)
		return begin(number, err);
	if (strcmp(line, "add") == 0 && rest != NULL)
		return add(rest, out, size, err);
	if (strcmp(line, "writer") == 0)
		return writer((pid_t)number, err);
	if (strcmp(line, "freeze") == 0)
		return guard_freeze(g, &key, number * NS_PER_MS, err);
	if (strcmp(line, "snapshot") == 0)
		return snapshot(out, size, err);
	if (strcmp(line, "thawed") == 0)
		return guard_thawed(g, &key, err);
	if (strcmp(line, "expose") == 0)
		return expose(out, size, err);
	if (strcmp(line, "keep") == 0)
		return guard_keep(g, &key, number * NS_PER_MS, err);
	if (strcmp(line, "finish") == 0)
		return finish(out, size, err);
	if (strcmp(line, "abort") == 0)
		return guard_abort(g, &key, err);
	if (strcmp(line, "look") == 0)
		return look(out, size, err);
	if (strcmp(line, "settle") == 0)
		return guard_settle(g, clock_boot_ns() + 60 * NS_PER_S, err);
	if (strcmp(line, "exit") == 0)
		_exit(0);
	if (strcmp(line, "guard") != 0)
		return error_set(err, ERR_USAGE, "what is '%s'?", line);
	(void)snprintf(out, size, "%d", (int)guard_pid(g));
	return OK;
}

int
main(int argc, char **argv)
{
	struct guard_options o = {.state_dir = argc > 1 ? argv[1] : ".", .event = tell};
	struct error err = ERROR_INIT;
	char line[4096], out[8192];

	provider_settings_init(&o.providers);
	(void)snprintf(o.providers.mount_root, sizeof(o.providers.mount_root), "%.900s/mnt",
		       o.state_dir);
	for (int i = 2; i < argc; i++)
		setting(&o, argv[i]);
	if (guard_start(&o, &g, &err) < 0) {
		(void)printf("error %s %s\n", error_name(err.code), err.msg);
		return 1;
	}
	(void)printf("ok %d\n", (int)guard_pid(g));
	(void)fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		out[0] = '\0';
		err = ERROR_INIT;
		if (carry_out(line, out, sizeof(out), &err) < 0)
			(void)printf("error %s %s\n", error_name(err.code), err.msg);
		else
			(void)printf("ok %s\n", out);
		(void)fflush(stdout);
	}
	guard_stop(g);
	return 0;
}
