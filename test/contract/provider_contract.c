/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The contract of a provider as tests. Each has a source of its own in the world of its subject. Where
 * a provider wants its file system frozen, it is frozen here as the guard would do it, with a process
 * armed before that thaws it whatever becomes of this one.
 */
#include "provider_contract.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"

enum { THAW_AFTER_MS = 15000, SEEN_SIZE = 1200, PATH_SIZE = 1600, IMAGE_BYTES = 320 << 20 };

static const struct provider_subject *subject;
static const struct provider_ops *ops;
static struct provider_world world;
static struct provider_settings *const settings = &world.settings;

/* One test: its source, its files (live), and what was there before. */
struct fixture {
	char source[128];
	char data[128];
	struct buf before;
	struct error err;
};

static void
check(struct fixture *f, int rc, int expected, const char *what)
{
	if (rc != expected)
		fail_msg("%s: %d (%s) instead of %d", what, rc, rc < 0 ? f->err.msg : "", expected);
	if (rc < 0) {
		assert_int_equal(f->err.code, rc);
		assert_true(f->err.msg[0] != '\0');
	}
	f->err = ERROR_INIT;
}

#define CHECK(call, expected) check(f, call, expected, #call)

/* The world ---------------------------------------------------------------------------------- */

static void
mount_image(void)
{
	char image[96], mkfs[32], options[64] = "loop";

	(void)snprintf(image, sizeof(image), "%s/image", world.folder);
	(void)snprintf(mkfs, sizeof(mkfs), "mkfs.%s", subject->file_system);
	int fd = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && ftruncate(fd, IMAGE_BYTES) == 0 && close(fd) == 0);
	int rc = provider_world_run(mkfs, "-q", image, NULL);
	if (rc != 0)
		provider_world_lacks(&world, "%s: %s", mkfs, rc < 0 ? "not installed" : "failed");
	else if (provider_world_run("mount", "-t", subject->file_system, "-o", options, image,
				    world.top, NULL) != 0)
		provider_world_lacks(&world, "no %s can be mounted here", subject->file_system);
}

static int
open_world(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	provider_settings_init(settings);
	ops = provider_find_by_name(subject->provider);
	assert_non_null(ops);
	if (geteuid() != 0) {
		provider_world_lacks(&world, "this takes root");
		return 0;
	}
	(void)snprintf(world.folder, sizeof(world.folder), "/tmp/holdfast-provider-XXXXXX");
	assert_non_null(mkdtemp(world.folder));
	(void)snprintf(world.top, sizeof(world.top), "%s/top", world.folder);
	(void)snprintf(settings->mount_root, sizeof(settings->mount_root), "%s/mnt", world.folder);
	assert_int_equal(mkdir(world.top, 0700), 0);
	assert_int_equal(mkdir(settings->mount_root, 0700), 0);
	if (subject->mount != NULL)
		subject->mount(&world);
	else
		mount_image();
	if (world.missing[0] == '\0' && subject->open != NULL)
		subject->open(&world);
	if (world.missing[0] != '\0')
		print_message("# %s: skipped: %s\n", subject->name, world.missing);
	return 0;
}

static int
close_world(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	if (world.folder[0] == '\0')
		return 0;
	if (subject->close != NULL)
		subject->close(&world);
	if (world.missing[0] == '\0')
		assert_int_equal(provider_world_run("umount", world.top, NULL), 0);
	assert_int_equal(fs_remove_tree(AT_FDCWD, world.folder, &err), OK);
	return 0;
}

/* Everything that lies in the world and in the mount root, with its mounts: for "nothing is left". */
static struct buf *listing;

static int
list_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct error err = ERROR_INIT;

	(void)type;
	(void)ftw;
	return buf_printf(listing, &err, "%s %o %llu\n", path, st->st_mode,
			  (unsigned long long)st->st_ino);
}

static void
list_world(struct buf *b)
{
	CLEAN(buf_done) struct buf mounts = BUF_INIT(4 << 20);
	char *rest, *line;
	struct error err = ERROR_INIT;

	buf_done(b);
	*b = BUF_INIT(4 << 20);
	listing = b;
	assert_int_equal(nftw(world.top, list_one, 16, FTW_PHYS), 0);
	assert_int_equal(nftw(settings->mount_root, list_one, 16, FTW_PHYS), 0);
	/* Ours only: others mount and unmount meanwhile. */
	assert_int_equal(fs_read_file(AT_FDCWD, "/proc/self/mountinfo", &mounts, &err), OK);
	assert_int_equal(buf_u8(&mounts, 0, &err), OK);
	rest = (char *)mounts.p;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (strstr(line, world.folder) != NULL)
			assert_int_equal(buf_printf(b, &err, "%s\n", line), OK);
}

