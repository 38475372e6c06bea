/* SPDX-License-Identifier: Apache-2.0 */

/* What the files of the pump share. Nobody else includes this. */
#ifndef HF_REQUESTER_PUMP_INTERNAL_H
#define HF_REQUESTER_PUMP_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>

#include "requester/pump.h"

enum {
	PUMP_UPLOADS = 256, /* that are remembered, open or over */
	PUMP_UPLOADS_OPEN = 64,
	PUMP_LISTINGS = 16,
	PUMP_LISTINGS_BYTES = 256 << 20,
	PUMP_DATA_MAX = 4 << 20,
};

struct pump_upload {
	uint64_t number; /* 0: this place is free */
	char name[STORE_NAME_MAX + 1];
	struct store_upload *upload; /* NULL: over */
	struct error outcome; /* when over; OK: it is stored */
	uint64_t written;
	uint64_t used; /* for finding the one that was over first */
	bool busy; /* a thread works on it */
};

/* A listing that takes several answers. */
struct pump_listing {
	uint64_t number; /* 0: free */
	struct buf bytes;
};

struct pump {
	struct store *store;
	enum pump_policy policy;
	pthread_mutex_t lock;
	pthread_cond_t idle; /* some upload is no longer busy */
	struct pump_upload uploads[PUMP_UPLOADS];
	size_t n_open;
	uint64_t uses;
	struct pump_listing listings[PUMP_LISTINGS];
	size_t next_listing; /* the place to use next */
	size_t listing_bytes;
};

/* May the guest do this? ERR_PERMISSION. */
CHECKED int pump_policy_check(enum pump_policy policy, const struct storeop *op, struct error *err);
/* How large an object of that name may get. */
uint64_t pump_policy_size(enum pump_policy policy, const char *name);

CHECKED int pump_upload_perform(struct pump *p, const struct storeop *op, struct slice data,
				struct error *err);
CHECKED int pump_listing_perform(struct pump *p, const struct storeop *op, uint64_t *ret_size,
				 struct buf *ret, struct error *err);

#endif
