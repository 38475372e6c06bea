/* SPDX-License-Identifier: Apache-2.0 */

/* What the mover's entry points (backup*.c) share: running the jobs that were pushed. */
#ifndef HF_MOVER_RUN_H
#define HF_MOVER_RUN_H

#include "base/base.h"
#include "mover/worker.h"

/* ERR_BAD_STATE after a failure, or after the end. */
CHECKED int run_check(struct mover *m, struct error *err);
/* All workers, until every job is done; looks at `cancelled` and `check` meanwhile. */
CHECKED int run_jobs(struct mover *m, struct error *err);

#endif
