/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Makes a golden repository in a folder that does not exist yet; what is in it is told in
 * test/unit/repo/golden.c. For a new version of the format:
 *
 *	ninja -C build test/golden_make && build/test/golden_make test/golden/v2
 *
 * Never for an old one: the point of those is that they were made by the program of their time.
 */
#include <fcntl.h>
#include <stdio.h>

#include "base/fs.h"
#include "repo/golden.h"

static int
make(const char *path, const char *cache, struct error *err)
{
	CLEAN(store_closep) struct store *store = NULL;

	if (store_open(path, true, &store, err) < 0)
		return err->code;
	return golden_make(store, cache, err);
}

int
main(int argc, char **argv)
{
	char cache[] = "/tmp/holdfast-golden-XXXXXX";
	struct error err = ERROR_INIT;

	if (argc != 2 || mkdtemp(cache) == NULL) {
		fprintf(stderr, "usage: golden_make FOLDER\n");
		return 2;
	}
	int rc = make(argv[1], cache, &err);
	if (rc < 0)
		fprintf(stderr, "golden_make: %s\n", err.msg);
	if (fs_remove_tree(AT_FDCWD, cache, &err) < 0)
		fprintf(stderr, "golden_make: %s\n", err.msg);
	return rc < 0 ? 1 : 0;
}
