/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The launcher of a program that was sent to a guest together with every library it needs:
 *
 *	DIR/bin/NAME		this program, under each name
 *	DIR/programs/NAME	the real ones
 *	DIR/lib/		their libraries, and the dynamic linker, ld.so
 *
 * A program names its dynamic linker by an absolute path, which on the guest may be another version's
 * or absent; so this one, linked statically, starts ours and tells it where the libraries lie. Programs
 * that start each other (agent, guard, writers) do so through DIR/bin and need to know nothing of it.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ARGS_MAX = 256, FIXED_ARGS = 6 };

static int
fail(const char *what)
{
	(void)fprintf(stderr, "holdfast launcher: %s: %s\n", what, strerror(errno));
	return 127;
}

/* DIR and NAME of DIR/bin/NAME, taken apart in place. */
static int
split(char *self, const char **ret_name)
{
	char *slash = strrchr(self, '/');

	if (slash == NULL)
		return -1;
	*ret_name = slash + 1;
	*slash = '\0';
	slash = strrchr(self, '/');
	if (slash == NULL || strcmp(slash, "/bin") != 0)
		return -1;
	*slash = '\0';
	return 0;
}

int
main(int argc, char *argv[])
{
	static char self[PATH_MAX], linker[PATH_MAX], lib[PATH_MAX], program[PATH_MAX];
	static char option_path[] = "--library-path", option_name[] = "--argv0";
	static char *args[FIXED_ARGS + ARGS_MAX + 1];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *name;

	if (n < 0)
		return fail("find out which program this is (is /proc mounted?)");
	self[n] = '\0';
	errno = EINVAL;
	if (split(self, &name) < 0)
		return fail("this program belongs into a folder 'bin'");
	errno = ENAMETOOLONG;
	if (snprintf(linker, sizeof(linker), "%s/lib/ld.so", self) >= (int)sizeof(linker) ||
	    snprintf(lib, sizeof(lib), "%s/lib", self) >= (int)sizeof(lib) ||
	    snprintf(program, sizeof(program), "%s/programs/%s", self, name) >=
		    (int)sizeof(program))
		return fail(self);
	errno = E2BIG;
	if (argc < 1 || argc > ARGS_MAX)
		return fail(name);
	char *fixed[FIXED_ARGS] = {linker, option_path, lib, option_name, argv[0], program};

	memcpy(args, fixed, sizeof(fixed));
	memcpy(args + FIXED_ARGS, argv + 1, (size_t)(argc - 1) * sizeof(*argv));
	(void)execv(linker, args);
	return fail(linker);
}
