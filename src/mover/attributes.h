/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a file system knows of a file besides its content: type, owner, mode, times, extended
 * attributes. Read when backing up, applied when restoring, always through a descriptor, so that
 * nobody can put another file in its place between the look and the deed.
 *
 * Two kinds of descriptors: opened (O_RDONLY, O_RDWR ...), and O_PATH, which also exist for symbolic
 * links, FIFOs and devices and need no permission on the file itself. For the latter attributes go
 * through /proc/self/fd, which must be there. The caller says which kind it is.
 *
 * Extended attributes kept: user.*, trusted.* (root only), security.capability, security.selinux,
 * system.posix_acl_access and system.posix_acl_default. Others belong to the machine (IMA, EVM) or
 * to the file system (btrfs.compression) and would not mean the same elsewhere.
 */
#ifndef HF_MOVER_ATTRIBUTES_H
#define HF_MOVER_ATTRIBUTES_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "repo/tree.h"

enum attributes_fd {
	ATTRIBUTES_OPENED = 1,
	ATTRIBUTES_OPATH,
};

/*
 * Fill type, mode, owner, times, dev, ino, nlink, rdev and, for files, size of `ret`; everything else
 * is left alone. False for what cannot be kept (sockets), and then nothing is touched.
 */
CHECKED bool attributes_stat(const struct stat *st, struct node *ret);

/*
 * Append the encoded, sorted list of extended attributes to `xattrs` (for node.xattrs). A file
 * without any appends nothing and costs one system call.
 *
 * 1: everything is in the list. 0: something had to be left out (too large together, or unreadable);
 * the rest is in the list and *err says what and why: a warning to give. < 0: failed, xattrs as it
 * was. A file system without extended attributes is success.
 */
CHECKED int attributes_read(int fd, enum attributes_fd kind, struct buf *xattrs, struct error *err);

/* What attributes_apply() sets; they are applied in this order, which matters (chown clears set-user-ID
 * bits and capabilities, ACLs and modes change each other, everything changes times). */
enum attributes_set {
	ATTRIBUTES_OWNER = 1,
	ATTRIBUTES_XATTRS = 2, /* exactly these: others of the kinds above are removed */
	ATTRIBUTES_MODE = 4,
	ATTRIBUTES_TIMES = 8,
	ATTRIBUTES_ALL = 15,
};

/*
 * Make the file behind fd, which is of the node's type, have the node's attributes. What is as it
 * should be already is not touched. One failure does not keep the rest from being tried: on failure
 * err is about the first, and counts the others. Attributes of kinds that are not kept (see above)
 * are refused, as they can only come from a repository someone tampered with.
 *
 * A file that does not belong to the owner or group it was saved with does not get the set-user-ID
 * or set-group-ID bit either: it was meant for that owner. Symbolic links have no mode.
 */
CHECKED int attributes_apply(int fd, enum attributes_fd kind, const struct node *node, unsigned set,
			     struct error *err);

#endif
