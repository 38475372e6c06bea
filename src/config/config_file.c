/* SPDX-License-Identifier: Apache-2.0 */

/*
 * inih does the splitting; it is fed line by line from memory, which is where the limits are
 * enforced and lines are counted. inih cuts what it finds too long without a word, so nothing
 * that long may reach it.
 */
#include "config/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <ini.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/text.h"

enum {
	FILE_BYTES_MAX = 1 << 20,
	LINE_BYTES_MAX = 198, /* inih's buffer has 200 */
	SECTION_BYTES_MAX = 48, /* inih's has 50 */
	KEY_BYTES_MAX = 48,
};

struct parse {
	struct settings *settings;
	const char *name;
	const char *p;
	const char *end;
	unsigned line;
	bool seen[OPTION_COUNT]; /* given in this file already */
	struct error error; /* the first; code OK: none */
};

static void
fail(struct parse *parse, const char *why)
{
	if (parse->error.code != OK)
		return;
	error_set(&parse->error, ERR_CONFIG, "%s:%u: %s", parse->name, parse->line, why);
	error_hint(&parse->error, "see holdfast.conf(5)");
}

static const char *
check_line(const char *line, size_t n)
{
	if (n > LINE_BYTES_MAX)
		return "the line is longer than 198 bytes";
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)line[i] < ' ' && line[i] != '\t' && line[i] != '\r') ||
		    line[i] == 0x7f)
			return "there is a control character in the line";
	if (line[0] == ' ' || line[0] == '\t') {
		while (n > 0 && (*line == ' ' || *line == '\t' || *line == '\r')) {
			line++;
			n--;
		}
		/* inih would take it as more of the value above. */
		if (n > 0 && *line != '#' && *line != ';')
			return "a line must not begin with a blank";
		return NULL;
	}
	if (line[0] == '[' && n > SECTION_BYTES_MAX)
		return "the section's name is too long: at most 46 characters";
	if (line[0] == '[' && memchr(line, ']', n) == NULL)
		return "neither 'key = value' nor '[section]'";
	if (line[0] != '[' && line[0] != '#' && line[0] != ';') {
		const char *equals = memchr(line, '=', n);

		if (n > 0 && line[0] != '\r' && equals == NULL)
			return "neither 'key = value' nor '[section]'";
		if (equals != NULL && equals - line > KEY_BYTES_MAX)
			return "the key is too long";
	}
	return NULL;
}

/* For inih: the next line, as fgets would give it. */
static char *
next_line(char *into, int size, void *stream)
{
	struct parse *parse = stream;
	const char *newline;
	const char *why;
	size_t n;

	if (parse->p == parse->end || parse->error.code != OK)
		return NULL;
	newline = memchr(parse->p, '\n', (size_t)(parse->end - parse->p));
	n = (size_t)((newline != NULL ? newline : parse->end) - parse->p);
	parse->line++;
	why = check_line(parse->p, n);
	if (why == NULL && n + 1 > (size_t)size - 1)
		why = "the line is too long";
	if (why != NULL) {
		fail(parse, why);
		return NULL;
	}
	memcpy(into, parse->p, n);
	into[n] = '\n';
	into[n + 1] = '\0';
	parse->p = newline != NULL ? newline + 1 : parse->end;
	return into;
}

static int
on_value(void *arg, const char *section, const char *key, const char *value)
{
	struct parse *parse = arg;
	const struct option_def *o = option_find(section, key);
	char origin[512];

	if (parse->error.code != OK)
		return 1;
	if (section[0] == '\0') {
		fail(parse, "a setting before the first [section]");
		return 1;
	}
	if (o != NULL && o->type != OPTION_TYPE_LIST) {
		if (parse->seen[option_id_of(o)]) {
			fail(parse, "the setting was given above already");
			return 1;
		}
		parse->seen[option_id_of(o)] = true;
	}
	(void)text_printf(origin, sizeof(origin), "%s:%u", parse->name, parse->line);
	if (settings_set_named(parse->settings, section, key, value, SETTING_FILE, origin,
			       &parse->error) < 0)
		return 1; /* kept in parse->error */
	return 1;
}

int
config_file_parse(struct settings *s, const char *name, struct slice text, struct error *err)
{
	struct parse parse = {.settings = s, .name = name, .p = (const char *)text.p};
	int bad_line;

	parse.end = parse.p + text.n;
	if (text.n == 0)
		return OK;
	bad_line = ini_parse_stream(next_line, &parse, on_value, &parse);
	if (bad_line > 0 && parse.error.code == OK) {
		parse.line = (unsigned)bad_line;
		fail(&parse, "neither 'key = value' nor '[section]'");
	}
	if (bad_line < 0 && parse.error.code == OK)
		return error_no_memory(err);
	if (parse.error.code == OK)
		return OK;
	if (err != NULL)
		*err = parse.error;
	return parse.error.code;
}

int
config_file_read(struct settings *s, const char *path, bool required, struct error *err)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(FILE_BYTES_MAX);
	int r = fs_read_file(AT_FDCWD, path, &text, err);

	if (r == ERR_NOT_FOUND && !required)
		return 0;
	if (r == ERR_NOT_FOUND)
		return error_set(err, ERR_CONFIG, "there is no configuration file '%s'", path);
	if (r < 0)
		return error_prefix(err, "configuration file");
	r = config_file_parse(s, path, buf_slice(&text), err);
	return r < 0 ? r : 1;
}
