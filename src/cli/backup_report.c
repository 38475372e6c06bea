/* SPDX-License-Identifier: Apache-2.0 */

/* What came of a backup. */
#include "cli/backup_report.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "cli/out.h"
#include "cli/show.h"
#include "cli/stages.h"
#include "cli/units.h"

/* Of the group: which copy, and what became of the logs. NULL when out of memory. */
static json_t *
group_json(const struct group_backup_result *g)
{
	json_t *j = json_pack("{s:s, s:s, s:s, s:i, s:i}", "copy", g->copy, "role",
			      copy_role_name(g->passive ? COPY_ROLE_PASSIVE : COPY_ROLE_ACTIVE),
			      "active", g->active, "tries", (int)g->tries, "reopened",
			      (int)g->reopened);

	if (j != NULL && g->truncated[0] != '\0')
		(void)json_object_set_new(j, "truncated", json_string(g->truncated));
	return j;
}

static void
report_truncation(const struct group_backup_result *g)
{
	if (g->truncated[0] != '\0')
		out_text("Logs:  %s\n", g->truncated);
}

static void
report_json(const char *job, const struct backup_result *r, const struct group_backup_result *group,
	    const struct progress *p)
{
	char start[32], end[32];
	json_t *j = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
		"s:I}",
		"type", "summary", "job", job, "point", r->id_text, "start",
		clock_format_utc(r->start_ns, start), "end", clock_format_utc(r->end_ns, end),
		"consistency", point_consistency_name(r->consistency), "incomplete",
		r->incomplete ? 1 : 0, "warnings", (json_int_t)r->warnings, "elapsed_ms",
		(json_int_t)((r->end_ns - r->start_ns) / NS_PER_MS), "files",
		(json_int_t)atomic_load(&p->files_done), "files_new",
		(json_int_t)atomic_load(&p->files_new), "files_changed",
		(json_int_t)atomic_load(&p->files_changed), "files_unchanged",
		(json_int_t)atomic_load(&p->files_unchanged), "dirs",
		(json_int_t)atomic_load(&p->dirs), "bytes", (json_int_t)atomic_load(&p->bytes_done),
		"bytes_new", (json_int_t)r->write.bytes_new, "bytes_stored",
		(json_int_t)r->write.bytes_stored);

	if (j != NULL && r->reason[0] != '\0')
		(void)json_object_set_new(j, "consistency_reason", json_string(r->reason));
	if (j != NULL && r->frozen_ns > 0)
		(void)json_object_set_new(j, "frozen_us",
					  json_integer((json_int_t)(r->frozen_ns / 1000)));
	if (j != NULL && r->parent_text[0] != '\0')
		(void)json_object_set_new(j, "parent", json_string(r->parent_text));
	if (j != NULL && group != NULL)
		(void)json_object_set_new(j, "group", group_json(group));
	if (j != NULL && group != NULL)
		(void)json_object_set_new(j, "backup_type",
					  json_string(backup_type_name(group->type)));
	out_json(j);
}

static void
report_text(const struct cli *cli, const struct backup_result *r,
	    const struct group_backup_result *group, const struct progress *p)
{
	uint64_t elapsed = r->end_ns - r->start_ns;
	char a[UNITS_MAX], b[UNITS_MAX], c[UNITS_MAX], d[UNITS_MAX];

	out_text("Restore point %.8s: consistency %s%s\n", r->id_text,
		 point_consistency_name(r->consistency), r->incomplete ? ", incomplete" : "");
	if (cli->quiet)
		return;
	if (group != NULL)
		out_text("Copy:  %s (%s; the active one is %s)\n", group->copy,
			 copy_role_name(group->passive ? COPY_ROLE_PASSIVE : COPY_ROLE_ACTIVE),
			 group->active);
	if (r->reason[0] != '\0')
		out_text("Not higher: %s\n", r->reason);
	out_text("Files: %s (%s new, %s changed, %s unchanged)\n",
		 units_count(atomic_load(&p->files_done), a),
		 units_count(atomic_load(&p->files_new), b),
		 units_count(atomic_load(&p->files_changed), c),
		 units_count(atomic_load(&p->files_unchanged), d));
	out_text("Data:  %s in %s (%s), %s new, %s stored\n",
		 units_bytes(atomic_load(&p->bytes_done), a), units_elapsed(elapsed, b),
		 units_rate(atomic_load(&p->bytes_done), elapsed, c),
		 units_bytes(r->write.bytes_new, d),
		 units_bytes(r->write.bytes_stored, (char[UNITS_MAX]){0}));
	if (group != NULL)
		report_truncation(group);
}

