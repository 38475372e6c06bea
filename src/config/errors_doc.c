/* SPDX-License-Identifier: Apache-2.0 */

/* The list of errors, as text and as Markdown. */
#include "config/errors_doc.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hresult.h"
#include "base/text.h"
#include "config/prose.h"

/* The hint an error has when whoever raises it gives none. */
static const char *
default_hint(enum err code, struct error *scratch)
{
	error_set(scratch, code, "%s", "");
	return scratch->hint;
}

static const char *
code_text(enum err code, char text[HRESULT_TEXT_MAX])
{
	return error_hresult(code) != 0 ? hresult_text(error_hresult(code), text) : "-";
}

int
errors_doc_text(struct buf *b, struct error *err)
{
	struct error scratch;
	enum err code;
	int r = OK;

	for (size_t i = 0; r == OK && (code = error_code_at(i)) != OK; i++) {
		const char *hint = default_hint(code, &scratch);

		r = buf_printf(b, err, "%s (%d", error_name(code), -(int)code);
		if (r == OK && error_hresult(code) != 0)
			r = buf_printf(b, err, ", 0x%08" PRIx32, error_hresult(code));
		if (r == OK)
			r = buf_printf(b, err, "), exit code %d%s\n    ", error_exit_code(code),
				       error_retryable(code) ? ", worth retrying" : "");
		if (r == OK)
			r = prose_wrap(b, error_sentence(code), 4, 4, err);
		if (r == OK && hint[0] != '\0') {
			r = buf_printf(b, err, "    hint: ");
			if (r == OK)
				r = prose_wrap(b, hint, 10, 10, err);
		}
	}
	return r;
}

static int
hresults_markdown(struct buf *b, struct error *err)
{
	uint32_t code;
	int r = buf_printf(
		b, err,
		"\n"
		"## Codes of VSS\n"
		"\n"
		"What administrators of Windows know, as writers and other programs report it.\n"
		"\"retry\" is Microsoft's advice: wait ten minutes, repeat the whole operation, up\n"
		"to three times.\n"
		"\n"
		"| HRESULT | name | retry | meaning | what to do |\n"
		"| --- | --- | --- | --- | --- |\n");

	for (size_t i = 0; r == OK && (code = hresult_at(i)) != 0; i++)
		r = buf_printf(b, err, "| 0x%08" PRIx32 " | %s | %s | %s | %s |\n", code,
			       hresult_name(code), hresult_retryable(code) ? "yes" : "no",
			       hresult_meaning(code), hresult_advice(code));
	return r;
}

int
errors_doc_markdown(struct buf *b, struct error *err)
{
	struct error scratch;
	enum err code;
	char hresult[HRESULT_TEXT_MAX];
	int r = buf_printf(
		b, err,
		"# Errors\n"
		"\n"
		"<!-- Made by \"holdfast help --write-docs\" from src/base/errors.def; do not edit. -->\n"
		"\n"
		"Every error Holdfast reports has one of these codes. The message says what failed, the\n"
		"hint what to do; the hint below is the general one, the place that fails often knows a\n"
		"better one. `number` is stable; `HRESULT` is the code administrators of Windows know,\n"
		"where there is one, with Microsoft's name for it. With `--json` an error is an object, see\n"
		"[json.md](json.md). `holdfast explain` takes any of them: a name, a number, an HRESULT.\n"
		"\n"
		"| name | number | HRESULT | exit code | retry | meaning | hint |\n"
		"| --- | --- | --- | --- | --- | --- | --- |\n");

	for (size_t i = 0; r == OK && (code = error_code_at(i)) != OK; i++)
		r = buf_printf(b, err, "| %s | %d | %s | %d | %s | %s | %s |\n", error_name(code),
			       -(int)code, code_text(code, hresult), error_exit_code(code),
			       error_retryable(code) ? "yes" : "no", error_sentence(code),
			       default_hint(code, &scratch));
	return r == OK ? hresults_markdown(b, err) : r;
}
