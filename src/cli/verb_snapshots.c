/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast snapshots */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "base/uuid.h"
#include "cli/cli.h"
#include "cli/guest.h"
#include "cli/joblog.h"
#include "cli/out.h"
#include "cli/printable.h"
#include "cli/show.h"
#include "cli/units.h"
#include "guard/holds.h"
#include "requester/guest_remote.h"

static const char *
state_name(const struct hold_view *h)
{
	switch (h->lease.lease.state) {
	case LEASE_PREPARING:
		return "preparing";
	case LEASE_FROZEN:
		return "frozen";
	case LEASE_HELD:
		return "held";
	default:
		return "ended";
	}
}

static uint64_t
left_ns(const struct hold_view *h)
{
	uint64_t now = clock_boot_ns();

	return h->alive && h->lease.lease.deadline_ns > now ? h->lease.lease.deadline_ns - now : 0;
}

static json_t *
snapshot_json(const struct snapshot *s)
{
	return json_pack("{s:I, s:s, s:o, s:o, s:o}", "index", (json_int_t)s->index, "provider",
			 s->provider, "source", json_bytes(s->source, strlen(s->source)), "place",
			 json_bytes(s->place, strlen(s->place)), "exposed",
			 json_bytes(s->exposed, strlen(s->exposed)));
}

static void
put_json(const struct hold_view *h)
{
	char set[UUID_TEXT_SIZE], created[32];
	json_t *list = json_array();

	for (size_t i = 0; i < h->n_snapshots; i++)
		(void)json_array_append_new(list, snapshot_json(&h->snapshots[i]));
	out_json(json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:b, s:o}", "type",
			   "snapshot_set", "set", uuid_text(h->lease.lease.key.set, set), "epoch",
			   (json_int_t)h->lease.lease.key.epoch, "job", h->lease.job, "state",
			   state_name(h), "created",
			   clock_format_utc(h->lease.begun_wall_ns, created), "created_ns",
			   (json_int_t)h->lease.begun_wall_ns, "ttl_ms",
			   (json_int_t)(h->lease.lease.ttl_ns / NS_PER_MS), "left_ms",
			   (json_int_t)(left_ns(h) / NS_PER_MS), "guard", (json_int_t)h->pid,
			   "guard_alive", h->alive ? 1 : 0, "snapshots", list));
}

static void
put_path(const char *label, const char *path)
{
	char safe[4 * SNAPSHOT_PATH_MAX];

	if (path[0] != '\0')
		out_text("         %s: %s\n", label, printable_message(path, safe, sizeof(safe)));
}

static void
put_snapshot(const struct snapshot *s)
{
	out_text("      Shadow Copy: %" PRIu32 "\n", s->index);
	put_path("Original Volume", s->source);
	put_path("Shadow Copy Volume", s->place);
	put_path("Exposed at", s->exposed);
	out_text("         Provider: '%s'\n", s->provider);
}

static void
put_text(const struct hold_view *h)
{
	char set[UUID_TEXT_SIZE], when[UNITS_MAX], left[UNITS_MAX], ttl[UNITS_MAX], job[256];
	const struct lease *l = &h->lease.lease;

	out_text("Contents of shadow copy set ID: %s\n", uuid_text(l->key.set, set));
	out_text("   Contained %zu shadow %s at creation time: %s\n", h->n_snapshots,
		 h->n_snapshots == 1 ? "copy" : "copies", units_time(h->lease.begun_wall_ns, when));
	out_text("   Held by job: %s\n", printable_message(h->lease.job, job, sizeof(job)));
	if (!h->alive)
		out_text("   State: left over; its guard is gone, 'holdfast release --leftovers' "
			 "removes it\n");
	else
		out_text("   State: %s; let go in %s if no keep-alive comes (timeout %s)\n",
			 state_name(h), units_clock(left_ns(h) / NS_PER_S, left),
			 units_clock(l->ttl_ns / NS_PER_S, ttl));
	if (h->damaged)
		out_text("   The guard's journal is damaged: there may be more.\n");
	for (size_t i = 0; i < h->n_snapshots; i++)
		put_snapshot(&h->snapshots[i]);
	out_text("\n");
}

/* The agent's own words, in the same layout. */
static const char *
text_of(const json_t *j, const char *key)
{
	const char *text = json_string_value(json_object_get(j, key));

	return text != NULL ? text : "";
}

static void
put_remote(const json_t *set)
{
	const json_t *members = json_object_get(set, "Members"), *m;
	uint64_t left_ms = (uint64_t)json_integer_value(json_object_get(set, "LeftMs"));
	uint64_t ttl_s = (uint64_t)json_integer_value(json_object_get(set, "TTL"));
	char safe[256], left[UNITS_MAX], ttl[UNITS_MAX];
	size_t i;

	out_text("Contents of shadow copy set ID: %s\n",
		 printable_message(text_of(set, "SetId"), safe, sizeof(safe)));
	out_text("   Contained %zu shadow %s\n", json_array_size(members),
		 json_array_size(members) == 1 ? "copy" : "copies");
	out_text("   Held by job: %s",
		 printable_message(text_of(set, "JobId"), safe, sizeof(safe)));
	out_text(" of %s\n", printable_message(text_of(set, "Peer"), safe, sizeof(safe)));
	out_text("   State: %s; let go in %s if no keep-alive comes (timeout %s)\n",
		 printable_message(text_of(set, "State"), safe, sizeof(safe)),
		 units_clock(left_ms / 1000, left), units_clock(ttl_s, ttl));
	json_array_foreach(members, i, m)
	{
		out_text("      Shadow Copy: %zu\n", i);
		put_path("Original Volume", text_of(m, "source"));
		put_path("Exposed at", text_of(m, "exposed"));
		out_text("         Provider: '%s'\n",
			 printable_message(text_of(m, "provider"), safe, sizeof(safe)));
	}
	out_text("\n");
}

static int
snapshots_remote(struct cli *cli, struct error *err)
{
	CLEAN(guest_closep) struct guest *guest = NULL;
	CLEAN(json_done) json_t *reply = NULL;
	json_t *sets, *set;
	size_t i;

	if (guest_open_remote(cli, &guest, err) < 0 ||
	    guest_remote_call(guest, "ListSnapshots", NULL, &reply, err) < 0 ||
	    json_get_arr(reply, "Snapshots", &sets, err) < 0)
		return err->code;
	json_array_foreach(sets, i, set)
	{
		if (cli->json)
			out_json(json_pack("{s:s, s:O}", "type", "agent_snapshot_set", "value",
					   set));
		else
			put_remote(set);
	}
	if (json_array_size(sets) == 0)
		show_note(cli, "no snapshots are held");
	return OK;
}

int
verb_snapshots(struct cli *cli, struct error *err)
{
	CLEAN(holds_done) struct holds holds = {0};

	if (guest_is_remote(cli))
		return snapshots_remote(cli, err);
	if (holds_read(joblog_dir(cli), &holds, err) < 0)
		return err->code;
	for (size_t i = 0; i < holds.n; i++) {
		if (cli->json)
			put_json(&holds.items[i]);
		else
			put_text(&holds.items[i]);
	}
	if (holds.n == 0)
		show_note(cli, "no snapshots are held");
	return OK;
}
