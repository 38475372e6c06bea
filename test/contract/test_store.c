/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The store contract on every store there is: the folder in each way it can publish an object,
 * memory, and the failing store while it is told to fail nothing.
 */
#include "store_contract.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "store/dir.h"
#include "store/dir_internal.h"
#include "store/fault.h"
#include "store/mem.h"

static char folder[256];

static int
dir_open_as(enum dir_publish publish, struct store **ret, struct error *err)
{
	const char *where = getenv("TMPDIR"); /* to try another file system */
	struct store *s = NULL;

	(void)snprintf(folder, sizeof(folder), "%s/holdfast-store-XXXXXX",
		       where != NULL ? where : "/tmp");
	if (mkdtemp(folder) == NULL)
		return error_sys(err, ERR_IO, "mkdtemp");
	int rc = store_dir_open(folder, true, &s, err);
	if (rc < 0)
		return rc;
	atomic_store(&CONTAINER_OF(s, struct dir, base)->publish, publish);
	*ret = s;
	return OK;
}

static int
dir_open(struct store **ret, struct error *err)
{
	return dir_open_as(DIR_PUBLISH_UNKNOWN, ret, err);
}

static int
dir_open_rename(struct store **ret, struct error *err)
{
	return dir_open_as(DIR_PUBLISH_RENAME, ret, err);
}

static int
dir_open_link(struct store **ret, struct error *err)
{
	return dir_open_as(DIR_PUBLISH_LINK, ret, err);
}

static void
dir_done(void)
{
	struct error err = ERROR_INIT;

	if (fs_remove_tree(AT_FDCWD, folder, &err) < 0)
		fail_msg("%s", err.msg);
}

static int
fault_open(struct store **ret, struct error *err)
{
	CLEAN(store_closep) struct store *inner = NULL;
	int rc = store_mem_open(&inner, err);

	if (rc == OK)
		rc = store_fault_open(inner, ret, err);
	if (rc == OK)
		(void)STEAL_PTR(inner);
	return rc;
}

int
main(void)
{
	static const struct store_contract_subject subjects[] = {
		{"dir", dir_open, dir_done},
		{"dir by rename", dir_open_rename, dir_done},
		{"dir by link", dir_open_link, dir_done},
		{"mem", store_mem_open, NULL},
		{"fault", fault_open, NULL},
	};
	static struct CMUnitTest tests[256];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++)
		n += store_contract_tests(&subjects[i], tests + n, ARRAY_SIZE(tests) - n);
	return _cmocka_run_group_tests("store contract", tests, n, NULL, NULL);
}
