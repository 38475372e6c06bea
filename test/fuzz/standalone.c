/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Runs a fuzz target over every file of the folders given, without libFuzzer: so the committed corpora
 * are part of every test run with any compiler. Prints TAP, one line per file; an empty or missing
 * corpus is a failure, since it would test nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 16 * 1024 * 1024 };

static int
read_input(int dirfd, const char *name, uint8_t **ret_data, size_t *ret_size)
{
	CLEAN(fd_close) int fd = -1;
	CLEAN(free_ptr) uint8_t *data = NULL;
	struct stat st;
	size_t size = 0;

	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > INPUT_MAX)
		return -1;

	/* Exactly as large as the input, so that a sanitizer sees one byte too far. */
	data = malloc(st.st_size > 0 ? (size_t)st.st_size : 1);
	if (!data)
		return -1;
	while (size < (size_t)st.st_size) {
		ssize_t n = read(fd, data + size, (size_t)st.st_size - size);

		if (n <= 0)
			return -1;
		size += (size_t)n;
	}
	*ret_data = STEAL_PTR(data);
	*ret_size = size;
	return 0;
}

/* Not "." and "..", nor files such as .gitignore. */
static int
is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool
run_folder(const char *path, unsigned *number)
{
	CLEAN(fd_close) int dirfd = -1;
	struct dirent **names = NULL;
	bool good = true;
	int count;

	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	count = dirfd < 0 ? -1 : scandir(path, &names, is_input, alphasort);
	if (count <= 0) {
		printf("not ok %u - corpus '%s' holds inputs: %s\n", ++*number, path,
		       count < 0 ? strerror(errno) : "it is empty");
		good = false;
	}
	for (int i = 0; i < count; i++) {
		CLEAN(free_ptr) uint8_t *data = NULL;
		size_t size = 0;
		bool read_it = read_input(dirfd, names[i]->d_name, &data, &size) == 0;

		/* A bad input ends the program here; the number of tests planned then gives it away. */
		if (read_it)
			(void)LLVMFuzzerTestOneInput(data, size);
		good = good && read_it;
		printf("%sok %u - %s\n", read_it ? "" : "not ", ++*number, names[i]->d_name);
		(void)fflush(stdout);
		free(names[i]);
	}
	free(names);
	return good;
}

int
main(int argc, char **argv)
{
	unsigned number = 0;
	bool good = argc > 1;

	for (int i = 1; i < argc; i++)
		good = run_folder(argv[i], &number) && good;
	printf("1..%u\n", number);
	return good ? 0 : 1;
}
