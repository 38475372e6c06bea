/* SPDX-License-Identifier: Apache-2.0 */

/* What settings are made of; for settings*.c alone. */
#ifndef HF_CONFIG_SETTINGS_INTERNAL_H
#define HF_CONFIG_SETTINGS_INTERNAL_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "config/settings.h"

struct value {
	enum setting_source source;
	char *origin;
	size_t n;
	char **texts;
	uint64_t number;
};

/* A setting of a section with a name in it, or of a writer the table does not know. */
struct foreign {
	const struct option_def *option; /* NULL: of such a writer */
	char *section;
	char *key;
	struct value value;
};

struct settings {
	struct value values[OPTION_COUNT];
	size_t n_foreign;
	struct foreign *foreign;
};

/* settings_value.c */

void settings_value_clear(struct value *v);
/* Add a text; a value of a single text is replaced by clearing it first. */
CHECKED int settings_value_add(struct value *v, const char *text, const char *origin,
			       struct error *err);
/* Is `text` a value of this option? Numbers come back as such. */
CHECKED int settings_check(const struct option_def *o, const char *text, uint64_t *ret_number,
			   struct error *err);
/* What is wrong on the command line is a matter of usage, and of that exit code. */
void settings_blame(enum setting_source source, struct error *err);

/* settings_named.c */

/* A section [writer.NAME] that no entry of the table has? */
bool settings_is_foreign(const char *section);
CHECKED int settings_foreign_set(struct settings *s, const char *section, const char *key,
				 const char *value, enum setting_source source, const char *origin,
				 struct error *err);
/* Of a section with a name in it; `o` describes it. */
CHECKED int settings_named_set(struct settings *s, const char *section, const struct option_def *o,
			       const char *value, enum setting_source source, const char *origin,
			       struct error *err);

#endif
