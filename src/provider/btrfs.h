/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Provider `btrfs`: a read-only snapshot of one subvolume, in the folder .holdfast at its top. The
 * source is the top of the subvolume. Several subvolumes are several moments: there is no way to take
 * them at once. The file system must not be frozen: the kernel would wait for the thaw.
 */
#ifndef HF_PROVIDER_BTRFS_H
#define HF_PROVIDER_BTRFS_H

#include "provider/provider.h"

extern const struct provider_ops btrfs_ops;

#endif
