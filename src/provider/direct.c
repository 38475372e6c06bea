/* SPDX-License-Identifier: Apache-2.0 */

/* Provider `direct`: there is nothing to make and nothing to give back, only the truth to tell. */
#include "provider/direct.h"

static enum consistency
direct_promise(const struct volume *volume, bool hot, const char **ret_why)
{
	(void)volume; /* the same everywhere */
	*ret_why = hot ? "the writer's database may be copied while it runs"
		       : "there is no snapshot, so files are read while they may change";
	return hot ? CONSISTENCY_APPLICATION : CONSISTENCY_NONE;
}

static int
direct_begin(struct provider **ret, struct error *err)
{
	struct provider *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return error_no_memory(err);
	p->ops = &direct_ops;
	*ret = p;
	return OK;
}

static int
direct_snapshot(struct provider *p, struct error *err)
{
	/* The live files are what is read: their moment is whenever that happens. */
	(void)p;
	(void)err;
	return OK;
}

static void
direct_end(struct provider *p)
{
	free(p);
}

const struct provider_ops direct_ops = {
	.name = "direct",
	.cost = "none beyond reading the files",
	.promise = direct_promise,
	.begin = direct_begin,
	.snapshot = direct_snapshot,
	.end = direct_end,
};
