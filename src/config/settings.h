/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The values in force for one run, and where each came from. Sources, later ones win:
 *
 *	default < configuration file < environment < --option < dedicated flag
 *
 * Every value is checked against the table when it is set, whatever it came from; the error names
 * the source. A list given by a later source replaces the list of an earlier one; within one
 * source its values add up.
 *
 * Sections [writer.NAME] of writers that the table does not know are kept as they are, for that
 * writer to check. Sections with a name in them ("[group.NAME]", config/option_named.h) exist from
 * their first setting on, with the defaults of all others. Filled by one thread, then only read.
 */
#ifndef HF_CONFIG_SETTINGS_H
#define HF_CONFIG_SETTINGS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "config/option.h"

/* In order of precedence. */
enum setting_source {
	SETTING_DEFAULT = 1,
	SETTING_FILE,
	SETTING_ENVIRONMENT,
	SETTING_OPTION, /* --option */
	SETTING_FLAG,
};

enum { SETTING_LIST_MAX = 4096, SETTING_TEXT_MAX = 4096, SETTING_FOREIGN_MAX = 4096 };

struct settings;

/* What one setting is, for showing. Pointers live as long as the settings do. */
struct setting_view {
	const char *section;
	const char *key;
	const struct option_def *option; /* NULL: of a writer the table does not know */
	enum setting_source source;
	const char *origin; /* "default", "/etc/x.conf:12", "environment X", "command line" */
	bool secret;
	size_t n; /* values: 0 unset, 1, or more for a list */
	char *const *values; /* as they were written */
	uint64_t number; /* BOOL, NUMBER, SIZE (bytes), DURATION (seconds), DURATION_MS */
};

/* All defaults. */
CHECKED int settings_new(struct settings **ret, struct error *err);
void settings_free(struct settings *s); /* NULL is fine */
void settings_freep(struct settings **s); /* for CLEAN() */

/*
 * Set one value. `origin` says where it stands, for messages: "FILE:12", "environment X" ... A
 * source of lower rank than the one the present value has changes nothing, but is checked all the
 * same.
 */
CHECKED int settings_set(struct settings *s, enum option_id id, const char *value,
			 enum setting_source source, const char *origin, struct error *err);
/* By name. Unknown names are an error that suggests the nearest. */
CHECKED int settings_set_named(struct settings *s, const char *section, const char *key,
			       const char *value, enum setting_source source, const char *origin,
			       struct error *err);
/* "SECTION.KEY=VALUE", from --option. */
CHECKED int settings_set_assignment(struct settings *s, const char *text, struct error *err);
/* From the process's environment: each option's own variable and HOLDFAST_SECTION_KEY. Empty ones
 * count as absent. */
CHECKED int settings_set_environment(struct settings *s, struct error *err);

/* Values by id. NULL if unset. */
const char *settings_text(const struct settings *s, enum option_id id);
uint64_t settings_number(const struct settings *s, enum option_id id);
bool settings_bool(const struct settings *s, enum option_id id);
const char *const *settings_list(const struct settings *s, enum option_id id, size_t *ret_n);
enum setting_source settings_source(const struct settings *s, enum option_id id);

/* The n-th setting from 0, those of the table first, in its order; false past the end. */
bool settings_at(const struct settings *s, size_t n, struct setting_view *ret);

/* The section [writer.NAME] as an object of strings, for the writer: what is set, defaults too.
 * Durations are in seconds, lists are not part of it. */
CHECKED int settings_writer(const struct settings *s, const char *name, json_t **ret,
			    struct error *err);

#endif
