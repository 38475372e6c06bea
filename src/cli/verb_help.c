/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast help, and --help of every command. */
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/docs.h"
#include "cli/out.h"
#include "config/completion.h"
#include "config/errors_doc.h"
#include "config/help.h"
#include "config/man.h"

static int
no_topic(const char *name, struct error *err)
{
	const char *nearest = command_nearest(name);

	error_set(err, ERR_USAGE, "there is no help on '%s'", name);
	if (nearest != NULL)
		return error_hint(err, "did you mean 'holdfast help %s'?", nearest);
	return error_hint(err, "see 'holdfast help'");
}

static int
man(struct buf *b, const char *name, struct error *err)
{
	const struct command *c;

	if (name == NULL || strcmp(name, "holdfast") == 0)
		return man_overview(b, err);
	if (strcmp(name, "holdfast.conf") == 0 || strcmp(name, "settings") == 0)
		return man_settings(b, err);
	c = command_find(name);
	return c != NULL ? man_command(b, c, err) : no_topic(name, err);
}

static int
topic(struct buf *b, const char *name, struct error *err)
{
	const struct command *c;

	if (name == NULL)
		return help_overview(b, NULL, err);
	if (strcmp(name, "errors") == 0)
		return errors_doc_text(b, err);
	if (strcmp(name, "settings") == 0)
		return help_settings(b, err);
	c = command_find(name);
	if (c == NULL && command_is_group(name))
		return help_overview(b, name, err);
	return c != NULL ? help_command(b, c, err) : no_topic(name, err);
}

/* "help key add" is two operands and one name. */
static const char *
asked_name(const struct invocation *inv, char *text, size_t size)
{
	if (inv->help) /* --help */
		return inv->command != NULL ? inv->command->name : inv->group;
	if (inv->n_operands == 0)
		return NULL;
	(void)text_printf(text, size, "%s%s%s", inv->operands[0], inv->n_operands > 1 ? " " : "",
			  inv->n_operands > 1 ? inv->operands[1] : "");
	return text;
}

int
verb_help(struct cli *cli, struct error *err)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(HELP_MAX);
	const char *shell = invocation_value(cli->inv, FLAG_COMPLETION);
	const char *docs = invocation_value(cli->inv, FLAG_WRITE_DOCS);
	char text[96];
	const char *name = asked_name(cli->inv, text, sizeof(text));
	int r;

	if (docs != NULL)
		return docs_write(docs, err);
	if (shell != NULL && strcmp(shell, "bash") != 0)
		return error_set(err, ERR_USAGE, "there is completion for bash, not for '%s'",
				 shell);
	if (shell != NULL)
		r = completion_bash(&b, err);
	else if (invocation_has(cli->inv, FLAG_MAN))
		r = man(&b, name, err);
	else
		r = topic(&b, name, err);
	if (r == OK)
		out_bytes(buf_slice(&b));
	return r;
}
