/* SPDX-License-Identifier: Apache-2.0 */

/* Running prune and telling what it did. */
#include "cli/pruning.h"

#include "base/clock.h"
#include "cli/out.h"
#include "cli/signals.h"
#include "cli/units.h"
#include "repo/prune.h"

static void
report_json(const struct prune_stats *s, bool dry)
{
	out_json(json_pack(
		"{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
		"s:I, s:I}",
		"type", "prune", "dry_run", dry ? 1 : 0, "points", (json_int_t)s->points, "packs",
		(json_int_t)s->packs, "bytes", (json_int_t)s->bytes, "needed_bytes",
		(json_int_t)s->needed_bytes, "repacked", (json_int_t)s->repacked, "repacked_bytes",
		(json_int_t)s->repacked_bytes, "marked", (json_int_t)s->marked, "marked_bytes",
		(json_int_t)s->marked_bytes, "waiting", (json_int_t)s->waiting, "waiting_bytes",
		(json_int_t)s->waiting_bytes, "unmarked", (json_int_t)s->unmarked, "removed",
		(json_int_t)s->removed, "removed_bytes", (json_int_t)s->removed_bytes,
		"next_sweep_ns", (json_int_t)s->next_sweep_ns));
}

static void
report_text(const struct cli *cli, const struct prune_stats *s, bool dry)
{
	char a[UNITS_MAX], b[UNITS_MAX], c[UNITS_MAX];

	out_text("%s%s in %s\n",
		 dry ? "Would remove: " : "Removed: ", units_bytes(s->removed_bytes, a),
		 units_of(s->removed, "pack", b));
	if (cli->quiet)
		return;
	out_text("Marked now: %s; waiting from earlier: %s\n", units_bytes(s->marked_bytes, a),
		 units_bytes(s->waiting_bytes, b));
	if (s->repacked > 0)
		out_text("Copied out of mostly unneeded packs: %s\n",
			 units_bytes(s->repacked_bytes, a));
	if (s->unmarked > 0)
		out_text("Back in use: %s\n", units_of(s->unmarked, "pack", a));
	out_text("Stored before: %s, of which %s are needed by %s\n", units_bytes(s->bytes, a),
		 units_bytes(s->needed_bytes, b), units_of(s->points, "restore point", c));
	if (s->next_sweep_ns > 0)
		out_text("What is marked can be removed by a prune after %s\n",
			 units_time(s->next_sweep_ns, a));
}

int
pruning_run(const struct cli *cli, struct repo *repo, struct error *err)
{
	_Atomic bool cancelled = false;
	struct prune_options options = {
		.grace_ns = settings_number(cli->settings, OPTION_PRUNE_GRACE) * NS_PER_S,
		.repack_percent = (unsigned)settings_number(cli->settings,
							    OPTION_PRUNE_REPACK_PERCENT),
		.allow_empty = invocation_has(cli->inv, FLAG_ALLOW_EMPTY),
		.dry_run = invocation_has(cli->inv, FLAG_DRY_RUN),
		.cancelled = &cancelled,
	};
	struct prune_stats stats;
	int r;

	signals_watch(&cancelled);
	r = prune_run(repo, &options, &stats, err);
	signals_watch(NULL);
	if (r < 0)
		return error_prefix(err, "prune");
	if (cli->json)
		report_json(&stats, options.dry_run);
	else
		report_text(cli, &stats, options.dry_run);
	return OK;
}
