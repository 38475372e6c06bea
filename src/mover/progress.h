/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How far a long operation is: counters that worker threads add to and one thread shows. Also carries
 * the request to stop: workers look at `cancelled` between pieces of work.
 */
#ifndef HF_MOVER_PROGRESS_H
#define HF_MOVER_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/base.h"

struct progress {
	_Atomic uint64_t files_done, files_total; /* totals grow while a scan runs */
	_Atomic uint64_t bytes_done, bytes_total;
	_Atomic uint64_t files_new, files_changed, files_unchanged, dirs;
	_Atomic uint64_t bytes_stored;
	_Atomic uint64_t read_ns, scan_ns; /* stage times, summed over threads */
	_Atomic bool total_known;
	_Atomic bool cancelled;
};

#endif