static void
expect_nothing_left(struct fixture *f)
{
	struct buf after = {0};

	list_world(&after);
	if (after.n != f->before.n || memcmp(after.p, f->before.p, after.n) != 0)
		fail_msg("something is left; before:\n%.*s\nnow:\n%.*s", (int)f->before.n,
			 (char *)f->before.p, (int)after.n, (char *)after.p);
	buf_done(&after);
}

static unsigned test_number;

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	*state = f;
	if (world.missing[0] != '\0')
		return 0;
	/* A name of any bytes: what is mounted, journaled and compared later must bear it. */
	(void)snprintf(f->data, sizeof(f->data), "%s/t%u \n\377%%x", world.top, ++test_number);
	(void)snprintf(f->source, sizeof(f->source), "%s",
		       subject->source_is_top ? world.top : f->data);
	if (subject->make_source != NULL)
		subject->make_source(f->data);
	else
		assert_int_equal(mkdir(f->data, 0755), 0);
	provider_world_write(f->data, "a", "before");
	provider_world_write(f->data, "b", "before");
	list_world(&f->before);
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	buf_done(&f->before);
	free(f);
	return 0;
}

#define NEEDS_A_WORLD()                                                                            \
	do {                                                                                       \
		if (world.missing[0] != '\0')                                                      \
			skip();                                                                    \
	} while (0)

/* The guard's part -------------------------------------------------------------------------- */

static struct snapshot
new_snapshot(const struct fixture *f)
{
	static uint32_t number;
	struct snapshot s = {.index = number % 3};

	number++;
	memset(s.set, 0xa5, sizeof(s.set));
	memcpy(s.set, &number, sizeof(number));
	(void)snprintf(s.provider, sizeof(s.provider), "%s", subject->provider);
	(void)snprintf(s.source, sizeof(s.source), "%s", f->source);
	return s;
}

