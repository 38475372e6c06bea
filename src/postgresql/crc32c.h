/* SPDX-License-Identifier: Apache-2.0 */

/* CRC-32C (Castagnoli), by which PostgreSQL checks its log's records. Pure. */
#ifndef HF_POSTGRESQL_CRC32C_H
#define HF_POSTGRESQL_CRC32C_H

#include "base/base.h"

static inline uint32_t
crc32c_begin(void)
{
	return UINT32_MAX;
}

uint32_t crc32c_add(uint32_t crc, struct slice bytes);

static inline uint32_t
crc32c_end(uint32_t crc)
{
	return ~crc;
}

#endif
