/* SPDX-License-Identifier: Apache-2.0 */

/* Objects in memory: for tests, fuzzers and benchmarks of what lies above the store. */
#ifndef HF_STORE_MEM_H
#define HF_STORE_MEM_H

#include "store/store.h"

CHECKED int store_mem_open(struct store **ret, struct error *err);
/* Direct access to an object's bytes, to damage them on purpose. NULL if absent. */
uint8_t *store_mem_bytes(struct store *s, const char *name, size_t *ret_size);
/* Shorten an object on purpose. */
void store_mem_truncate(struct store *s, const char *name, size_t size);

#endif
