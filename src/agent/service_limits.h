/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How many connections may be open: in all, for one peer, and for those of whom nobody knows yet who they
 * are. Pure counting; who is refused is closed at once, before a byte of his is read.
 */
#ifndef HF_AGENT_SERVICE_LIMITS_H
#define HF_AGENT_SERVICE_LIMITS_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

struct limits;

struct limits_options {
	unsigned all, peer, strangers;
};

CHECKED int service_limits_new(const struct limits_options *options, struct limits **ret,
			       struct error *err);
void service_limits_free(struct limits *l);
/* A connection came. False: there are too many. */
bool service_limits_enter(struct limits *l);
/* It is known now whose it is. False: he has too many; it stays a stranger until it leaves. */
bool service_limits_know(struct limits *l, const char *peer);
/* It went. peer NULL: it was a stranger still. */
void service_limits_leave(struct limits *l, const char *peer);
unsigned service_limits_open(const struct limits *l);

#endif
