/* SPDX-License-Identifier: Apache-2.0 */

/*
 * In which order file systems may be frozen. A file system whose blocks end up in another one (an image
 * file behind a loop device) is frozen before it, and thawed after it: the other way round either call
 * would wait for ever. Mounts in reverse are usually a right order; a sort of the graph always is.
 *
 * Nodes are device numbers: of block devices, which stand for the file system on them too, or st_dev
 * of a file system without one. An edge says that `from` needs `to` in order to write.
 */
#ifndef HF_PROVIDER_ORDER_H
#define HF_PROVIDER_ORDER_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "provider/mounts.h"

struct order_edge {
	uint64_t from, to;
};

struct order_facts {
	size_t n;
	struct order_edge *edges;
	uint64_t unknown; /* a device of which it cannot be told what it needs; 0: none */
};

void order_facts_done(struct order_facts *f);
CHECKED int order_facts_add(struct order_facts *f, uint64_t from, uint64_t to, struct error *err);
/* What these devices need, from /sys/dev/block and the mounts: loop files, dm and md members,
 * partitions, and what is mounted on what. */
CHECKED int order_facts_gather(const struct mounts *mounts, const uint64_t *devices, size_t n,
			       struct order_facts *ret, struct error *err);

/* Whether `from` needs `to`, directly or through others. Pure. */
bool order_needs(const struct order_facts *f, uint64_t from, uint64_t to);
/* Indexes of `devices` in the order in which to freeze; one that comes first otherwise stays first.
 * ERR_BAD_STATE if they need each other in a circle, or what one needs is not known. Pure. */
CHECKED int order_sort(const struct order_facts *f, const uint64_t *devices, size_t n,
		       size_t *ret_order, struct error *err);

#endif
