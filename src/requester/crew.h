/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The connections of a pump: threads that each fetch an operation, have the pump carry it out, and
 * fetch the next one with the answer, until there are no more.
 */
#ifndef HF_REQUESTER_CREW_H
#define HF_REQUESTER_CREW_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "requester/pump.h"

enum { CREW_MAX = 16 };

struct crew;

/*
 * Hand over an answer (NULL: there is none) and get a frame of store/outbox.h. Blocks until there is an
 * operation, or for a second or so; tries again by itself what may be tried again, so a failure is final
 * for the whole crew. `number`: from 0, the thread's own.
 */
typedef int crew_exchange_fn(void *arg, unsigned number, const json_t *answer, struct slice data,
			     struct buf *ret_frame, struct error *err);

/* n: 1 … CREW_MAX. The pump is borrowed. */
CHECKED int crew_start(struct pump *pump, unsigned n, crew_exchange_fn *exchange, void *arg,
		       struct crew **ret, struct error *err);
/* 1: all threads have ended, because no more operations come; 0: not yet; < 0: why one of them failed. */
CHECKED int crew_check(struct crew *c, struct error *err);
/* Wait for the threads, each of which ends after its next exchange; free. NULL is fine. */
void crew_end(struct crew *c);
void crew_endp(struct crew **c);

#endif
