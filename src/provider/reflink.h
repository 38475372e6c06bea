/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Provider `reflink`: every file of a tree is cloned (FICLONE: the clone shares the original's blocks
 * until one of them is written) into the folder .holdfast of the same file system. One file after the
 * other, so that it is a moment only for writers that keep still meanwhile; for plain folders it
 * promises no more than reading them live. The file system must not be frozen.
 */
#ifndef HF_PROVIDER_REFLINK_H
#define HF_PROVIDER_REFLINK_H

#include "provider/provider.h"

extern const struct provider_ops reflink_ops;

#endif
