/* SPDX-License-Identifier: Apache-2.0 */

/* Making a folder equal: removing entries the restore point does not have. */
#ifndef HF_MOVER_RESTORE_EXTRA_H
#define HF_MOVER_RESTORE_EXTRA_H

#include "base/base.h"
#include "base/error.h"
#include "mover/restore_item.h"
#include "mover/restore_run.h"
#include "repo/read.h"

/*
 * Remove what is in folder `dir` and not in `tree`. Nothing is removed unless the whole folder could
 * be read from the repository. Memory is bounded: a folder of very many entries is done in several
 * passes. What cannot be removed is a warning. `top`: the target itself, whose "lost+found" stays.
 */
CHECKED int restore_extra_remove(struct restore_run *run, struct repo_reader *reader,
				 struct restore_item *dir, const struct blob_id *tree, bool top,
				 struct error *err);

#endif
