/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A session and its task with a real guard and real snapshots, of a btrfs in an image file: the whole course, what
 * is read is of the moment, silence, a guard that dies, a requester that cancels or gives up. Needs root.
 */
#include "agent/session.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/session_internal.h"
#include "agent/task.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "guard/client.h"
#include "provider_contract.h"
#include "repo/rig.h"

#define JOB "{7d0e1f7c-c5b1-4e3a-9b1c-d9b1c4d5e6f8}"

static struct {
	char top[64], state[80], image[80], mount[80], path[96];
	bool mounted;
	struct guard_options guard;
	struct session *session;
	struct error err;
} bed;

/* ---- the world ------------------------------------------------------------------------------- */

static int
group_setup(void **state)
{
	(void)state;
	(void)snprintf(bed.top, sizeof(bed.top), "/var/tmp/hf-session-XXXXXX");
	if (mkdtemp(bed.top) == NULL)
		return -1;
	(void)snprintf(bed.state, sizeof(bed.state), "%s/state", bed.top);
	(void)snprintf(bed.image, sizeof(bed.image), "%s/image", bed.top);
	(void)snprintf(bed.mount, sizeof(bed.mount), "%s/mount", bed.top);
	(void)snprintf(bed.path, sizeof(bed.path), "%s/data", bed.mount);
	if (mkdir(bed.state, 0700) < 0 || mkdir(bed.mount, 0700) < 0)
		return -1;
	bed.mounted = geteuid() == 0 &&
		      provider_world_run("truncate", "-s", "128M", bed.image, NULL) == 0 &&
		      provider_world_run("mkfs.btrfs", "-q", bed.image, NULL) == 0 &&
		      provider_world_run("mount", "-o", "loop", bed.image, bed.mount, NULL) == 0;
	if (bed.mounted && mkdir(bed.path, 0755) < 0)
		return -1;
	bed.guard = (struct guard_options){.state_dir = bed.state};
	provider_settings_init(&bed.guard.providers);
	(void)snprintf(bed.guard.providers.mount_root, sizeof(bed.guard.providers.mount_root),
		       "%s/mnt", bed.state);
	return 0;
}

static int
group_teardown(void **state)
{
	(void)state;
	if (bed.mounted && provider_world_run("umount", bed.mount, NULL) != 0)
		return -1;
	return fs_remove_tree(AT_FDCWD, bed.top, &bed.err);
}

/* Nothing of ours is left beside the data. */
static void
expect_nothing_left(void)
{
	DIR *dir = opendir(bed.mount);

	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
		assert_string_not_equal(e->d_name, ".holdfast");
	(void)closedir(dir);
}

static int
setup(void **state)
{
	(void)state;
	bed.session = NULL;
	if (bed.mounted)
		provider_world_write(bed.path, "file", "before");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	session_close(bed.session);
	bed.session = NULL;
	if (bed.mounted)
		expect_nothing_left();
	return 0;
}

/* As far as the moment; what is written then is not in it. */
static void
begin(uint64_t ttl_ns, char exposed[1024])
{
	static const char *path = bed.path;
	const struct session_setup setup = {.guard = &bed.guard, .state_dir = bed.state};
	const struct session_order order = {
		.job = JOB, .n_paths = 1, .paths = &path, .provider = "btrfs", .ttl_ns = ttl_ns};
	CLEAN(session_prepared_done) struct session_prepared prepared = {0};
	CLEAN(session_moment_done) struct session_moment moment = {0};

	if (!bed.mounted)
		skip();
	assert_int_equal(session_open(&setup, &bed.session, &bed.err), OK);
	if (session_prepare(bed.session, &order, &prepared, &bed.err) < 0)
		fail_msg("prepare: %s", bed.err.msg);
	assert_true(prepared.leased && prepared.guarded);
	if (session_create(bed.session, &moment, &bed.err) < 0)
		fail_msg("create: %s", bed.err.msg);
	assert_true(moment.proven && moment.time_ns > 0);
	assert_int_equal(json_array_size(moment.members), 1);
	(void)snprintf(
		exposed, 1024, "%s/data",
		json_string_value(json_object_get(json_array_get(moment.members, 0), "exposed")));
	provider_world_write(bed.path, "file", "after");
	provider_world_expect(exposed, "file", "before");
}

static void
expect_verdict(bool proven)
{
	CLEAN(session_verdict_done) struct session_verdict v = {0};
	const char *level;

	assert_int_equal(session_finish(bed.session, &v, &bed.err), OK);
	assert_int_equal(v.proven, proven);
	assert_int_equal(json_array_size(v.roots), 1);
	level = json_string_value(json_object_get(json_array_get(v.roots, 0), "consistency"));
	assert_string_equal(level, proven ? "crash" : "none");
}

