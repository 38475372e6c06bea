/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast forget */
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/losses.h"
#include "cli/out.h"
#include "cli/points.h"
#include "cli/pruning.h"
#include "cli/repository.h"
#include "cli/show.h"
#include "requester/forget.h"
#include "requester/log_chain.h"

static struct retention_rules
rules_of(const struct settings *s)
{
	return (struct retention_rules){
		.last = settings_number(s, OPTION_FORGET_KEEP_LAST),
		.daily = settings_number(s, OPTION_FORGET_KEEP_DAILY),
		.weekly = settings_number(s, OPTION_FORGET_KEEP_WEEKLY),
		.monthly = settings_number(s, OPTION_FORGET_KEEP_MONTHLY),
		.yearly = settings_number(s, OPTION_FORGET_KEEP_YEARLY),
		.within_s = settings_number(s, OPTION_FORGET_KEEP_WITHIN),
	};
}

/* Remove one, or say that it would be. */
static int
forget_one(const struct cli *cli, struct repo *repo, const struct point *p, struct error *err)
{
	bool dry = invocation_has(cli->inv, FLAG_DRY_RUN);

	if (!dry && point_remove(repo, &p->id, err) < 0)
		return error_prefix(err, "forget %.8s", p->id_text);
	if (cli->json)
		out_json(json_pack("{s:s, s:s, s:b}", "type", "forgotten", "point", p->id_text,
				   "dry_run", dry ? 1 : 0));
	else
		out_text("%s %.8s\n", dry ? "Would forget" : "Forgot", p->id_text);
	return OK;
}

/* Without the other restore points nobody can say what is lost with logs, or with a backup that logs follow. */
static int
check_losses(const struct cli *cli, struct repo *repo, const struct point_list *named,
	     struct error *err)
{
	CLEAN(point_list_done) struct point_list all = {0};
	struct log_base base;
	char identity[32];
	bool matters = false;

	for (size_t i = 0; i < named->n; i++)
		matters = matters || point_is_log(named->points[i]) ||
			  log_base_of(named->points[i], &base, identity) > 0;
	if (!matters)
		return OK;
	if (point_list_read(repo, &all, err) < 0) {
		if (!invocation_has(cli->inv, FLAG_FORCE))
			return error_prefix(err, "what would be lost is not known");
		*err = (struct error)ERROR_INIT;
		return OK;
	}
	return losses_check(cli, &all, named, err);
}

/* The restore points named: all of them must exist before the first one goes. */
static int
forget_named(const struct cli *cli, struct repo *repo, struct error *err)
{
	size_t n = cli->inv->n_operands;
	struct point_list named = {.points = calloc(n, sizeof(*named.points))};
	int r = OK;

	if (named.points == NULL)
		return error_no_memory(err);
	for (; named.n < n && r == OK; named.n += r == OK)
		r = point_resolve(repo, cli->inv->operands[named.n], &named.points[named.n], err);
	if (r == OK)
		r = check_losses(cli, repo, &named, err);
	for (size_t i = 0; i < named.n && r == OK; i++)
		r = forget_one(cli, repo, named.points[i], err);
	point_list_done(&named);
	return r;
}

static void
show_kept(const struct cli *cli, const struct point *p, unsigned reasons)
{
	char text[96];

	if (reasons == FORGET_LOGS_NEEDED)
		(void)text_printf(text, sizeof(text), "logs");
	else
		retention_reasons(reasons, text, sizeof(text));
	if (cli->json)
		out_json(json_pack("{s:s, s:s, s:s}", "type", "kept", "point", p->id_text,
				   "reasons", text));
	else if (!cli->quiet)
		out_text("Keep %.8s (%s)\n", p->id_text, text);
}

static int
forget_by_rules(const struct cli *cli, struct repo *repo, const struct retention_rules *rules,
		struct error *err)
{
	CLEAN(points_filter_done) struct forget_filter filter = {0};
	CLEAN(point_list_done) struct point_list list = {0};
	CLEAN(free_ptr) unsigned *reasons = NULL;
	size_t forgotten = 0, kept = 0;

	if (points_filter(cli->inv, &filter, err) < 0 || point_list_read(repo, &list, err) < 0 ||
	    forget_decide(&list, &filter, rules, &reasons, err) < 0)
		return err->code;
	for (size_t i = 0; i < list.n; i++) {
		if (reasons[i] == FORGET_NOT_LOOKED_AT)
			continue;
		if (reasons[i] != 0) {
			show_kept(cli, list.points[i], reasons[i]);
			kept++;
			continue;
		}
		if (forget_one(cli, repo, list.points[i], err) < 0)
			return err->code;
		forgotten++;
	}
	show_note(cli, "%zu forgotten, %zu kept%s", forgotten, kept,
		  invocation_has(cli->inv, FLAG_DRY_RUN) ? " (dry run: nothing was removed)" : "");
	return OK;
}

int
verb_forget(struct cli *cli, struct error *err)
{
	CLEAN(repository_close) struct repository opened = {0};
	struct retention_rules rules = rules_of(cli->settings);
	bool named = cli->inv->n_operands > 0;
	int r;

	if (!named && retention_empty(&rules)) {
		error_set(err, ERR_USAGE, "nothing says what to keep");
		return error_hint(err, "give restore points to remove, or a rule such as "
				       "--keep-daily 7");
	}
	if (named &&
	    (invocation_has(cli->inv, FLAG_WITH_HOST) || invocation_has(cli->inv, FLAG_WITH_TAG)))
		return error_set(err, ERR_USAGE, "--host and --tag go with rules, not with POINT");
	if (!named && invocation_has(cli->inv, FLAG_FORCE))
		return error_set(
			err, ERR_USAGE,
			"--force goes with POINT: rules never forget logs that are needed");
	if (repository_open(cli, &opened, err) < 0)
		return err->code;
	r = named ? forget_named(cli, opened.repo, err)
		  : forget_by_rules(cli, opened.repo, &rules, err);
	if (r == OK && invocation_has(cli->inv, FLAG_PRUNE))
		r = pruning_run(cli, opened.repo, err);
	return r;
}
