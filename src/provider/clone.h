/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A folder's tree cloned file by file: owners, modes, extended attributes (so ACLs), times, links, hard
 * links, holes, devices and pipes as they are; sockets not. What is mounted in it, and nested
 * subvolumes, become empty folders; .holdfast is left out. What vanishes meanwhile is passed over.
 * Files are cloned by several threads at once, each entry's attributes right with it.
 */
#ifndef HF_PROVIDER_CLONE_H
#define HF_PROVIDER_CLONE_H

#include "base/base.h"
#include "base/error.h"

/* `to` is an empty folder on the same file system. ERR_TIMEOUT after the deadline (boot clock). After a
 * failure what was cloned stays. */
CHECKED int clone_tree(int from_fd, int to_fd, uint64_t deadline_ns, struct error *err);

#endif
