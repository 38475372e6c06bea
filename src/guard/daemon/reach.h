/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Getting at a file system again that a dead guard may have left frozen. Where it was mounted there may be
 * something else by now, or nothing: it was unmounted lazily, moved, mounted over, or is mounted in another
 * namespace only. A frozen file system outlives its last mount, and mounting its device once more gives
 * the same one, still frozen.
 *
 * Works while anything is frozen: nothing is written. May hang in the kernel: only for the threads of
 * freezer.h.
 */
#ifndef HF_GUARD_DAEMON_REACH_H
#define HF_GUARD_DAEMON_REACH_H

#include "base/base.h"

/* What tells a file system from others until the next boot; of its subvolumes, too. 0: see errno. */
uint64_t reach_id(int fd);

/* A descriptor on it, wherever it is mounted, or by a mount of its device that no path leads to. -1 and
 * errno; ENODEV: there is no such file system any more, so that it cannot be frozen either. */
int reach_again(uint64_t id);

/* For people: "/dev/loop3", or what it would be called. */
void reach_device(uint64_t id, char *ret, size_t size);

#endif
