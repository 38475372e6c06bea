/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A provider makes the files of some volumes readable as they were at one moment, or says plainly
 * that it cannot. The calls of one backup come in this order, from one thread:
 *
 *	promise (for each path)  ->  begin  ->  snapshot  ->  (data is read)  ->  end
 *
 * Writers are frozen before `snapshot` and thawed right after it, whatever it returned: it must be
 * quick, and return within the writers' patience. `end` follows every successful begin, also after
 * failures, and leaves nothing behind.
 *
 * What `promise` says is kept: a provider that could not deliver it fails in `snapshot`, never
 * silently gives less.
 */
#ifndef HF_PROVIDER_PROVIDER_H
#define HF_PROVIDER_PROVIDER_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "provider/volume.h"
#include "repo/point.h"

/* A backup's use of a provider; the implementation's own struct begins with it. */
struct provider {
	const struct provider_ops *ops;
};

/*
 * The consistency of a path on this volume, if it is read through this provider. `hot`: the path
 * belongs to a writer whose database may be copied while it runs. *ret_why: why so, a sentence
 * without its full stop. Pure: decides by its arguments alone.
 */
typedef enum consistency provider_promise_fn(const struct volume *volume, bool hot,
					     const char **ret_why);
/* Begin one backup. Nothing is frozen yet; whatever may fail or take long belongs here. */
typedef int provider_begin_fn(struct provider **ret, struct error *err);
/* The moment. Called once. */
typedef int provider_snapshot_fn(struct provider *p, struct error *err);
/* Give back everything, and free. NULL is fine. */
typedef void provider_end_fn(struct provider *p);

struct provider_ops {
	const char *name; /* as writers, restore points and people know it: "direct" */
	const char *cost; /* what using it costs the host, for people */
	provider_promise_fn *promise;
	provider_begin_fn *begin;
	provider_snapshot_fn *snapshot;
	provider_end_fn *end;
};

/* The n-th provider from 0, NULL past the end. */
const struct provider_ops *provider_at(size_t n);

void provider_endp(struct provider **p); /* for CLEAN() */

#endif