/* A process that thaws when the pipe's reader, which we are, is gone, or after its time. */
static pid_t
arm(int fd, const int ends[2])
{
	pid_t pid = fork();

	if (pid == 0) {
		struct pollfd p = {.fd = ends[1]}; /* POLLERR: nobody reads any more */

		(void)close(ends[0]);
		(void)poll(&p, 1, THAW_AFTER_MS);
		(void)ioctl(fd, FITHAW, 0);
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static uint64_t
soon(void)
{
	return clock_boot_ns() + 10 * NS_PER_S;
}

/* create, with the file system frozen around it if it wants that. */
static int
take(struct snapshot *s, uint64_t deadline_ns, struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	int ends[2], r;

	if (!provider_freezes(ops, settings))
		return ops->create(s, settings, deadline_ns, err);
	fd = open(world.top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0 && pipe2(ends, O_CLOEXEC) == 0);
	pid_t watchdog = arm(fd, ends);
	(void)close(ends[1]);
	assert_int_equal(ioctl(fd, FIFREEZE, 0), 0);
	r = ops->create(s, settings, deadline_ns, err);
	int thawed = ioctl(fd, FITHAW, 0);
	(void)close(ends[0]);
	(void)waitpid(watchdog, NULL, 0);
	assert_int_equal(thawed, 0);
	return r;
}

static void
make(struct fixture *f, struct snapshot *s)
{
	*s = new_snapshot(f);
	CHECK(ops->prepare(s, settings, &f->err), OK);
	CHECK(take(s, soon(), &f->err), OK);
	CHECK(ops->expose(s, settings, &f->err), OK);
	assert_string_equal(s->source, f->source);
}

/* Where the test's files are read in a snapshot. */
static const char *
seen(const struct fixture *f, const struct snapshot *s)
{
	static char path[SEEN_SIZE];

	(void)snprintf(path, sizeof(path), "%s%s", s->exposed, f->data + strlen(f->source));
	return path;
}

/* Tests -------------------------------------------------------------------------------------- */

static void
holds_the_moment(void **state)
{
	struct fixture *f = *state;
	struct snapshot s;
	struct stat st;
	char path[PATH_SIZE];

	NEEDS_A_WORLD();
	make(f, &s);
	provider_world_write(f->data, "a", "after");
	provider_world_write(f->data, "new", "after");
	(void)snprintf(path, sizeof(path), "%s/b", f->data);
	assert_int_equal(unlink(path), 0);
	provider_world_expect(seen(f, &s), "a", "before");
	provider_world_expect(seen(f, &s), "b", "before");
	(void)snprintf(path, sizeof(path), "%s/new", seen(f, &s));
	assert_int_equal(lstat(path, &st), -1);
	CHECK(ops->remove(&s, settings, &f->err), OK);
	provider_world_expect(f->data, "a", "after");
}

/* One program that writes first here, then there, each time durably: whatever the moment, here is
 * what is there, or one more. */
struct two_files {
	const char *folder;
	atomic_bool stop;
	atomic_int rounds;
};

static void *
write_in_turn(void *arg)
{
	struct two_files *t = arg;
	char path[2][PATH_SIZE];
	int fd[2];

	for (int i = 0; i < 2; i++) {
		(void)snprintf(path[i], sizeof(path[i]), "%s/turn%d", t->folder, i);
		fd[i] = open(path[i], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	}
	for (uint32_t n = 1; !atomic_load(&t->stop); n++) {
		for (int i = 0; i < 2; i++)
			if (pwrite(fd[i], &n, sizeof(n), 0) != sizeof(n) || fdatasync(fd[i]) < 0)
				atomic_store(&t->stop, true);
		atomic_fetch_add(&t->rounds, 1);
	}
	(void)close(fd[0]);
	(void)close(fd[1]);
	return NULL;
}

static uint32_t
turn(const char *folder, int i)
{
	char path[PATH_SIZE];
	uint32_t n = 0;

	(void)snprintf(path, sizeof(path), "%s/turn%d", folder, i);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, &n, sizeof(n)), sizeof(n));
	(void)close(fd);
	return n;
}

static void
is_one_instant(void **state)
{
	struct fixture *f = *state;
	struct two_files t = {.folder = f->data};
	struct snapshot s;
	pthread_t id;

	NEEDS_A_WORLD();
	if (!ops->atomic)
		return; /* and says so */
	assert_int_equal(pthread_create(&id, NULL, write_in_turn, &t), 0);
	for (int i = 0; i < 5; i++) {
		int before = atomic_load(&t.rounds);
		while (atomic_load(&t.rounds) < before + 3 && !atomic_load(&t.stop))
			(void)sched_yield();
		make(f, &s);
		uint32_t first = turn(seen(f, &s), 0), second = turn(seen(f, &s), 1);
		assert_true(first == second || first == second + 1);
		CHECK(ops->remove(&s, settings, &f->err), OK);
	}
	atomic_store(&t.stop, true);
	assert_int_equal(pthread_join(id, NULL), 0);
}

static void
exposed_is_read_only(void **state)
{
	struct fixture *f = *state;
	struct snapshot s;
	struct stat st;
	char path[PATH_SIZE];

	NEEDS_A_WORLD();
	make(f, &s);
	(void)snprintf(path, sizeof(path), "%s/a", seen(f, &s));
	if (!subject->writable) {
		assert_int_equal(open(path, O_WRONLY | O_CLOEXEC), -1);
		assert_int_equal(errno, EROFS);
	}
	/* Nobody but root gets there. */
	(void)snprintf(path, sizeof(path), "%s", s.exposed);
	*strrchr(path, '/') = '\0';
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(st.st_uid, 0);
	CHECK(ops->remove(&s, settings, &f->err), OK);
}

static void
remove_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct snapshot s = new_snapshot(f);

	NEEDS_A_WORLD();
	/* What never was. */
	CHECK(ops->remove(&s, settings, &f->err), OK);
	expect_nothing_left(f);
	CHECK(ops->prepare(&s, settings, &f->err), OK);
	CHECK(ops->remove(&s, settings, &f->err), OK);
	expect_nothing_left(f);
	make(f, &s);
	CHECK(ops->remove(&s, settings, &f->err), OK);
	CHECK(ops->remove(&s, settings, &f->err), OK);
	expect_nothing_left(f);
	/* By what is known before prepare, as after a crash of the one that called it. */
	make(f, &s);
	s.place[0] = s.exposed[0] = s.detail[0] = '\0';
	CHECK(ops->remove(&s, settings, &f->err), OK);
	expect_nothing_left(f);
}

