/* SPDX-License-Identifier: Apache-2.0 */

/* PostgreSQL as an engine of groups: the table. What is in it is in the files beside this one. */
#include "group/engine.h"

#include "group/postgresql/channel.h"
#include "group/postgresql/look.h"
#include "group/postgresql/range.h"
#include "group/postgresql/stream.h"
#include "group/postgresql/truncate.h"
#include "group/postgresql/watch.h"
#include "postgresql/walrange.h"

_Static_assert((int)ENGINE_POSITION_MAX > (int)WALRANGE_LSN_LEN, "a position has room");

static char *
position_text(uint64_t position, char text[ENGINE_POSITION_MAX])
{
	return walrange_format_lsn(position, text);
}

static bool
position_parse(const char *text, uint64_t *ret)
{
	return walrange_parse_lsn(text, ret);
}

const struct engine engine_postgresql = {
	.name = "postgresql",
	.writer = "postgresql",
	.look = look_copy,
	.log_range = range_ask,
	.session_open = channel_open,
	.session_mark = channel_mark,
	.session_beat = channel_beat,
	.session_fd = channel_fd,
	.session_hear = channel_hear,
	.session_close = channel_close,
	.session_clear = channel_clear,
	.watch_open = watch_open,
	.watch_address = watch_address,
	.watch_ask = watch_ask,
	.watch_fd = watch_fd,
	.watch_hear = watch_hear,
	.watch_close = watch_close,
	.logs = &log_source_postgresql,
	.position_text = position_text,
	.position_parse = position_parse,
	.truncate = truncate_slot,
};
