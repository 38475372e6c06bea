/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Provider `lvm`: a snapshot of a logical volume, thin or classic, made by lvm2's own tools and mounted
 * below settings' mount_root. The source is where the whole file system is mounted. lvm2 brings the
 * file system to rest by itself, and cannot if somebody has frozen it.
 */
#ifndef HF_PROVIDER_LVM_H
#define HF_PROVIDER_LVM_H

#include "provider/provider.h"

extern const struct provider_ops lvm_ops;

#endif