static void
a_set_has_each_index_once(void **state)
{
	struct fixture *f = *state;
	struct snapshot s, again;

	NEEDS_A_WORLD();
	make(f, &s);
	again = s;
	again.place[0] = again.exposed[0] = again.detail[0] = '\0';
	CHECK(ops->prepare(&again, settings, &f->err), ERR_EXISTS);
	provider_world_expect(seen(f, &s), "a", "before");
	CHECK(ops->remove(&s, settings, &f->err), OK);
	expect_nothing_left(f);
}

static void
bad_sources_are_refused(void **state)
{
	struct fixture *f = *state;
	struct snapshot s = new_snapshot(f);

	NEEDS_A_WORLD();
	(void)snprintf(s.source, sizeof(s.source), "%s/nothing", world.top);
	assert_true(ops->prepare(&s, settings, &f->err) < 0);
	memset(s.source, 'x', sizeof(s.source) - 1);
	s.source[0] = '/';
	assert_true(ops->prepare(&s, settings, &f->err) < 0);
	expect_nothing_left(f);
}

struct found {
	const struct snapshot *wanted;
	int n;
	int others;
	struct snapshot as_found;
};

static int
note(const struct snapshot *s, void *arg, struct error *err)
{
	struct found *found = arg;

	(void)err;
	if (memcmp(s->set, found->wanted->set, sizeof(s->set)) != 0 ||
	    s->index != found->wanted->index) {
		found->others++;
		return OK;
	}
	found->n++;
	found->as_found = *s;
	return OK;
}

static struct found
look_for(struct fixture *f, const struct snapshot *s)
{
	struct found found = {.wanted = s};

	CHECK(ops->find(settings, note, &found, &f->err), OK);
	return found;
}

static void
leftovers_are_found(void **state)
{
	struct fixture *f = *state;
	struct snapshot s = new_snapshot(f);
	struct found found;

	NEEDS_A_WORLD();
	assert_int_equal(look_for(f, &s).n, 0);
	for (int steps = 1; steps <= 3; steps++) {
		s = new_snapshot(f);
		CHECK(ops->prepare(&s, settings, &f->err), OK);
		if (steps > 1)
			CHECK(take(&s, soon(), &f->err), OK);
		if (steps > 2)
			CHECK(ops->expose(&s, settings, &f->err), OK);
		found = look_for(f, &s);
		assert_int_equal(found.n, 1);
		assert_string_equal(found.as_found.provider, subject->provider);
		assert_string_equal(found.as_found.source, f->source);
		CHECK(ops->remove(&found.as_found, settings, &f->err), OK);
		assert_int_equal(look_for(f, &s).n, 0);
		expect_nothing_left(f);
	}
}

/* Those of a Holdfast with another state folder are none of our leftovers. */
static void
others_are_not_found(void **state)
{
	struct fixture *f = *state;
	struct snapshot s;
	char root[SNAPSHOT_PATH_MAX];

	NEEDS_A_WORLD();
	make(f, &s);
	memcpy(root, settings->mount_root, sizeof(root));
	(void)snprintf(settings->mount_root, sizeof(settings->mount_root), "%s/other",
		       world.folder);
	struct found found = look_for(f, &s);
	memcpy(settings->mount_root, root, sizeof(root));
	assert_int_equal(found.n, 0);
	CHECK(ops->remove(&s, settings, &f->err), OK);
	expect_nothing_left(f);
}

static int
stop_at_once(const struct snapshot *s, void *arg, struct error *err)
{
	(void)s;
	(void)arg;
	return error_set(err, ERR_CANCELLED, "enough");
}

static void
two_sets_at_once(void **state)
{
	struct fixture *f = *state;
	struct snapshot one, two;

	NEEDS_A_WORLD();
	make(f, &one);
	provider_world_write(f->data, "a", "between");
	make(f, &two);
	provider_world_write(f->data, "a", "after");
	provider_world_expect(seen(f, &one), "a", "before");
	provider_world_expect(seen(f, &two), "a", "between");
	assert_int_equal(look_for(f, &one).n, 1);
	assert_true(look_for(f, &one).others >= 1);
	CHECK(ops->find(settings, stop_at_once, NULL, &f->err), ERR_CANCELLED);
	CHECK(ops->remove(&one, settings, &f->err), OK);
	provider_world_expect(seen(f, &two), "a", "between");
	CHECK(ops->remove(&two, settings, &f->err), OK);
	provider_world_write(f->data, "a", "before");
	expect_nothing_left(f);
}

