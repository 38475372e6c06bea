/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast snapshots */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "base/uuid.h"
#include "cli/cli.h"
#include "cli/joblog.h"
#include "cli/out.h"
#include "cli/printable.h"
#include "cli/show.h"
#include "cli/units.h"
#include "guard/holds.h"

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

int
verb_snapshots(struct cli *cli, struct error *err)
{
	CLEAN(holds_done) struct holds holds = {0};

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
