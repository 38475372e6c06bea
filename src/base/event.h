/* SPDX-License-Identifier: Apache-2.0 */

/* Which events there are: facts from base/events.def. base/eventlog.h writes them. */
#ifndef HF_BASE_EVENT_H
#define HF_BASE_EVENT_H

#include "base/base.h"
#include "base/log.h"

enum event_id {
#define EVENT(name, number, level, text, fields, meaning) EVENT_##name = (number),
#include "base/events.def"
#undef EVENT
};

/* NULL, or LOG_LEVEL_INFO, for a number that is unknown: a newer Holdfast may have written it. */
const char *event_name(unsigned id); /* "SNAPSHOT_TIMEOUT" */
enum log_level event_level(unsigned id);
const char *event_text(unsigned id); /* "Snapshot timeout occurred." */
const char *event_fields(unsigned id); /* "ttl_s last_keep_ms" */
const char *event_meaning(unsigned id);

/* 0 if there is none of this name; case does not matter. */
unsigned event_find(const char *name);
/* Walk the table: the n-th event from 0; 0 past its end. */
unsigned event_at(size_t n);

/* "error", "warning", "notice", "info", "debug"; and back: 0 if unknown. */
const char *event_level_name(enum log_level level);
enum log_level event_level_find(const char *name);

#endif