static void
deadline_is_kept(void **state)
{
	struct fixture *f = *state;
	struct snapshot s = new_snapshot(f);

	NEEDS_A_WORLD();
	CHECK(ops->prepare(&s, settings, &f->err), OK);
	uint64_t begun = clock_boot_ns();
	CHECK(take(&s, begun, &f->err), ERR_TIMEOUT);
	assert_true(clock_boot_ns() - begun < 5 * NS_PER_S);
	CHECK(ops->remove(&s, settings, &f->err), OK);
	expect_nothing_left(f);
}

/* Names of any bytes, and all that a file can be. */
static void
everything_is_in_it(void **state)
{
	static const char *const names[] = {"new\nline", "\001\377\200", " blank ",   "%25",
					    "-rf",       "\"'\\$(x)`",   ".holdfast2"};
	struct fixture *f = *state;
	struct stat live, there;
	struct snapshot s;
	char path[PATH_SIZE], other[PATH_SIZE], text[16] = "";

	NEEDS_A_WORLD();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		provider_world_write(f->data, names[i], names[i]);
		(void)snprintf(path, sizeof(path), "%s/d%s", f->data, names[i]);
		assert_int_equal(mkdir(path, 0700), 0);
		provider_world_write(path, "in", names[i]);
	}
	(void)snprintf(path, sizeof(path), "%s/a", f->data);
	(void)snprintf(other, sizeof(other), "%s/second name", f->data);
	assert_int_equal(link(path, other), 0);
	assert_int_equal(setxattr(path, "user.x", "y", 1, 0), 0);
	assert_int_equal(setxattr(path, "trusted.x", "z", 1, 0), 0);
	assert_int_equal(chown(path, 12, 34), 0);
	assert_int_equal(chmod(path, 06751), 0);
	(void)snprintf(other, sizeof(other), "%s/link", f->data);
	assert_int_equal(symlink("to nowhere", other), 0);
	(void)snprintf(other, sizeof(other), "%s/pipe", f->data);
	assert_int_equal(mkfifo(other, 0640), 0);
	(void)snprintf(other, sizeof(other), "%s/sparse", f->data);
	provider_world_write(f->data, "sparse", "");
	assert_int_equal(truncate(other, 8 << 20), 0);
	assert_int_equal(lstat(path, &live), 0);
	make(f, &s);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		provider_world_expect(seen(f, &s), names[i], names[i]);
		(void)snprintf(path, sizeof(path), "%s/d%s", seen(f, &s), names[i]);
		provider_world_expect(path, "in", names[i]);
	}
	(void)snprintf(path, sizeof(path), "%s/a", seen(f, &s));
	assert_int_equal(lstat(path, &there), 0);
	assert_int_equal(there.st_mode, live.st_mode);
	assert_int_equal(there.st_uid, 12);
	assert_int_equal(there.st_gid, 34);
	assert_int_equal(there.st_nlink, 2);
	assert_int_equal(there.st_mtim.tv_sec, live.st_mtim.tv_sec);
	assert_int_equal(there.st_mtim.tv_nsec, live.st_mtim.tv_nsec);
	assert_int_equal(getxattr(path, "user.x", text, sizeof(text)), 1);
	assert_int_equal(getxattr(path, "trusted.x", text, sizeof(text)), 1);
	(void)snprintf(path, sizeof(path), "%s/link", seen(f, &s));
	assert_int_equal(readlink(path, text, sizeof(text)), strlen("to nowhere"));
	(void)snprintf(path, sizeof(path), "%s/pipe", seen(f, &s));
	assert_int_equal(lstat(path, &there), 0);
	assert_int_equal(there.st_mode, S_IFIFO | 0640);
	(void)snprintf(path, sizeof(path), "%s/sparse", seen(f, &s));
	assert_int_equal(lstat(path, &there), 0);
	assert_int_equal(there.st_size, 8 << 20);
	assert_int_equal(there.st_blocks, 0);
	CHECK(ops->remove(&s, settings, &f->err), OK);
}

