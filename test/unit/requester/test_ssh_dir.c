/* SPDX-License-Identifier: Apache-2.0 */

/* Folders of guests by ssh: one's own is kept, what the dead left goes, and nothing else. */
#include "requester/ssh_dir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fs.h"

static char runtime[] = "/tmp/hf-ssh-dir-XXXXXX";
static int at = -1;

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(runtime) == NULL || setenv("XDG_RUNTIME_DIR", runtime, 1) < 0)
		return -1;
	at = open(runtime, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return at < 0 ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	fd_close(&at);
	return fs_remove_tree(AT_FDCWD, runtime, NULL);
}

static void
make(const char *name, time_t age_s)
{
	const struct timespec times[2] = {{.tv_sec = time(NULL) - age_s},
					  {.tv_sec = time(NULL) - age_s}};
	char inner[64];

	assert_int_equal(mkdirat(at, name, 0700), 0);
	(void)snprintf(inner, sizeof(inner), "%s/control", name);
	assert_int_equal(mkdirat(at, inner, 0700), 0);
	assert_int_equal(utimensat(at, name, times, 0), 0);
}

static bool
is_there(const char *name)
{
	return faccessat(at, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
a_folder_of_ones_own(void **state)
{
	struct ssh_dir d, other;
	struct error err = ERROR_INIT;
	struct stat st;
	char path[SSH_DIR_MAX];

	(void)state;
	assert_int_equal(ssh_dir_make(&d, &err), OK);
	assert_int_equal(strncmp(d.path, runtime, strlen(runtime)), 0);
	assert_int_equal(stat(d.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	/* However long it has been there, nobody else's next removes it. */
	const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	assert_int_equal(utimensat(AT_FDCWD, d.path, old, 0), 0);
	assert_int_equal(ssh_dir_make(&other, &err), OK);
	assert_int_equal(stat(d.path, &st), 0);
	assert_string_not_equal(d.path, other.path);
	(void)snprintf(path, sizeof(path), "%s", d.path);
	ssh_dir_remove(&d);
	ssh_dir_remove(&d);
	ssh_dir_remove(&other);
	assert_int_equal(stat(path, &st), -1);
}

static void
what_the_dead_left(void **state)
{
	struct error err = ERROR_INIT;
	struct ssh_dir d;

	(void)state;
	make("holdfast-ssh-left00", 120);
	make("holdfast-ssh-young0", 10);
	make("something-else", 120);
	make("aside", 120);
	assert_int_equal(symlinkat("aside", at, "holdfast-ssh-linked"), 0);
	assert_int_equal(ssh_dir_make(&d, &err), OK);
	assert_false(is_there("holdfast-ssh-left00"));
	assert_true(is_there("holdfast-ssh-young0"));
	assert_true(is_there("something-else"));
	assert_true(is_there("holdfast-ssh-linked") && is_there("aside/control"));
	ssh_dir_remove(&d);
}

static void
no_place(void **state)
{
	struct error err = ERROR_INIT;
	struct ssh_dir d;
	char nowhere[80];

	(void)state;
	(void)snprintf(nowhere, sizeof(nowhere), "%s/none", runtime);
	assert_int_equal(setenv("XDG_RUNTIME_DIR", nowhere, 1), 0);
	assert_int_equal(ssh_dir_make(&d, &err), ERR_IO);
	assert_true(d.path[0] == '\0' && d.fd == -1);
	assert_int_equal(setenv("XDG_RUNTIME_DIR", runtime, 1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_folder_of_ones_own),
		cmocka_unit_test(what_the_dead_left),
		cmocka_unit_test(no_place),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
