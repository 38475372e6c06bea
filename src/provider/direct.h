/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The provider that makes no snapshot: the live files are read. Right for writers whose database
 * allows a hot copy and repairs it from its logs; for plain folders it promises nothing.
 */
#ifndef HF_PROVIDER_DIRECT_H
#define HF_PROVIDER_DIRECT_H

#include "provider/provider.h"

extern const struct provider_ops direct_ops;

#endif
