/* SPDX-License-Identifier: Apache-2.0 */

/* Host name and folders of this machine. */
#include "cli/defaults.h"

#include <string.h>

#include "base/text.h"

/* The system's for root, else what the XDG base directory specification says. */
static int
folder_of(const char *system, const char *variable, const char *below_home, char *text, size_t size,
	  struct error *err)
{
	const char *xdg = getenv(variable);
	const char *home = getenv("HOME");
	bool fits;

	if (geteuid() == 0)
		fits = text_printf(text, size, "%s", system);
	else if (xdg != NULL && xdg[0] == '/')
		fits = text_printf(text, size, "%s/holdfast", xdg);
	else if (home != NULL && home[0] == '/')
		fits = text_printf(text, size, "%s/%s/holdfast", home, below_home);
	else
		/* Without a home there is no folder that is surely ours; /tmp is anybody's. */
		fits = text_printf(text, size, "%s", system);
	return fits ? OK : error_set(err, ERR_LIMIT, "the path in %s is too long", variable);
}

int
defaults_set(struct settings *s, struct error *err)
{
	char cache[SETTING_TEXT_MAX], state[SETTING_TEXT_MAX];
	char host[256] = "";

	if (gethostname(host, sizeof(host) - 1) < 0 || host[0] == '\0')
		(void)text_printf(host, sizeof(host), "localhost");
	if (folder_of("/var/cache/holdfast", "XDG_CACHE_HOME", ".cache", cache, sizeof(cache),
		      err) < 0 ||
	    folder_of("/var/lib/holdfast", "XDG_STATE_HOME", ".local/state", state, sizeof(state),
		      err) < 0)
		return err->code;
	if (settings_set(s, OPTION_BACKUP_HOST, host, SETTING_DEFAULT, "default", err) < 0 ||
	    settings_set(s, OPTION_REPOSITORY_CACHE_DIR, cache, SETTING_DEFAULT, "default", err) <
		    0 ||
	    settings_set(s, OPTION_AGENT_STATE_DIR, state, SETTING_DEFAULT, "default", err) < 0 ||
	    settings_set(s, OPTION_WRITER_DIR, HF_WRITER_DIR, SETTING_DEFAULT, "default", err) < 0)
		return err->code;
	return OK;
}
