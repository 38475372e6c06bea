/* SPDX-License-Identifier: Apache-2.0 */

/* Messages. Everything passes printable_message(): names of files are part of them. */
#include "cli/show.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hresult.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/out.h"
#include "cli/printable.h"

enum { LINE_SIZE = 4096 };

static show_line_fn *divert;
static void *divert_arg;

void
show_divert(show_line_fn *to, void *arg)
{
	divert = to;
	divert_arg = arg;
}

static void
put_line(const char *raw)
{
	char line[LINE_SIZE];

	printable_message(raw, line, sizeof(line));
	if (divert != NULL)
		divert(divert_arg, line);
	else
		(void)fprintf(stderr, "%s\n", line);
}

static void
error_json(const struct error *e)
{
	char hresult[16];
	json_t *j = json_pack(
		"{s:s, s:s, s:i, s:o, s:o, s:b, s:i}", "type", "error", "code", error_name(e->code),
		"number", -(int)e->code, "message", json_bytes(e->msg, strlen(e->msg)), "hint",
		json_bytes(e->hint, strlen(e->hint)), "retryable", error_retryable(e->code) ? 1 : 0,
		"exit_code", error_exit_code(e->code));

	if (error_hresult(e->code) != 0) {
		(void)text_printf(hresult, sizeof(hresult), "0x%08" PRIx32, error_hresult(e->code));
		(void)json_object_set_new(j, "hresult", json_string(hresult));
	}
	if (e->sys != 0)
		(void)json_object_set_new(j, "errno", json_integer(e->sys));
	out_json(j);
}

void
show_error(const struct cli *cli, const char *command, const struct error *e)
{
	char line[LINE_SIZE];
	char hresult[HRESULT_TEXT_MAX];

	if (cli->json) {
		error_json(e);
		return;
	}
	(void)text_printf(line, sizeof(line), "holdfast: %s%s%s", command != NULL ? command : "",
			  command != NULL ? ": " : "", e->msg);
	put_line(line);
	if (error_hresult(e->code) != 0) {
		(void)text_printf(line, sizeof(line), "  code: %s (%s)", error_name(e->code),
				  hresult_text(error_hresult(e->code), hresult));
		put_line(line);
	}
	if (e->hint[0] != '\0') {
		(void)text_printf(line, sizeof(line), "  hint: %s", e->hint);
		put_line(line);
	}
}

void
show_warning(const struct cli *cli, const char *path, enum err code, bool serious,
	     const char *message)
{
	char line[LINE_SIZE];

	if (cli->json) {
		out_json(json_pack("{s:s, s:s, s:b, s:o, s:o}", "type", "warning", "code",
				   error_name(code), "serious", serious ? 1 : 0, "path",
				   json_bytes(path, strlen(path)), "message",
				   json_bytes(message, strlen(message))));
		return;
	}
	/* Most messages name the path themselves. */
	if (path[0] != '\0' && strstr(message, path) == NULL)
		(void)text_printf(line, sizeof(line), "warning: '%s': %s", path, message);
	else
		(void)text_printf(line, sizeof(line), "warning: %s", message);
	put_line(line);
}

void
show_note(const struct cli *cli, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list ap;

	if (cli->json || cli->quiet)
		return;
	va_start(ap, format);
	(void)text_vprintf(line, sizeof(line), format, ap);
	va_end(ap);
	put_line(line);
}
