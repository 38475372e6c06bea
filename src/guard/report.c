/* SPDX-License-Identifier: Apache-2.0 */

/* What the guard said, kept. */
#include "guard/report.h"

#include "base/eventlog.h"
#include "base/text.h"
#include "base/uuid.h"

void
guard_event_log(struct eventlog *log, const struct guard_event *event)
{
	char set[UUID_TEXT_SIZE], fields[GUARD_FIELDS_MAX + 64];

	if (event->key.epoch == 0) {
		eventlog_add_fields(log, event->wall_ns, event->id, event->job, event->fields);
		return;
	}
	(void)text_printf(fields, sizeof(fields), "set=%s %s", uuid_text(event->key.set, set),
			  event->fields);
	eventlog_add_fields(log, event->wall_ns, event->id, event->job, fields);
}
