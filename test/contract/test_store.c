/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The store contract on every store there is: the folder in each way it can publish an object,
 * memory, the failing store while it is told to fail nothing, and an outbox with a pump over others.
 */
#include "store_contract.h"

#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "requester/crew.h"
#include "requester/pump.h"
#include "store/dir.h"
#include "store/dir_internal.h"
#include "store/fault.h"
#include "store/mem.h"
#include "store/outbox.h"

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

/* An outbox, and a pump that carries everything out on another store, over "connections" each of which
 * loses what it was handed now and then. */
static struct {
	struct outbox *outbox;
	struct pump *pump;
	struct crew *crew;
	struct store *inner;
	_Atomic unsigned exchanges;
} coupled;

static int
exchange(void *arg, unsigned number, const json_t *answer, struct slice data, struct buf *ret_frame,
	 struct error *err)
{
	struct outbox *o = arg;
	unsigned turn = atomic_fetch_add(&coupled.exchanges, 1);

	if (answer != NULL && outbox_answer(o, answer, data, err) < 0)
		return err->code;
	/* The answer is sent twice: the reply to the first time was lost. */
	if (answer != NULL && turn % 5 == 0 && outbox_answer(o, answer, data, err) < 0)
		return err->code;
	int rc = outbox_next(o, number + 1, ret_frame, err);
	/* And so was this reply. */
	if (rc == 1 && turn % 7 == 0) {
		ret_frame->n = 0;
		rc = outbox_next(o, number + 1, ret_frame, err);
	}
	/* Handed to a connection that is only thought to be dead: two carry it out. */
	if (rc == 1 && turn % 11 == 0)
		outbox_lost(o, number + 1);
	if (rc == 0)
		outbox_wait(o, UINT64_MAX);
	return MIN(rc, OK);
}

static int
outbox_over(struct store *inner, struct store **ret, struct error *err)
{
	coupled.inner = inner;
	if (outbox_open(NULL, &coupled.outbox, err) < 0 ||
	    pump_new(inner, PUMP_ANYTHING, &coupled.pump, err) < 0 ||
	    crew_start(coupled.pump, 3, exchange, coupled.outbox, &coupled.crew, err) < 0)
		return err->code;
	*ret = outbox_store(coupled.outbox);
	return OK;
}

static int
outbox_over_mem(struct store **ret, struct error *err)
{
	struct store *inner;

	return store_mem_open(&inner, err) < 0 ? err->code : outbox_over(inner, ret, err);
}

static int
outbox_over_dir(struct store **ret, struct error *err)
{
	struct store *inner;

	return dir_open(&inner, err) < 0 ? err->code : outbox_over(inner, ret, err);
}

static void
outbox_done(void)
{
	struct error err = ERROR_INIT;

	outbox_close(coupled.outbox);
	while (crew_check(coupled.crew, &err) == 0)
		(void)sched_yield();
	if (err.code != OK)
		fail_msg("%s", err.msg);
	crew_end(coupled.crew);
	pump_free(coupled.pump);
	outbox_free(coupled.outbox);
	store_close(coupled.inner);
}

static void
outbox_dir_done(void)
{
	outbox_done();
	dir_done();
}

int
main(void)
{
	static const struct store_contract_subject subjects[] = {
		{"dir", dir_open, dir_done, false},
		{"dir by rename", dir_open_rename, dir_done, false},
		{"dir by link", dir_open_link, dir_done, false},
		{"mem", store_mem_open, NULL, false},
		{"fault", fault_open, NULL, false},
		{"outbox over mem", outbox_over_mem, outbox_done, true},
		{"outbox over dir", outbox_over_dir, outbox_dir_done, true},
	};
	static struct CMUnitTest tests[256];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++)
		n += store_contract_tests(&subjects[i], tests + n, ARRAY_SIZE(tests) - n);
	return _cmocka_run_group_tests("store contract", tests, n, NULL, NULL);
}
