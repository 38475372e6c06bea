/* SPDX-License-Identifier: Apache-2.0 */

/* Showing to which moments databases can be restored: what 'restore --target-time' and its like can have. */
#ifndef HF_CLI_MOMENTS_H
#define HF_CLI_MOMENTS_H

#include "cli/cli.h"
#include "requester/forget.h"

/* For each database of whose logs a restore point passes the filter; nothing if there is none. */
CHECKED int moments_show(const struct cli *cli, const struct point_list *list,
			 const struct forget_filter *filter, struct error *err);
/* What a point of type log has: "logs 0/3000000 to 0/9000000, until 2026-11-22 21:06:28". Returns text. */
char *moments_of_logs(const struct point *p, char *text, size_t size);

#endif
