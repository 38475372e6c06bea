/* SPDX-License-Identifier: Apache-2.0 */

/* How a group's backup may end: headline and advice by the code it failed with. The cause is the message itself,
 * which names copies, times and limits. What the article about backups of passive copies advises is here. */
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "requester/story_internal.h"

static const struct {
	enum err code;
	const char *headline, *advice;
} endings[] = {
	{ERR_CONTEXT_LOST, "Failed: the channel to the group's active copy was lost for good.",
	 "Look at the network between the requester and the active copy at that time: a firewall that "
	 "forgets idle connections sooner than keepalive_time, security software that inspects them, a "
	 "server that was restarted. An outage that is shorter than context_lease, section "
	 "[group.NAME] of the requester's configuration, costs nothing but time."},
	{ERR_GROUP_ROLE, "Failed: a copy changed its role, or was restarted, during the backup.",
	 "A copy that was promoted, demoted or moved meanwhile is no copy of what the backup began with. "
	 "Keep switchovers and backups apart; 'holdfast group status' shows how the group is now."},
	{ERR_GROUP_LOG_RANGE, "Failed: the active copy did not name its logs in time.",
	 "The more logs there are and the busier it is, the longer it takes. Let logs be truncated (a "
	 "full backup does, or 'holdfast group truncate'), or give it more time: "
	 "query_log_range_timeout in section [group.NAME] of the requester's configuration."},
	{ERR_GROUP_BUSY, "Not begun: another backup of this group was running.",
	 "Only one copy of a group is backed up at a time, the active one included. Let the two be "
	 "further apart, or use --wait, which queues behind the other. A holder that is dead lets go "
	 "by itself after context_lease."},
	{ERR_GROUP_NO_COPY, "Not begun: no copy of the group could be backed up.",
	 "What is against each copy is said above. 'holdfast group status' shows how they are now; how "
	 "far behind a copy may be is set by max_copy_queue and max_replay_queue, and whether the active "
	 "one will do by prefer."},
	{ERR_LOGS_GONE, "Failed: logs that were needed had been removed.",
	 "Repeating the backup does not bring them back. Raise max_slot_wal_keep_size or wal_keep_size on "
	 "the active copy, then make a full backup."},
	{ERR_LOG_DISK_FULL, "Failed: the disk of the active copy's logs is full.",
	 "Free space there first. A backup of type log lets go of logs without needing any."},
};

bool
story_group_words(const struct event *failed, struct story *s)
{
	char scratch[24], other[24];
	const char *code = event_field(failed, "code", scratch);

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		if (strcmp(error_name(endings[i].code), code) != 0)
			continue;
		(void)text_printf(s->headline, sizeof(s->headline), "%s", endings[i].headline);
		(void)text_printf(s->cause, sizeof(s->cause), "%s",
				  event_field(failed, "error", other));
		(void)text_printf(s->advice, sizeof(s->advice), "%s", endings[i].advice);
		return true;
	}
	return false;
}
