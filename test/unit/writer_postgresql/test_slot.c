/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The slot proves that the server's files are those we see: with a server that is this file's own
 * pgconn_query(), which makes the slot's folder here, elsewhere, or not at all.
 */
#include "writer/postgresql/slot.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fs.h"

static char top[] = "/tmp/hf-slot-XXXXXX";
static const struct cluster here = {.data_directory = top};
static const struct pgconn_limit limit = {.deadline_ns = UINT64_MAX, .requester_fd = -1};
static const char *folder; /* where the server makes it; NULL: nowhere */
static const char *state_of_failure; /* NULL: it works */
static char asked[64];

int
pgconn_query(struct pgconn *c, const struct pgconn_limit *l, const char *sql, size_t n,
	     const char *const *params, PGresult **ret_result, struct error *err)
{
	char path[160];

	(void)c, (void)l;
	assert_int_equal(n, 1);
	assert_null(ret_result);
	(void)snprintf(asked, sizeof(asked), "%s", params[0]);
	if (state_of_failure != NULL)
		return error_set(err, ERR_WRITER_FAILED, "the server says no");
	if (folder == NULL)
		return OK;
	(void)snprintf(path, sizeof(path), "%s/%s", folder, params[0]);
	if (strstr(sql, "pg_drop_replication_slot") != NULL)
		assert_int_equal(rmdir(path), 0);
	else
		assert_int_equal(mkdir(path, 0700), 0);
	return OK;
}

const char *
pgconn_sqlstate(const struct pgconn *c)
{
	(void)c;
	return state_of_failure;
}

static int
setup(void **state)
{
	static char slots[64];

	(void)state;
	(void)snprintf(top, sizeof(top), "/tmp/hf-slot-XXXXXX");
	if (mkdtemp(top) == NULL)
		return -1;
	(void)snprintf(slots, sizeof(slots), "%s/pg_replslot", top);
	folder = slots;
	state_of_failure = NULL;
	return mkdir(slots, 0700);
}

static int
teardown(void **state)
{
	(void)state;
	return fs_remove_tree(AT_FDCWD, top, NULL);
}

static void
made_and_dropped(void **state)
{
	char first[SLOT_NAME_MAX] = "", second[SLOT_NAME_MAX] = "";
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(slot_create(NULL, &here, &limit, first, &err), OK);
	assert_string_equal(first, asked);
	assert_int_equal(strspn(first, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(first));
	assert_int_equal(slot_create(NULL, &here, &limit, second, &err), OK);
	assert_string_not_equal(first, second);
	assert_int_equal(slot_drop(NULL, &limit, first, &err), OK);
	assert_string_equal(first, asked);
	assert_int_equal(slot_drop(NULL, &limit, second, &err), OK);
}

/* Another machine's server, or a container's. */
static void
elsewhere(void **state)
{
	char name[SLOT_NAME_MAX] = "";
	struct error err = ERROR_INIT;

	(void)state;
	folder = NULL;
	assert_int_equal(slot_create(NULL, &here, &limit, name, &err), ERR_DB_CONFIG);
	assert_non_null(strstr(err.msg, top));
	assert_string_equal(name, "");
}

static void
refused(void **state)
{
	char name[SLOT_NAME_MAX] = "";
	struct error err = ERROR_INIT;

	(void)state;
	state_of_failure = "53400";
	assert_int_equal(slot_create(NULL, &here, &limit, name, &err), ERR_WRITER_FAILED);
	assert_non_null(strstr(err.hint, "max_replication_slots"));
	assert_non_null(strstr(err.msg, "hold the log with a replication slot"));
	err = ERROR_INIT;
	state_of_failure = "42501";
	assert_int_equal(slot_create(NULL, &here, &limit, name, &err), ERR_WRITER_FAILED);
	assert_null(strstr(err.hint, "max_replication_slots"));
	assert_int_equal(slot_drop(NULL, &limit, "holdfast_x", &err), ERR_WRITER_FAILED);
	assert_non_null(strstr(err.msg, "release the log"));
	assert_string_equal(name, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(made_and_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
