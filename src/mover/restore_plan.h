/* SPDX-License-Identifier: Apache-2.0 */

/* From a file's map to pieces in the window: where each piece lies is looked up here. */
#ifndef HF_MOVER_RESTORE_PLAN_H
#define HF_MOVER_RESTORE_PLAN_H

#include "mover/restore_place.h"

/* Plan all content of a file. If its map is damaged the file fails (reported); what is returned as a
 * failure stops the restore. The caller still holds the item afterwards. */
CHECKED int restore_plan_content(struct restore_planner *planner, struct restore_item *item,
				 struct slice content, struct error *err);

#endif
