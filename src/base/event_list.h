/* SPDX-License-Identifier: Apache-2.0 */

/* Events that have been read, from the log (base/eventlog_read.h) or from an agent's answer. */
#ifndef HF_BASE_EVENT_LIST_H
#define HF_BASE_EVENT_LIST_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "base/event.h"

struct event {
	uint64_t time_ns; /* wall clock */
	unsigned id; /* may be one we do not know */
	enum log_level level;
	char name[40];
	char program[32];
	uint64_t pid;
	char job[64]; /* "" none */
	char set[64];
	json_t *fields; /* an object; owned */
};

struct event_list {
	size_t n;
	struct event *items;
};

void event_done(struct event *e);
void event_list_done(struct event_list *list); /* for CLEAN(), too */
/* Takes over what is in *e, also on failure. */
CHECKED int event_list_add(struct event_list *list, struct event *e, struct error *err);
/* By time; what is of the same time stays in its order. */
void event_list_sort(struct event_list *list);

/* As it stands in the log. ERR_PROTOCOL. */
CHECKED int event_from_json(const json_t *j, struct event *ret, struct error *err);
/* The same object; NULL when out of memory. `text` is added: what the event says. */
json_t *event_to_json(const struct event *e);

/* A field as text (a number as its digits), "" if there is none; as a number, 0 if none. The text lives
 * as long as the event, or in `scratch`. */
const char *event_field(const struct event *e, const char *name, char scratch[24]);
uint64_t event_number(const struct event *e, const char *name);
bool event_has(const struct event *e, const char *name);

#endif
