/* SPDX-License-Identifier: Apache-2.0 */

/* The configuration file. What was taken can be shown and asked for. */
#include "config/config_file.h"

#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(settings_freep) struct settings *s = NULL;
	struct error err = ERROR_INIT;
	struct setting_view view;

	if (settings_new(&s, &err) < 0)
		return 0;
	int rc = config_file_parse(s, "fuzz.conf", SLICE(data, size), &err);
	if (rc != OK && rc != ERR_CONFIG && rc != ERR_NO_MEMORY)
		abort();
	if (rc == ERR_CONFIG && strncmp(err.msg, "fuzz.conf:", 10) != 0)
		abort();
	for (size_t i = 0; settings_at(s, i, &view); i++) {
		CLEAN(json_done) json_t *j = NULL;

		if (view.section == NULL || view.key == NULL || (view.n > 0 && view.values == NULL))
			abort();
		if (strncmp(view.section, "writer.", 7) == 0)
			(void)!settings_writer(s, view.section + 7, &j, &err);
	}
	return 0;
}
