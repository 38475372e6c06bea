/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes as a configuration file: either settings within their ranges or an error with a line. */
#include <stdlib.h>
#include <string.h>

#include "config/config_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	struct settings *s = NULL;
	struct setting_view v;

	if (settings_new(&s, &err) < 0)
		return 0;
	if (config_file_parse(s, "fuzz.conf", SLICE(data, size), &err) < 0 &&
	    strncmp(err.msg, "fuzz.conf:", 10) != 0 && err.code != ERR_NO_MEMORY)
		abort();
	for (size_t i = 0; settings_at(s, i, &v); i++)
		if (v.option != NULL && v.option->max > 0 &&
		    (v.number < v.option->min || v.number > v.option->max))
			abort();
	settings_free(s);
	return 0;
}
