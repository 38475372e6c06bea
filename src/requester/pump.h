/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The other end of an outbox (store/outbox.h): carries out on a real store what a guest's mover wants.
 *
 * The guest is not trusted with the repository. For a backup (PUMP_BACKUP) it may look at packs,
 * index and marks, and add packs and index objects of bounded size; it never sees key slots or restore
 * points, and never removes or replaces anything.
 *
 * A part or a commit that arrives twice is carried out once: uploads are remembered by their number
 * and how far they are, and, when they are over, by their outcome. So a connection may die at any point
 * and another may take over. A commit is answered after the store has the object durably.
 *
 * pump_perform() may be called by any number of threads.
 */
#ifndef HF_REQUESTER_PUMP_H
#define HF_REQUESTER_PUMP_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "store/store.h"
#include "store/storeop.h"

enum pump_policy {
	PUMP_BACKUP = 1,
	PUMP_ANYTHING, /* for tests of the outbox */
};

struct pump;

/* The store is borrowed. */
CHECKED int pump_new(struct store *store, enum pump_policy policy, struct pump **ret,
		     struct error *err);
/* Drops uploads that were not committed. No thread may be inside. NULL is fine. */
void pump_free(struct pump *p);
void pump_freep(struct pump **p);

/* Carry out one operation. What goes wrong is part of the answer; its bytes are put in place of what
 * ret_data held. */
void pump_perform(struct pump *p, const struct storeop *op, struct slice data,
		  struct storeop_answer *ret, struct buf *ret_data);

#endif
