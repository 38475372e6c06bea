/* SPDX-License-Identifier: Apache-2.0 */

/* Host name, cache folder and writers' folder of this machine. */
#include "cli/defaults.h"

#include <string.h>

#include "base/text.h"

/* /var/cache for root, else what the XDG base directory specification says. */
static int
cache_dir(char *text, size_t size, struct error *err)
{
	const char *xdg = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	bool fits;

	if (geteuid() == 0)
		fits = text_printf(text, size, "/var/cache/holdfast");
	else if (xdg != NULL && xdg[0] == '/')
		fits = text_printf(text, size, "%s/holdfast", xdg);
	else if (home != NULL && home[0] == '/')
		fits = text_printf(text, size, "%s/.cache/holdfast", home);
	else
		/* Without a home there is no folder that is surely ours; /tmp is anybody's. */
		fits = text_printf(text, size, "/var/cache/holdfast");
	return fits ? OK : error_set(err, ERR_LIMIT, "the path of the cache folder is too long");
}

int
defaults_set(struct settings *s, struct error *err)
{
	char cache[SETTING_TEXT_MAX];
	char host[256] = "";

	if (gethostname(host, sizeof(host) - 1) < 0 || host[0] == '\0')
		(void)text_printf(host, sizeof(host), "localhost");
	if (cache_dir(cache, sizeof(cache), err) < 0)
		return err->code;
	if (settings_set(s, OPTION_BACKUP_HOST, host, SETTING_DEFAULT, "default", err) < 0 ||
	    settings_set(s, OPTION_REPOSITORY_CACHE_DIR, cache, SETTING_DEFAULT, "default", err) <
		    0 ||
	    settings_set(s, OPTION_WRITER_DIR, HF_WRITER_DIR, SETTING_DEFAULT, "default", err) < 0)
		return err->code;
	return OK;
}
