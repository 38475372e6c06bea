/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The cache of open files. A handful of slots searched one after the other under one lock: that is
 * quicker than any structure as long as there are a few dozen, and nothing is allocated after
 * start. Descriptors are closed outside the lock, because close may wait for a server.
 */
#include "store/fdcache.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "store/store.h"

/*
 * Invariants, under the lock:
 * 1. fd < 0 <=> the slot is free <=> pins == 0 and name is "" and not dropped.
 * 2. dropped => pins > 0; a dropped slot is never found, and freed by the last release.
 * 3. No two slots that are neither free nor dropped have the same name.
 */
struct slot {
	int fd;
	unsigned pins;
	bool dropped;
	uint64_t used_at; /* the cache's turn when it was last found or added */
	uint64_t name_sum; /* compared before the name */
	char name[STORE_NAME_MAX + 1];
};

struct fdcache {
	pthread_mutex_t lock;
	uint64_t turn;
	size_t n;
	struct slot slots[];
};

/* FNV-1a: names of packs differ late, and a number compares faster than a string. */
static uint64_t
sum_of(const char *name)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (; *name != '\0'; name++)
		sum = (sum ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	return sum;
}

int
fdcache_new(size_t slots, struct fdcache **ret, struct error *err)
{
	struct fdcache *c = calloc(1, sizeof(*c) + slots * sizeof(c->slots[0]));

	if (c == NULL)
		return error_no_memory(err);
	if (pthread_mutex_init(&c->lock, NULL) != 0) {
		free(c);
		return error_no_memory(err);
	}
	c->n = slots;
	for (size_t i = 0; i < slots; i++)
		c->slots[i].fd = -1;
	*ret = c;
	return OK;
}

void
fdcache_free(struct fdcache *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n; i++) {
		assert(c->slots[i].pins == 0);
		fd_close(&c->slots[i].fd);
	}
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
}

/* Empty a slot that nobody has pinned; the caller closes what is returned. */
static int
slot_take(struct slot *slot)
{
	int fd = slot->fd;

	assert(slot->pins == 0);
	slot->fd = -1;
	slot->dropped = false;
	slot->name[0] = '\0';
	return fd;
}

static int
slot_find(const struct fdcache *c, const char *name, uint64_t sum)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct slot *slot = &c->slots[i];
		if (slot->fd >= 0 && !slot->dropped && slot->name_sum == sum &&
		    strcmp(slot->name, name) == 0)
			return (int)i;
	}
	return -1;
}

/* Let go of a name, under the lock; the caller closes what is returned, if anything is. */
static int
forget(struct fdcache *c, const char *name, uint64_t sum)
{
	int i = slot_find(c, name, sum);

	if (i < 0)
		return -1;
	if (c->slots[i].pins == 0)
		return slot_take(&c->slots[i]);
	c->slots[i].dropped = true;
	return -1;
}

static void
slot_pin(struct fdcache *c, int i, struct fdcache_pin *ret)
{
	struct slot *slot = &c->slots[i];

	slot->pins++;
	slot->used_at = ++c->turn;
	ret->fd = slot->fd;
	ret->slot = i;
}

/* A free slot, or the one unused for longest; -1 if all are pinned. */
static int
slot_for_new(const struct fdcache *c)
{
	int best = -1;

	for (size_t i = 0; i < c->n; i++) {
		const struct slot *slot = &c->slots[i];
		if (slot->fd < 0)
			return (int)i;
		if (slot->pins == 0 && (best < 0 || slot->used_at < c->slots[best].used_at))
			best = (int)i;
	}
	return best;
}

bool
fdcache_find(struct fdcache *c, const char *name, struct fdcache_pin *ret)
{
	uint64_t sum = sum_of(name);

	(void)pthread_mutex_lock(&c->lock);
	int i = slot_find(c, name, sum);
	if (i >= 0)
		slot_pin(c, i, ret);
	(void)pthread_mutex_unlock(&c->lock);
	return i >= 0;
}

void
fdcache_add(struct fdcache *c, const char *name, int fd, struct fdcache_pin *ret)
{
	uint64_t sum = sum_of(name);
	size_t len = strlen(name);
	int replaced = -1, evicted = -1;

	assert(fd >= 0 && len <= STORE_NAME_MAX);
	(void)pthread_mutex_lock(&c->lock);
	replaced = forget(c, name, sum);
	int i = slot_for_new(c);
	if (i >= 0) {
		struct slot *slot = &c->slots[i];
		evicted = slot_take(slot);
		slot->fd = fd;
		slot->name_sum = sum;
		memcpy(slot->name, name, len + 1);
		slot_pin(c, i, ret);
	} else {
		*ret = (struct fdcache_pin){.fd = fd, .slot = -1};
	}
	(void)pthread_mutex_unlock(&c->lock);
	fd_close(&replaced);
	fd_close(&evicted);
}

void
fdcache_release(struct fdcache *c, const struct fdcache_pin *pin)
{
	int unwanted = -1;

	if (pin->slot < 0) {
		unwanted = pin->fd;
	} else {
		struct slot *slot = &c->slots[pin->slot];
		(void)pthread_mutex_lock(&c->lock);
		assert(slot->pins > 0 && slot->fd == pin->fd);
		slot->pins--;
		if (slot->dropped && slot->pins == 0)
			unwanted = slot_take(slot);
		(void)pthread_mutex_unlock(&c->lock);
	}
	fd_close(&unwanted);
}

void
fdcache_drop(struct fdcache *c, const char *name)
{
	uint64_t sum = sum_of(name);

	(void)pthread_mutex_lock(&c->lock);
	int unwanted = forget(c, name, sum);
	(void)pthread_mutex_unlock(&c->lock);
	fd_close(&unwanted);
}
