/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The folder on this side of a guest by ssh: its sockets. In $XDG_RUNTIME_DIR, or /tmp. It is locked for as long as
 * its owner lives, so that whoever makes the next one can tell which were left by requesters that were killed.
 */
#ifndef HF_REQUESTER_SSH_DIR_H
#define HF_REQUESTER_SSH_DIR_H

#include "base/base.h"
#include "base/error.h"

enum { SSH_DIR_MAX = 96 }; /* a socket in it still has a path that fits */

struct ssh_dir {
	char path[SSH_DIR_MAX]; /* "" none */
	int fd; /* locked; -1 */
};

/* A new one; what others left is removed. On failure there is none. */
CHECKED int ssh_dir_make(struct ssh_dir *ret, struct error *err);
/* With all that is in it. */
void ssh_dir_remove(struct ssh_dir *d);

#endif
