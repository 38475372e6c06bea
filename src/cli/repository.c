/* SPDX-License-Identifier: Apache-2.0 */

/* From settings to an open repository. */
#include "cli/repository.h"

#include <pwd.h>
#include <string.h>

#include "base/text.h"
#include "cli/password.h"
#include "store/store.h"

int
repository_location(const struct cli *cli, const char **ret, struct error *err)
{
	const char *location = settings_text(cli->settings, OPTION_REPOSITORY_LOCATION);

	if (location == NULL) {
		error_set(err, ERR_USAGE, "no repository was given");
		return error_hint(err, "give -r REPO, or set HOLDFAST_REPOSITORY or "
				       "repository.location");
	}
	*ret = location;
	return OK;
}

const char *
repository_key_file(const struct cli *cli)
{
	const char *key_file = settings_text(cli->settings, OPTION_REPOSITORY_KEY_FILE);

	if (key_file == NULL)
		return NULL;
	/* A password file given on the command line goes before a key file of the configuration. */
	if (settings_text(cli->settings, OPTION_REPOSITORY_PASSWORD_FILE) != NULL &&
	    settings_source(cli->settings, OPTION_REPOSITORY_PASSWORD_FILE) >
		    settings_source(cli->settings, OPTION_REPOSITORY_KEY_FILE))
		return NULL;
	return key_file;
}

int
repository_key(const struct cli *cli, struct secret **ret_secret, struct key_source *ret_source,
	       struct error *err)
{
	const char *key_file = repository_key_file(cli);
	const char *password_file = settings_text(cli->settings, OPTION_REPOSITORY_PASSWORD_FILE);
	struct key_source source = {0};
	bool created;
	int r;

	if (key_file != NULL)
		r = password_key_file(cli, key_file, false, &source.key_file, &created, err);
	else if (password_file != NULL)
		r = password_from_file(cli, password_file, &source.password, err);
	else
		r = password_from_terminal("password of the repository: ", REPOSITORY_KEY_HINT,
					   false, &source.password, err);
	if (r < 0)
		return r;
	*ret_secret = source.key_file != NULL ? source.key_file : source.password;
	*ret_source = source;
	return OK;
}

int
repository_open(const struct cli *cli, struct repository *ret, struct error *err)
{
	CLEAN(repository_close) struct repository s = {0};
	struct key_source source;
	const char *location = "";

	/* The store first: a wrong path should not cost a password. */
	if (repository_location(cli, &location, err) < 0 ||
	    store_open(location, false, &s.store, err) < 0 ||
	    repository_key(cli, &s.secret, &source, err) < 0)
		return err->code;
	if (repo_open(s.store, &source, settings_text(cli->settings, OPTION_REPOSITORY_CACHE_DIR),
		      &s.repo, err) < 0)
		return error_prefix(err, "repository '%s'", location);
	*ret = s;
	s = (struct repository){0};
	return OK;
}

void
repository_close(struct repository *s)
{
	repo_close(s->repo);
	store_close(s->store);
	secret_free(s->secret);
	*s = (struct repository){0};
}

char *
repository_label(const struct cli *cli, char *text, size_t size)
{
	const char *given = invocation_value(cli->inv, FLAG_LABEL);
	const struct passwd *user = getpwuid(geteuid());

	if (given != NULL)
		(void)text_printf(text, size, "%s", given);
	else
		(void)text_printf(text, size, "%s@%s", user != NULL ? user->pw_name : "?",
				  settings_text(cli->settings, OPTION_BACKUP_HOST));
	return text;
}
