/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Becoming an ordinary user. A writer started by root needs root for nothing: PostgreSQL's "peer"
 * authentication wants the operating system's user, and files that a restore leaves behind must
 * belong to whoever the database runs as.
 *
 * The change is for good. The process still dies with its parent afterwards (the kernel forgets
 * that wish when the user changes).
 */
#ifndef HF_POSTGRESQL_OSUSER_H
#define HF_POSTGRESQL_OSUSER_H

#include <sys/types.h>

#include "base/base.h"
#include "base/error.h"
#include "writer/postgresql/pgsettings.h"

/*
 * Before the first connection. As root: become settings->os_user; without that setting, when the
 * server is reached by a socket in this machine's file system, its socket's owner; else stay. As
 * anyone else: only check that os_user, if set, is who we are.
 *
 * If the section names no host, *ret_host is set to the folder of the socket that was found (a new
 * string), so that the connection goes where we looked; else to NULL.
 */
CHECKED int osuser_for_connecting(const struct pgsettings *settings, pid_t parent, char **ret_host,
				  struct error *err);

/* As root and if uid is not root: become uid and gid, with no further groups. */
CHECKED int osuser_for_files(uid_t uid, gid_t gid, pid_t parent, struct error *err);

#endif
