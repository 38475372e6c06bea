/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast key add, key list, key remove */
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/password.h"
#include "cli/repository.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/units.h"
#include "repo/keys.h"

static int
new_key(const struct cli *cli, struct secret **ret_secret, struct key_source *ret_source,
	bool *ret_created, struct error *err)
{
	const char *password_file = invocation_value(cli->inv, FLAG_NEW_PASSWORD_FILE);
	const char *key_file = invocation_value(cli->inv, FLAG_NEW_KEY_FILE);
	struct key_source source = {0};
	int r;

	*ret_created = false;
	if (password_file != NULL && key_file != NULL)
		return error_set(err, ERR_USAGE,
				 "--new-password-file and --new-key-file exclude each other");
	if (key_file != NULL)
		r = password_key_file(cli, key_file, true, &source.key_file, ret_created, err);
	else if (password_file != NULL)
		r = password_from_file(cli, password_file, &source.password, err);
	else
		r = password_from_terminal(
			"new password: ", "give --new-password-file or --new-key-file", true,
			&source.password, err);
	if (r < 0)
		return r;
	*ret_secret = source.key_file != NULL ? source.key_file : source.password;
	*ret_source = source;
	return OK;
}

int
verb_key_add(struct cli *cli, struct error *err)
{
	CLEAN(repository_close) struct repository opened = {0};
	CLEAN(secret_freep) struct secret *secret = NULL;
	struct key_source source;
	struct object_id id;
	char label[128];
	char id_text[2 * OBJECT_ID_SIZE + 1];
	bool created;

	if (repository_open(cli, &opened, err) < 0 ||
	    new_key(cli, &secret, &source, &created, err) < 0)
		return err->code;
	if (keys_slot_add(opened.store, &opened.repo->id, opened.repo->config_hash,
			  opened.repo->keys.master, &source,
			  repository_label(cli, label, sizeof(label)), &id, err) < 0) {
		if (created)
			(void)unlink(invocation_value(cli->inv, FLAG_NEW_KEY_FILE));
		return err->code;
	}
	hex_encode(id.b, sizeof(id.b), id_text);
	if (cli->json)
		out_json(json_pack("{s:s, s:s, s:s, s:b}", "type", "key", "id", id_text, "label",
				   label, "key_file_created", created ? 1 : 0));
	else
		out_text("Added key %.8s (%s)\n", id_text, label);
	if (created)
		show_note(cli, "Made key file %s. Keep a copy of it on another machine.",
			  invocation_value(cli->inv, FLAG_NEW_KEY_FILE));
	return OK;
}

struct listing {
	const struct cli *cli;
	struct table table;
};

static int
list_slot(void *arg, const struct key_slot_info *slot, struct error *err)
{
	struct listing *l = arg;
	char id[2 * OBJECT_ID_SIZE + 1];
	char time[UNITS_MAX];

	(void)err;
	hex_encode(slot->id.b, sizeof(slot->id.b), id);
	if (l->cli->json) {
		out_json(json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "key", "id", id, "kind",
				   slot->kind, "label", slot->label, "created",
				   clock_format_utc(slot->created_ns, time)));
		return OK;
	}
	table_cell(&l->table, "%.8s", id);
	table_cell(&l->table, "%s", slot->kind);
	table_cell(&l->table, "%s", units_time(slot->created_ns, time));
	table_cell(&l->table, "%s", slot->label);
	return OK;
}

int
verb_key_list(struct cli *cli, struct error *err)
{
	CLEAN(repository_close) struct repository opened = {0};
	struct listing l = {.cli = cli};
	int r;

	if (repository_open(cli, &opened, err) < 0)
		return err->code;
	table_init(&l.table, "llll");
	table_cell(&l.table, "ID");
	table_cell(&l.table, "KIND");
	table_cell(&l.table, "MADE");
	table_cell(&l.table, "LABEL");
	r = keys_slot_list(opened.store, list_slot, &l, err);
	if (r == OK && !cli->json)
		r = table_print(&l.table, err);
	table_done(&l.table);
	return r;
}

struct search {
	const char *prefix;
	size_t hits;
	struct object_id id;
};

static int
match_slot(void *arg, const struct key_slot_info *slot, struct error *err)
{
	struct search *s = arg;
	char id[2 * OBJECT_ID_SIZE + 1];

	(void)err;
	hex_encode(slot->id.b, sizeof(slot->id.b), id);
	if (strncmp(id, s->prefix, strlen(s->prefix)) == 0) {
		s->hits++;
		s->id = slot->id;
	}
	return OK;
}

int
verb_key_remove(struct cli *cli, struct error *err)
{
	CLEAN(repository_close) struct repository opened = {0};
	struct search s = {.prefix = cli->inv->operands[0]};
	char id[2 * OBJECT_ID_SIZE + 1];

	if (strlen(s.prefix) < 2)
		return error_set(err, ERR_USAGE, "'%s': give two digits of the id at least",
				 s.prefix);
	if (repository_open(cli, &opened, err) < 0 ||
	    keys_slot_list(opened.store, match_slot, &s, err) < 0)
		return err->code;
	if (s.hits == 0) {
		error_set(err, ERR_NOT_FOUND, "no key begins with '%s'", s.prefix);
		return error_hint(err, "'holdfast key list' shows them");
	}
	if (s.hits > 1) {
		error_set(err, ERR_AMBIGUOUS, "%zu keys begin with '%s'", s.hits, s.prefix);
		return error_hint(err, "give more digits of its id");
	}
	if (keys_slot_remove(opened.store, &s.id, err) < 0)
		return err->code;
	hex_encode(s.id.b, sizeof(s.id.b), id);
	if (cli->json)
		out_json(json_pack("{s:s, s:s}", "type", "key_removed", "id", id));
	else
		out_text("Removed key %.8s\n", id);
	return OK;
}
