/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The folders a restore goes into: the target, and those that relocated folders go to. The way to
 * them is the administrator's (links are followed); from there on down nothing is.
 */
#ifndef HF_MOVER_RESTORE_TARGET_H
#define HF_MOVER_RESTORE_TARGET_H

#include "base/base.h"
#include "base/error.h"
#include "mover/restore_run.h"

/* Open the folder, creating it (0700) and what is missing above it. ERR_TARGET if it must be empty and
 * is not. The item's descriptor stays pinned until restore_target_close(). */
CHECKED int restore_target_open(struct restore_run *run, const char *path,
				struct restore_item **ret, struct error *err);
/* Everything in it is placed: complete it when the last entry is. */
void restore_target_close(struct restore_run *run, struct restore_item *root);

/* ERR_USAGE if one of the two folders is the other or lies in it. */
CHECKED int restore_target_check_apart(struct restore_run *run, struct restore_item *a,
				       struct restore_item *b, struct error *err);

#endif
