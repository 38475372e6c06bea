/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast init */
#include "base/hex.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/password.h"
#include "cli/repository.h"
#include "cli/show.h"

/* A new repository's key: a key file is made if it is not there, a typed password asked for
 * twice. */
static int
new_key(const struct cli *cli, struct secret **ret_secret, struct key_source *ret_source,
	bool *ret_created, struct error *err)
{
	const char *key_file = repository_key_file(cli);
	const char *password_file = settings_text(cli->settings, OPTION_REPOSITORY_PASSWORD_FILE);
	struct key_source source = {0};
	int r;

	*ret_created = false;
	if (key_file != NULL)
		r = password_key_file(cli, key_file, true, &source.key_file, ret_created, err);
	else if (password_file != NULL)
		r = password_from_file(cli, password_file, &source.password, err);
	else
		r = password_from_terminal("new password for the repository: ", REPOSITORY_KEY_HINT,
					   true, &source.password, err);
	if (r < 0)
		return r;
	*ret_secret = source.key_file != NULL ? source.key_file : source.password;
	*ret_source = source;
	return OK;
}

static void
report(const struct cli *cli, const char *location, const char *id, bool created)
{
	const char *key_file = repository_key_file(cli);

	if (cli->json) {
		out_json(json_pack("{s:s, s:s, s:s, s:b}", "type", "repository", "id", id,
				   "location", location, "key_file_created", created ? 1 : 0));
		return;
	}
	out_text("Created repository %.8s at %s\n", id, location);
	if (created)
		show_note(cli,
			  "Made key file %s. Keep a copy of it on another machine: without it "
			  "nobody can read this repository.",
			  key_file);
	else
		show_note(cli, "Keep the %s safe: without it nobody can read this repository.",
			  key_file != NULL ? "key file" : "password");
}

int
verb_init(struct cli *cli, struct error *err)
{
	CLEAN(store_closep) struct store *store = NULL;
	CLEAN(secret_freep) struct secret *secret = NULL;
	struct key_source source;
	struct object_id id;
	const char *location = "";
	char label[128];
	char id_text[2 * OBJECT_ID_SIZE + 1];
	bool created;

	if (repository_location(cli, &location, err) < 0 ||
	    store_open(location, true, &store, err) < 0 ||
	    new_key(cli, &secret, &source, &created, err) < 0)
		return err->code;
	if (repo_init(store, &source, repository_label(cli, label, sizeof(label)), &id, err) < 0) {
		/* Nothing is locked with it: it would only be mistaken for a key to something. */
		if (created)
			(void)unlink(repository_key_file(cli));
		return error_prefix(err, "repository '%s'", location);
	}
	report(cli, location, hex_encode(id.b, sizeof(id.b), id_text), created);
	return OK;
}