/* Whoever called was killed between two calls: only the mark is left to go by. */
static void
interrupted_anywhere(void **state)
{
	struct fixture *f = *state;

	NEEDS_A_WORLD();
	for (int steps = 1; steps <= 4; steps++) {
		struct snapshot s = new_snapshot(f);
		int status;

		pid_t pid = fork();
		if (pid == 0) {
			bool good = ops->prepare(&s, settings, NULL) == OK &&
				    (steps < 2 || take(&s, soon(), NULL) == OK) &&
				    (steps < 3 || ops->expose(&s, settings, NULL) == OK) &&
				    (steps < 4 || ops->remove(&s, settings, NULL) == OK);
			_exit(good ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		struct found found = look_for(f, &s);
		assert_int_equal(found.n, steps < 4);
		if (found.n > 0)
			CHECK(ops->remove(&found.as_found, settings, &f->err), OK);
		expect_nothing_left(f);
	}
}

static void
space_is_told(void **state)
{
	struct fixture *f = *state;
	uint64_t available = 0, total = 0;
	struct snapshot s;

	NEEDS_A_WORLD();
	make(f, &s);
	CHECK(ops->space(&s, settings, &available, &total, &f->err), OK);
	assert_true(available > 0 && available <= total);
	CHECK(ops->remove(&s, settings, &f->err), OK);
}

/* Full to the brim: it may fail or do, but it must not leave anything, and removing must work. */
static void
no_space(void **state)
{
	static uint8_t block[1 << 20];
	struct fixture *f = *state;
	struct snapshot s = new_snapshot(f);
	char path[PATH_SIZE];
	size_t n = sizeof(block);

	NEEDS_A_WORLD();
	memset(block, 0x5a, sizeof(block));
	(void)snprintf(path, sizeof(path), "%s/fill", f->data);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	while (n >= 512)
		if (write(fd, block, n) <= 0)
			n /= 2;
	(void)fsync(fd);
	int r = ops->prepare(&s, settings, &f->err);
	if (r == OK)
		r = take(&s, soon(), &f->err);
	if (r == OK)
		r = ops->expose(&s, settings, &f->err);
	if (r == OK)
		provider_world_expect(seen(f, &s), "a", "before");
	f->err = ERROR_INIT;
	CHECK(ops->remove(&s, settings, &f->err), OK);
	(void)close(fd);
	assert_int_equal(unlink(path), 0);
	expect_nothing_left(f);
}

static const struct CMUnitTest all[] = {
	cmocka_unit_test_setup_teardown(holds_the_moment, setup, teardown),
	cmocka_unit_test_setup_teardown(is_one_instant, setup, teardown),
	cmocka_unit_test_setup_teardown(exposed_is_read_only, setup, teardown),
	cmocka_unit_test_setup_teardown(remove_leaves_nothing, setup, teardown),
	cmocka_unit_test_setup_teardown(a_set_has_each_index_once, setup, teardown),
	cmocka_unit_test_setup_teardown(bad_sources_are_refused, setup, teardown),
	cmocka_unit_test_setup_teardown(leftovers_are_found, setup, teardown),
	cmocka_unit_test_setup_teardown(others_are_not_found, setup, teardown),
	cmocka_unit_test_setup_teardown(two_sets_at_once, setup, teardown),
	cmocka_unit_test_setup_teardown(deadline_is_kept, setup, teardown),
	cmocka_unit_test_setup_teardown(everything_is_in_it, setup, teardown),
	cmocka_unit_test_setup_teardown(interrupted_anywhere, setup, teardown),
	cmocka_unit_test_setup_teardown(space_is_told, setup, teardown),
	cmocka_unit_test_setup_teardown(no_space, setup, teardown),
};

int
provider_contract_run(const struct provider_subject *s)
{
	static char names[8][ARRAY_SIZE(all)][96];
	static struct CMUnitTest tests[ARRAY_SIZE(all)];
	static size_t runs;

	assert_true(runs < ARRAY_SIZE(names));
	subject = s;
	memcpy(tests, all, sizeof(all));
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		(void)snprintf(names[runs][i], sizeof(names[runs][i]), "%s: %s", s->name,
			       all[i].name);
		tests[i].name = names[runs][i];
	}
	return _cmocka_run_group_tests(s->name, tests, ARRAY_SIZE(all), open_world, close_world) +
	       0 * (int)runs++;
}