/* The restore point is good, whatever became of the logs. */
static void
warn_truncation(const struct cli *cli, const struct group_backup_result *g)
{
	if (g->truncation.code != OK)
		show_warning(cli, "", g->truncation.code, false, g->truncation.msg);
}

int
backup_report(const struct cli *cli, const char *job, const struct backup_result *r,
	      const struct group_backup_result *group, const struct progress *p, struct error *err)
{
	char warnings[UNITS_MAX];

	if (cli->json)
		report_json(job, r, group, p);
	else
		report_text(cli, r, group, p);
	if (group != NULL)
		warn_truncation(cli, group);
	if (r->warnings_dropped > 0)
		show_note(cli, "... and %" PRIu64 " more warnings", r->warnings_dropped);
	if (invocation_has(cli->inv, FLAG_STATS) && stages_backup(cli, r, p, err) < 0)
		return err->code;
	if (r->weaker && !r->incomplete)
		return error_set(
			err, ERR_INCOMPLETE,
			"restore point %.8s was made, but is less consistent than it should "
			"be: %s",
			r->id_text, r->reason);
	if (r->incomplete)
		return error_set(err, ERR_INCOMPLETE,
				 "restore point %.8s was made, but is not complete (%s)",
				 r->id_text, units_of(r->warnings, "warning", warnings));
	return OK;
}

/* The logs that should have followed those in the repository were not to be had. */
static int
report_gap(const struct group *g, const struct log_backup_result *l, struct error *err)
{
	char from[ENGINE_POSITION_MAX], to[ENGINE_POSITION_MAX];

	if (l->gap_to == 0)
		return OK;
	(void)error_set(
		err, ERR_INCOMPLETE,
		"restore point %.8s was made, but logs from %s to %s are missing before it: "
		"they were removed from the active copy before they could be copied",
		l->id_text, g->engine->position_text(l->gap_from, from),
		g->engine->position_text(l->gap_to, to));
	return error_hint(err,
			  "make a full backup: no moment in between or after can be restored to "
			  "from the ones before");
}

static int
add_gap(json_t *j, const struct group *g, const struct log_backup_result *l)
{
	char text[ENGINE_POSITION_MAX];

	if (j == NULL || l->gap_to == 0)
		return 0;
	if (json_object_set_new(j, "gap_from",
				json_string(g->engine->position_text(l->gap_from, text))) < 0)
		return -1;
	return json_object_set_new(j, "gap_to",
				   json_string(g->engine->position_text(l->gap_to, text)));
}

int
backup_report_logs(const struct cli *cli, const char *job, const struct group *g,
		   const struct group_backup_result *r, struct error *err)
{
	const struct log_backup_result *l = &r->logs;
	char from[ENGINE_POSITION_MAX], to[ENGINE_POSITION_MAX], a[UNITS_MAX], b[UNITS_MAX];

	(void)g->engine->position_text(l->logs.from, from);
	(void)g->engine->position_text(l->logs.to, to);
	if (cli->json) {
		json_t *j = json_pack(
			"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:I, s:o}", "type",
			"summary", "backup_type", backup_type_name(BACKUP_LOG), "job", job, "point",
			l->id_text, "active", r->active, "from", from, "to", to, "bytes",
			(json_int_t)l->bytes, "by_copier", l->by_copier ? 1 : 0, "elapsed_ms",
			(json_int_t)((l->end_ns - l->start_ns) / NS_PER_MS), "group",
			group_json(r));
		(void)add_gap(j, g, l);
		out_json(j);
	} else {
		out_text("Restore point %.8s: logs from %s to %s\n", l->id_text, from, to);
		if (!cli->quiet) {
			out_text("Data:  %s of log from %s%s, %s stored\n",
				 units_bytes(l->bytes, a), r->active,
				 l->by_copier ? " by the log copier" : "",
				 units_bytes(l->write.bytes_stored, b));
			report_truncation(r);
		}
	}
	warn_truncation(cli, r);
	return report_gap(g, l, err);
}
