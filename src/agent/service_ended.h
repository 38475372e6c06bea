/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is remembered of leases after their end, so that who comes late learns what happened and when; and of
 * those that are open, so that after a crash of the agent they are known to be lost. The last 256 that
 * ended, kept in STATE_DIR/leases.json.
 */
#ifndef HF_AGENT_SERVICE_ENDED_H
#define HF_AGENT_SERVICE_ENDED_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "base/uuid.h"
#include "guard/lease.h"

enum { ENDED_MAX = 256 };

struct ended {
	uint8_t job[UUID_SIZE];
	uint8_t set[UUID_SIZE];
	uint64_t epoch;
	enum lease_end end; /* LEASE_NOT_ENDED: open */
	uint64_t ttl_s;
	uint64_t last_keep_ns, deadline_ns, ended_ns; /* wall clock */
};

struct ended_list;

CHECKED int service_ended_new(struct ended_list **ret, struct error *err);
void service_ended_free(struct ended_list *l);
void service_ended_add(struct ended_list *l, const struct ended *e);
/* The newest of this job; NULL: none. */
const struct ended *service_ended_of_job(const struct ended_list *l, const uint8_t job[UUID_SIZE]);
const struct ended *service_ended_of_set(const struct ended_list *l, const uint8_t set[UUID_SIZE]);
/* The n-th from 0, newest first. */
const struct ended *service_ended_at(const struct ended_list *l, size_t n);

/* {"End", "SetId", "Epoch", "TTL", "LastKeep", "Deadline", "Ended"}; of NULL {"End": "unknown"}. */
json_t *service_ended_show(const struct ended *e);
/* Raise ERR_LEASE_ENDED and say how it came. */
enum err service_ended_fail(const struct ended *e, uint64_t now_ns, struct error *err);

/* As a text for the file, `open` appended to those ended; and back: what was open then is lost now. */
json_t *service_ended_pack(const struct ended_list *l, const struct ended *open, size_t n_open);
void service_ended_unpack(struct ended_list *l, const json_t *j, uint64_t now_ns);

#endif
