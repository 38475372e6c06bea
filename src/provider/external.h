/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Provider `external`: the administrator's own commands make, expose and remove the snapshot of what is
 * below the file system: a disk array's, a cloud's, a hypervisor's. The file system is frozen while
 * `create` runs, unless the settings say no. The source is where the whole file system is mounted.
 */
#ifndef HF_PROVIDER_EXTERNAL_H
#define HF_PROVIDER_EXTERNAL_H

#include "provider/provider.h"

extern const struct provider_ops external_ops;

#endif
