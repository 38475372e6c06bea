/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The worker threads and two windows: while one is worked off, the planner fills the other, so that
 * neither waits unless it is the faster one. The first windows are small, to give the workers
 * something to do at once.
 *
 *	free -> filling -> (comparing -> sorting) -> writing -> free
 */
#ifndef HF_MOVER_RESTORE_POOL_H
#define HF_MOVER_RESTORE_POOL_H

#include "base/base.h"
#include "base/error.h"
#include "mover/restore_run.h"
#include "mover/restore_window.h"

struct restore_pool;

CHECKED int restore_pool_start(struct restore_run *run, unsigned workers, struct restore_pool **ret,
			       struct error *err);
/* Plan a piece (planner's thread only): the item is held back until it is done. May wait for a window
 * to become free. Fails only if the restore was stopped. */
CHECKED int restore_pool_add(struct restore_pool *pool, const struct restore_piece *piece,
			     const uint8_t *fingerprints, size_t n, struct error *err);
/* Work off what is planned, end the threads, free. Always completes; a failure is in the run. */
void restore_pool_finish(struct restore_pool *pool);

#endif
