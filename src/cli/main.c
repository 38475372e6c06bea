/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The program holdfast: takes the command line apart, gathers the settings, calls the verb, and
 * turns what it returned into an exit code. Everything else is elsewhere.
 */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/defaults.h"
#include "cli/out.h"
#include "cli/show.h"
#include "cli/signals.h"
#include "config/config_file.h"

static verb_fn *const verbs[COMMAND_COUNT] = {
	[COMMAND_INIT] = verb_init,
	[COMMAND_BACKUP] = verb_backup,
	[COMMAND_LIST] = verb_list,
	[COMMAND_RESTORE] = verb_restore,
	[COMMAND_VERIFY] = verb_verify,
	[COMMAND_FORGET] = verb_forget,
	[COMMAND_PRUNE] = verb_prune,
	[COMMAND_KEY_ADD] = verb_key_add,
	[COMMAND_KEY_LIST] = verb_key_list,
	[COMMAND_KEY_REMOVE] = verb_key_remove,
	[COMMAND_STATS] = verb_stats,
	[COMMAND_PLAN] = verb_plan,
	[COMMAND_WRITERS] = verb_writers,
	[COMMAND_SNAPSHOTS] = verb_snapshots,
	[COMMAND_RELEASE] = verb_release,
	[COMMAND_TEST] = verb_test,
	[COMMAND_EVENTS] = verb_events,
	[COMMAND_EXPLAIN] = verb_explain,
	[COMMAND_AGENT] = verb_agent,
	[COMMAND_AGENT_ENROLL] = verb_agent_enroll,
	[COMMAND_GROUP_STATUS] = verb_group_status,
	[COMMAND_GROUP_TRUNCATE] = verb_group_truncate,
	[COMMAND_LOG_COPIER] = verb_log_copier,
	[COMMAND_CONFIG_SHOW] = verb_config_show,
	[COMMAND_VERSION] = verb_version,
	[COMMAND_HELP] = verb_help,
};

/* Default < file < environment < command line; see config/settings.h. */
static int
gather_settings(const struct invocation *inv, struct settings **ret, struct error *err)
{
	CLEAN(settings_freep) struct settings *s = NULL;
	const char *file = invocation_value(inv, FLAG_CONFIG);

	if (settings_new(&s, err) < 0 || defaults_set(s, err) < 0 ||
	    config_file_read(s, file != NULL ? file : CONFIG_FILE_DEFAULT, file != NULL, err) < 0 ||
	    settings_set_environment(s, err) < 0 || invocation_set(inv, s, err) < 0)
		return err->code;
	*ret = STEAL_PTR(s);
	return OK;
}

static int
run(struct cli *cli, struct error *err)
{
	const struct invocation *inv = cli->inv;
	CLEAN(settings_freep) struct settings *settings = NULL;
	int r;

	/* Help must work whatever the configuration is like. */
	if (inv->help || inv->command == command_of(COMMAND_HELP)) {
		r = verb_help(cli, err);
	} else {
		if (gather_settings(inv, &settings, err) < 0)
			return err->code;
		cli->settings = settings;
		cli->json = settings_bool(settings, OPTION_OUTPUT_JSON);
		cli->quiet = settings_bool(settings, OPTION_OUTPUT_QUIET);
		r = verbs[command_id_of(inv->command)](cli, err);
		cli->settings = NULL;
	}
	return r == OK ? out_finish(err) : r;
}

/* "holdfast --version" and "holdfast" alone are asked for often enough. */
static const char *
alias(int argc, char *const argv[])
{
	if (argc == 1)
		return "help";
	if (argc == 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0))
		return "version";
	return NULL;
}

int
main(int argc, char *argv[])
{
	CLEAN(invocation_done) struct invocation inv = {0};
	struct cli cli = {.inv = &inv};
	struct error err = ERROR_INIT;
	char *other[] = {(char *)(uintptr_t)alias(argc, argv), NULL};
	int n = other[0] != NULL ? 1 : argc - 1;
	int r;

	signals_install();
	/* Errors in what follows must already come in the asked-for form. */
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		cli.json = cli.json || strcmp(argv[i], "--json") == 0;
	r = invocation_parse(n, other[0] != NULL ? other : argv + 1, &inv, &err);
	if (r == OK)
		r = run(&cli, &err);
	if (r == OK)
		return argc == 1 ? error_exit_code(ERR_USAGE) : error_exit_code(OK);

	/* "holdfast list | head" is no failure worth words. */
	if (err.sys == EPIPE && out_failed())
		return error_exit_code(r);
	show_error(&cli, inv.command != NULL ? inv.command->name : NULL, &err);
	if (err.code == ERR_CANCELLED && signals_caught() != 0)
		show_note(&cli, "holdfast: stopped by signal %d", signals_caught());
	/* Whatever was printed before the failure should arrive, too; if not, the failure stands. */
	if (out_finish(&err) < 0)
		return error_exit_code(r);
	return error_exit_code(r);
}
