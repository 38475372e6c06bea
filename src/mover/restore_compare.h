/* SPDX-License-Identifier: Apache-2.0 */

/* Comparing existing files with the restore point, so that only what differs is fetched. */
#ifndef HF_MOVER_RESTORE_COMPARE_H
#define HF_MOVER_RESTORE_COMPARE_H

#include "mover/restore_worker.h"

/*
 * Compare pieces of existing files with what is there, punch holes where they belong. Pieces found
 * equal become PIECE_DONE and are released, of pages only those that differ remain. Pieces of other
 * files stay as they are.
 */
void restore_compare_job(struct restore_worker *w, struct restore_piece *pieces, size_t n);

#endif
