/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes, split at zeros, as a command line: parsed, and its flags applied to settings. */
#include <stdlib.h>
#include <string.h>

#include "config/invocation.h"

enum { WORDS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	struct invocation inv = {0};
	struct settings *s = NULL;
	CLEAN(free_ptr) char *text = malloc(size + 1);
	char *argv[WORDS_MAX];
	int argc = 0;

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	for (size_t at = 0; at < size && argc < WORDS_MAX; at += strlen(text + at) + 1)
		argv[argc++] = text + at;

	if (invocation_parse(argc, argv, &inv, &err) < 0) {
		if (err.code != ERR_USAGE || err.msg[0] == '\0' || err.hint[0] == '\0')
			abort();
		return 0;
	}
	if (settings_new(&s, &err) == OK && invocation_set(&inv, s, &err) < 0 &&
	    err.code != ERR_USAGE && err.code != ERR_CONFIG && err.code != ERR_LIMIT)
		abort();
	settings_free(s);
	invocation_done(&inv);
	return 0;
}
