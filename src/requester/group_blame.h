/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a group's backup failed of before a host was asked for its part, made known on the hosts that it would
 * have been: it becomes the last error of the writer there, where an administrator of that host looks first.
 *
 * Best effort, and three seconds at most in all: the failure itself is on its way to whoever asked for the backup.
 */
#ifndef HF_REQUESTER_GROUP_BLAME_H
#define HF_REQUESTER_GROUP_BLAME_H

#include "group/status.h"
#include "requester/group_backup.h"

/* The copy that was chosen, whose agent is `g`. identity: of its database, "" if it is not known. */
void group_blame_chosen(const struct group_backup_order *o, struct guest *g, const char *identity,
			const struct error *cause);
/* None was chosen: all that might have been. */
void group_blame_all(const struct group_backup_order *o, const struct group_view *v,
		     const struct error *cause);

#endif
