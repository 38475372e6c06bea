/* SPDX-License-Identifier: Apache-2.0 */

/* Writing the documents that come from the tables. */
#include "cli/docs.h"

#include <fcntl.h>

#include "agent/api_doc.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/text.h"
#include "config/completion.h"
#include "config/errors_doc.h"
#include "config/events_doc.h"
#include "config/help.h"
#include "config/man.h"

static int
put(int dir, const char *name, struct buf *text, int made, struct error *err)
{
	if (made < 0 || fs_write_file(dir, name, buf_slice(text), 0644, err) < 0)
		return error_prefix(err, "write '%s'", name);
	buf_reset(text);
	return OK;
}

int
docs_write(const char *path, struct error *err)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(HELP_MAX);
	CLEAN(fd_close) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct command *c;

	if (dir < 0)
		return error_sys(err, ERR_IO, "open '%s'", path);
	if (fs_mkdirs(dir, "man", 0755, err) < 0)
		return err->code;
	for (int id = COMMAND_NONE + 1; (c = command_of((enum command_id)id)) != NULL; id++) {
		char page[64];
		char name[96];

		(void)text_printf(name, sizeof(name), "man/%s.1",
				  man_page_name(c, page, sizeof(page)));
		if (put(dir, name, &text, man_command(&text, c, err), err) < 0)
			return err->code;
	}
	if (put(dir, "man/holdfast.1", &text, man_overview(&text, err), err) < 0 ||
	    put(dir, "man/holdfast.conf.5", &text, man_settings(&text, err), err) < 0 ||
	    put(dir, "holdfast.bash-completion", &text, completion_bash(&text, err), err) < 0 ||
	    put(dir, "errors.md", &text, errors_doc_markdown(&text, err), err) < 0 ||
	    put(dir, "openapi.json", &text, api_doc_openapi(&text, err), err) < 0 ||
	    put(dir, "events.md", &text, events_doc_markdown(&text, err), err) < 0)
		return err->code;
	return OK;
}
