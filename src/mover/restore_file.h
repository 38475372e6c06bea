/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One item from "planned" to "complete". Files come into being when their first content arrives, are
 * 0600 until complete, and get owner, attributes, mode and times last of all; folders likewise, when
 * everything in them is complete. A file that failed is removed again if we made it: what is there
 * under its name is right or absent.
 *
 * Called from any worker.
 */
#ifndef HF_MOVER_RESTORE_FILE_H
#define HF_MOVER_RESTORE_FILE_H

#include "base/base.h"
#include "base/error.h"
#include "mover/restore_item.h"
#include "mover/restore_run.h"

/* The file's descriptor for reading and writing, created or opened if this is the first call; pinned
 * until restore_file_unpin(). */
CHECKED int restore_file_pin(struct restore_run *run, struct restore_item *item, int *ret_fd,
			     struct error *err);
void restore_file_unpin(struct restore_run *run, struct restore_item *item);

/* Write content. */
CHECKED int restore_file_write(struct restore_run *run, struct restore_item *item, int fd,
			       struct slice content, uint64_t offset, struct error *err);

/* This file (or folder) cannot be completed: reported once, or the whole restore is stopped. */
void restore_file_fail(struct restore_run *run, struct restore_item *item, const struct error *why);

/* Let go of one hold on the item's completion. The last one completes it, and so on up to the root. */
void restore_file_release(struct restore_run *run, struct restore_item *item);

#endif
