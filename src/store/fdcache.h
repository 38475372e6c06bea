/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A few open files kept by name, least recently used first out: readers take many ranges of the
 * same packs, and opening costs more than reading, above all over a network.
 *
 * A descriptor in use is pinned: it is not closed before it is released, whatever happens to its
 * name meanwhile. Any thread may call anything at any time. The cache does not look at the files:
 * whether a descriptor still stands for its name is for the user to find out.
 */
#ifndef HF_STORE_FDCACHE_H
#define HF_STORE_FDCACHE_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

struct fdcache;

struct fdcache_pin {
	int fd;
	int slot; /* < 0: not in the cache, closed when released */
};

CHECKED int fdcache_new(size_t slots, struct fdcache **ret, struct error *err);
void fdcache_free(struct fdcache *c); /* nothing may be pinned; NULL is fine */

/* Pin what is cached under name. False if nothing is. */
bool fdcache_find(struct fdcache *c, const char *name, struct fdcache_pin *ret);
/* Hand a descriptor over under name (at most STORE_NAME_MAX bytes), in place of what was there, and
 * pin it. */
void fdcache_add(struct fdcache *c, const char *name, int fd, struct fdcache_pin *ret);
void fdcache_release(struct fdcache *c, const struct fdcache_pin *pin);
/* Forget name; its descriptor is closed now or when its last pin is released. */
void fdcache_drop(struct fdcache *c, const char *name);

#endif