static void
await_lease_ended(void)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	uint64_t limit = clock_boot_ns() + 30 * NS_PER_S;
	int r;

	while ((r = session_check(bed.session, &bed.err)) == OK && clock_boot_ns() < limit)
		(void)nanosleep(&pause, NULL);
	assert_int_equal(r, ERR_LEASE_ENDED);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void
whole_course(void **state)
{
	CLEAN(task_result_done) struct task_result result = {0};
	CLEAN(json_done) json_t *status = NULL;
	struct progress progress = {0};
	const struct task_order order = {.mover = {.workers = 1, .progress = &progress}};
	char exposed[1024];
	struct rig *rig;

	(void)state;
	begin(60 * NS_PER_S, exposed);
	rig = rig_new(false);
	rig_look(rig);
	assert_int_equal(session_keep(bed.session, 60 * NS_PER_S, &bed.err), OK);
	if (task_run(bed.session, rig->repo, rig->index, &order, &result, &bed.err) < 0)
		fail_msg("move: %s", bed.err.msg);
	assert_int_equal(json_array_size(result.roots), 1);
	assert_int_equal(progress.files_done, 1);
	assert_int_equal(progress.bytes_done, strlen("before"));
	/* Once is enough. */
	assert_int_equal(task_skip(bed.session, &bed.err), ERR_BAD_STATE);
	expect_verdict(true);
	assert_int_equal(session_status(bed.session, &status, &bed.err), OK);
	assert_string_equal(json_string_value(json_object_get(status, "state")), "finished");
	assert_int_equal(session_complete(bed.session, "point", &bed.err), OK);
	rig_free(rig);
}

static void
out_of_order(void **state)
{
	CLEAN(session_verdict_done) struct session_verdict v = {0};
	char exposed[1024];

	(void)state;
	begin(60 * NS_PER_S, exposed);
	assert_int_equal(session_finish(bed.session, &v, &bed.err), ERR_BAD_STATE);
	assert_int_equal(task_skip(bed.session, &bed.err), OK);
	expect_verdict(true);
}

static void
silence(void **state)
{
	CLEAN(session_verdict_done) struct session_verdict v = {0};
	char exposed[1024];
	struct lease l;

	(void)state;
	begin(NS_PER_S, exposed);
	assert_int_equal(task_skip(bed.session, &bed.err), OK);
	await_lease_ended();
	assert_int_equal(session_keep(bed.session, NS_PER_S, &bed.err), ERR_LEASE_ENDED);
	assert_int_equal(session_finish(bed.session, &v, &bed.err), ERR_LEASE_ENDED);
	assert_true(session_lease(bed.session, &l));
	assert_int_equal(l.end, LEASE_EXPIRED);
}

/* Another takes its place, and what was held is held. */
static void
guard_dies(void **state)
{
	char exposed[1024];

	(void)state;
	begin(60 * NS_PER_S, exposed);
	assert_int_equal(kill(guard_pid(bed.session->guard), SIGKILL), 0);
	if (session_keep(bed.session, 60 * NS_PER_S, &bed.err) < 0)
		fail_msg("keep: %s", bed.err.msg);
	assert_int_equal(guard_restarts(bed.session->guard), 1);
	provider_world_expect(exposed, "file", "before");
	assert_int_equal(task_skip(bed.session, &bed.err), OK);
	expect_verdict(true);
}

static void *
cancel_soon(void *arg)
{
	(void)arg;
	session_cancel(bed.session);
	return NULL;
}

static void
cancelled(void **state)
{
	pthread_t thread;
	char exposed[1024];

	(void)state;
	begin(60 * NS_PER_S, exposed);
	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(task_skip(bed.session, &bed.err), ERR_CANCELLED);
	session_abort(bed.session, NULL);
	session_abort(bed.session, NULL);
	assert_int_equal(session_keep(bed.session, NS_PER_S, &bed.err), ERR_LEASE_ENDED);
}

static void
given_up(void **state)
{
	char exposed[1024];
	struct lease l;

	(void)state;
	begin(60 * NS_PER_S, exposed);
	session_abort(bed.session, NULL);
	assert_true(session_check(bed.session, &bed.err) == ERR_LEASE_ENDED);
	assert_true(session_lease(bed.session, &l));
	assert_int_equal(l.end, LEASE_ABORTED);
	assert_int_equal(task_skip(bed.session, &bed.err), ERR_BAD_STATE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(whole_course), TEST(out_of_order), TEST(silence),
		TEST(guard_dies),   TEST(cancelled),    TEST(given_up),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
