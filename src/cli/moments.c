/* SPDX-License-Identifier: Apache-2.0 */

/* One line for each stretch without a gap, on the newest timeline of each database. */
#include "cli/moments.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/out.h"
#include "cli/units.h"
#include "postgresql/walrange.h"
#include "requester/log_chain.h"

enum { SPANS_MAX = 256 };

static json_t *
span_json(const struct log_chain *c, const struct log_span *s)
{
	char from[WALRANGE_LSN_LEN + 1], to[WALRANGE_LSN_LEN + 1], a[32], b[32];
	json_t *j = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:I, s:I, s:I}", "type", "moments",
			      "host", c->group, "identity", c->identity, "timeline",
			      (json_int_t)c->timeline, "from", walrange_format_lsn(s->from, from),
			      "to", walrange_format_lsn(s->to, to), "from_ns",
			      (json_int_t)s->from_time_ns, "to_ns", (json_int_t)s->to_time_ns,
			      "backups", (json_int_t)s->bases);

	if (j != NULL &&
	    (json_object_set_new(j, "from_time",
				 json_string(clock_format_utc(s->from_time_ns, a))) < 0 ||
	     json_object_set_new(j, "to_time", json_string(clock_format_utc(s->to_time_ns, b))) <
		     0)) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static void
show_chain(const struct cli *cli, const struct log_chain *c)
{
	struct log_span spans[SPANS_MAX];
	size_t n = MIN(log_chain_spans(c, spans, SPANS_MAX), (size_t)SPANS_MAX);

	for (size_t i = 0; i < n; i++) {
		char from[WALRANGE_LSN_LEN + 1], to[WALRANGE_LSN_LEN + 1];
		char a[UNITS_MAX], b[UNITS_MAX];

		if (cli->json)
			out_json(span_json(c, &spans[i]));
		else
			out_text("%s: any moment from %s to %s (%s to %s, timeline %u)\n", c->group,
				 /* Whoever writes it without fractions must not be too early. */
				 units_time(spans[i].from_time_ns + NS_PER_S - 1, a),
				 units_time(spans[i].to_time_ns, b),
				 walrange_format_lsn(spans[i].from, from),
				 walrange_format_lsn(spans[i].to, to), c->timeline);
	}
	if (n == 0 && !cli->json)
		out_text("%s: there are logs, but no backup that they follow\n", c->group);
}

/* Is this the newest log point of its database that passes? Each database is shown once, there. */
static int
is_newest(const struct point_list *list, size_t i, const struct forget_filter *filter,
	  struct log_point *logs, struct error *err)
{
	struct log_point *other;
	int rc = forget_matches(filter, list->points[i])
			 ? log_point_of(list->points[i], NULL, logs, err)
			 : 0;

	if (rc <= 0)
		return rc;
	other = calloc(1, sizeof(*other));
	if (other == NULL)
		return error_no_memory(err);
	for (size_t k = i + 1; k < list->n && rc == 1; k++)
		if (forget_matches(filter, list->points[k]) &&
		    (rc = log_point_of(list->points[k], NULL, other, err)) >= 0)
			rc = rc == 0 || strcmp(other->identity, logs->identity) != 0;
	free(other);
	return rc;
}

int
moments_show(const struct cli *cli, const struct point_list *list,
	     const struct forget_filter *filter, struct error *err)
{
	for (size_t i = 0; i < list->n; i++) {
		CLEAN(log_chain_done) struct log_chain chain = {0};
		struct log_point logs;
		int rc = is_newest(list, i, filter, &logs, err);

		if (rc < 0)
			return rc;
		if (rc == 0)
			continue;
		rc = log_chain_read(list, &(struct log_wish){.identity = logs.identity}, &chain,
				    err);
		if (rc < 0)
			return rc;
		show_chain(cli, &chain);
	}
	return OK;
}

char *
moments_of_logs(const struct point *p, char *text, size_t size)
{
	char from[WALRANGE_LSN_LEN + 1], to[WALRANGE_LSN_LEN + 1], until[UNITS_MAX];
	struct log_point logs;

	if (log_point_of(p, NULL, &logs, NULL) <= 0)
		(void)text_printf(text, size, "logs, of which nothing can be said");
	else
		(void)text_printf(
			text, size, "logs %s to %s, until %s", walrange_format_lsn(logs.from, from),
			walrange_format_lsn(logs.to, to), units_time(logs.to_time_ns, until));
	return text;
}
