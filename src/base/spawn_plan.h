/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What has to be found out before fork, for spawn.c only: which file to execute, as whom, and with
 * which environment.
 */
#ifndef HF_BASE_SPAWN_PLAN_H
#define HF_BASE_SPAWN_PLAN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/base.h"
#include "base/error.h"

struct spawn_plan {
	char *path; /* of the program */
	char **env; /* pointers into environ, and into own_env */
	char *own_env[3]; /* HOME, USER, LOGNAME of the user */
	bool change_user;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	int n_groups;
};

/* plan must be zeroed. program is searched in PATH unless it has a slash; user may be NULL. */
CHECKED int spawn_plan_make(struct spawn_plan *plan, const char *program, const char *user,
			    struct error *err);
void spawn_plan_done(struct spawn_plan *plan);

/* In the child: become the user, for good. -1 and errno. Async-signal-safe. */
CHECKED int spawn_plan_become(const struct spawn_plan *plan);

#endif
