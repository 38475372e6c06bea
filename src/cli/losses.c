/* SPDX-License-Identifier: Apache-2.0 */

/* Three lists: all; without the backups that go; without the logs, too. What is between two of them is lost. */
#include "cli/losses.h"

#include <string.h>

#include "base/text.h"
#include "cli/out.h"
#include "cli/units.h"
#include "postgresql/walrange.h"
#include "requester/forget_loss.h"

static void
list_done(struct point_list *l)
{
	free(l->points);
}

static bool
is_in(const struct point_list *list, const struct point *p)
{
	for (size_t i = 0; i < list->n; i++)
		if (memcmp(&list->points[i]->id, &p->id, sizeof(p->id)) == 0)
			return true;
	return false;
}

/* What stays: backups that go are left out, and with `logs` the logs that go. */
static int
without(const struct point_list *all, const struct point_list *going, bool logs,
	struct point_list *ret, struct error *err)
{
	ret->points = calloc(MAX(all->n, (size_t)1), sizeof(struct point *));
	if (ret->points == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < all->n; i++)
		if (!is_in(going, all->points[i]) || (point_is_log(all->points[i]) && !logs))
			ret->points[ret->n++] = all->points[i];
	return OK;
}

static void
place(uint64_t lsn, uint64_t time_ns, char *text, size_t size)
{
	char position[WALRANGE_LSN_LEN + 1], time[UNITS_MAX];

	walrange_format_lsn(lsn, position);
	if (time_ns != 0)
		(void)text_printf(text, size, "%s (%s)", units_time(time_ns, time), position);
	else
		(void)text_printf(text, size, "%s", position);
}

static void
show(const struct cli *cli, const struct forget_losses *l, const char *with)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct forget_loss *s = &l->all[i];
		char from[WALRANGE_LSN_LEN + 1], to[WALRANGE_LSN_LEN + 1];
		char a[UNITS_MAX + WALRANGE_LSN_LEN + 4], b[sizeof(a)];

		place(s->from, s->from_time_ns, a, sizeof(a));
		place(s->to, s->to_time_ns, b, sizeof(b));
		if (cli->json)
			out_json(json_pack(
				"{s:s, s:s, s:s, s:I, s:s, s:s, s:I, s:I}", "type", "lost", "with",
				with, "host", s->host, "timeline", (json_int_t)s->timeline, "from",
				walrange_format_lsn(s->from, from), "to",
				walrange_format_lsn(s->to, to), "from_ns",
				(json_int_t)s->from_time_ns, "to_ns", (json_int_t)s->to_time_ns));
		else
			out_text("Lost with the %s: %s: every moment from %s to %s, timeline %u\n",
				 with, s->host, a, b, s->timeline);
	}
}

int
losses_check(const struct cli *cli, const struct point_list *all, const struct point_list *going,
	     struct error *err)
{
	CLEAN(list_done) struct point_list stay = {0}, left = {0};
	CLEAN(forget_losses_done) struct forget_losses with_backups = {0}, with_logs = {0};
	const struct forget_loss *first;
	char from[WALRANGE_LSN_LEN + 1], to[WALRANGE_LSN_LEN + 1];

	if (without(all, going, false, &stay, err) < 0 ||
	    without(all, going, true, &left, err) < 0 ||
	    forget_losses_find(all, &stay, &with_backups, err) < 0 ||
	    forget_losses_find(&stay, &left, &with_logs, err) < 0)
		return err->code;
	show(cli, &with_backups, "backup");
	show(cli, &with_logs, "logs");
	if (with_logs.n == 0 || invocation_has(cli->inv, FLAG_FORCE) ||
	    invocation_has(cli->inv, FLAG_DRY_RUN))
		return OK;
	first = &with_logs.all[0];
	(void)error_set(err, ERR_LOGS_NEEDED,
			"backups that are kept could not be brought to any moment from %s to %s of "
			"%s any more",
			walrange_format_lsn(first->from, from), walrange_format_lsn(first->to, to),
			first->host);
	return error_hint(err, "forget the backups that need these logs, too; or give --force, and "
			       "make a full backup afterwards");
}
