/* SPDX-License-Identifier: Apache-2.0 */

/* Asking a chain: what follows what, and which base leads where. */
#include "requester/log_chain.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "postgresql/walrange.h"

enum { SPANS_SHOWN = 4 };

void
log_chain_done(struct log_chain *c)
{
	free(c->pieces);
	free(c->bases);
	*c = (struct log_chain){0};
}

uint32_t
log_chain_timeline(const struct log_chain *c, uint64_t position)
{
	uint32_t timeline = c->timeline;

	for (size_t i = c->n_path; i-- > 0;) {
		timeline = c->path[i].timeline;
		if (c->path[i].from <= position)
			break;
	}
	return timeline;
}

const struct log_piece *
log_chain_piece(const struct log_chain *c, uint64_t position)
{
	const struct log_piece *best = NULL;

	for (size_t i = 0; i < c->n_pieces && c->pieces[i].from <= position; i++)
		if (c->pieces[i].to > position && (best == NULL || c->pieces[i].to > best->to))
			best = &c->pieces[i];
	return best;
}

/* The last piece on the way, and where it ends. */
static const struct log_piece *
last_piece(const struct log_chain *c, uint64_t *position)
{
	const struct log_piece *p, *last = NULL;

	while ((p = log_chain_piece(c, *position)) != NULL) {
		*position = p->to;
		last = p;
	}
	return last;
}

uint64_t
log_chain_reach(const struct log_chain *c, uint64_t position)
{
	(void)last_piece(c, &position);
	return position;
}

uint64_t
log_chain_reach_time(const struct log_chain *c, uint64_t position)
{
	const struct log_piece *last = last_piece(c, &position);
	uint64_t time_ns = last != NULL ? last->to_time_ns : 0;

	/* Of several that end there, the one that was looked at last knows more. */
	for (size_t i = 0; last != NULL && i < c->n_pieces; i++)
		if (c->pieces[i].to == position)
			time_ns = MAX(time_ns, c->pieces[i].to_time_ns);
	return time_ns;
}

/* May this base be brought there? If not, why not, in a clause. */
static bool
leads_there(const struct log_chain *c, const struct log_base *b, const struct log_need *need,
	    char *why, size_t size)
{
	char stop[WALRANGE_LSN_LEN + 1], reach[WALRANGE_LSN_LEN + 1], time[32];
	uint64_t end = log_chain_reach(c, b->held);

	if (b->stop > need->latest) {
		(void)text_printf(why, size, "%.8s ends later, at %s", b->point->id_text,
				  walrange_format_lsn(b->stop, stop));
		return false;
	}
	if (need->before_ns != 0 && (b->stop_time_ns == 0 || b->stop_time_ns > need->before_ns)) {
		(void)text_printf(why, size, "%.8s ends later, at %s", b->point->id_text,
				  clock_format_utc(b->stop_time_ns, time));
		return false;
	}
	if (MAX(end, b->held) < need->end) {
		(void)text_printf(why, size, "from %.8s the logs reach only to %s",
				  b->point->id_text, walrange_format_lsn(MAX(end, b->held), reach));
		return false;
	}
	return true;
}

int
log_chain_base(const struct log_chain *c, const struct log_need *need, const struct log_base **ret,
	       struct error *err)
{
	char end[WALRANGE_LSN_LEN + 1], why[160] = "", first[160] = "", covered[240];

	for (size_t i = c->n_bases; i-- > 0;) {
		const struct log_base *b = &c->bases[i];

		if (need->only != NULL && b->point != need->only)
			continue;
		if (leads_there(c, b, need, why, sizeof(why))) {
			*ret = b;
			return OK;
		}
		if (first[0] == '\0')
			memcpy(first, why, sizeof(first));
	}
	walrange_format_lsn(need->latest, end);
	if (need->only != NULL && first[0] == '\0')
		(void)text_printf(first, sizeof(first), "it is not on the way to timeline %u",
				  c->timeline);
	else if (first[0] == '\0')
		(void)text_printf(first, sizeof(first), "there is none on the way to timeline %u",
				  c->timeline);
	(void)error_set(err, ERR_LOG_GAP, "no backup can be brought to %s: %s", end, first);
	return error_hint(err, "can be restored to: %s",
			  log_chain_covered(c, covered, sizeof(covered)));
}

size_t
log_chain_spans(const struct log_chain *c, struct log_span *ret, size_t n)
{
	size_t count = 0;
	struct log_span span = {0};

	for (size_t i = 0; i < c->n_bases; i++) {
		const struct log_base *b = &c->bases[i];
		uint64_t to = log_chain_reach(c, b->held);

		if (to <= b->stop)
			continue;
		if (span.bases > 0 && to == span.to) {
			span.bases++;
			continue;
		}
		if (span.bases > 0 && count++ < n)
			ret[count - 1] = span;
		span = (struct log_span){b->stop, to, b->stop_time_ns,
					 log_chain_reach_time(c, b->held), 1};
	}
	if (span.bases > 0 && count++ < n)
		ret[count - 1] = span;
	return count;
}

static void
add_place(char *text, size_t size, uint64_t lsn, uint64_t time_ns)
{
	char place[WALRANGE_LSN_LEN + 1], time[32];
	size_t n = strlen(text);

	walrange_format_lsn(lsn, place);
	if (size - n < 4)
		return;
	if (time_ns != 0)
		(void)text_printf(text + n, size - n, "%s (%s)", place,
				  clock_format_utc(time_ns, time));
	else
		(void)text_printf(text + n, size - n, "%s", place);
}

char *
log_chain_covered(const struct log_chain *c, char *text, size_t size)
{
	struct log_span spans[SPANS_SHOWN];
	size_t n = log_chain_spans(c, spans, SPANS_SHOWN);

	(void)text_printf(text, size, "%s", n == 0 ? "nothing" : "");
	for (size_t i = 0; i < MIN(n, (size_t)SPANS_SHOWN); i++) {
		size_t used = strlen(text);

		if (i > 0 && size - used >= 4)
			(void)text_printf(text + used, size - used, "; ");
		/* Whoever writes it without fractions must not be too early. */
		add_place(text, size, spans[i].from,
			  spans[i].from_time_ns != 0 ? spans[i].from_time_ns + NS_PER_S - 1 : 0);
		used = strlen(text);
		if (size - used >= 8)
			(void)text_printf(text + used, size - used, " to ");
		add_place(text, size, spans[i].to, spans[i].to_time_ns);
	}
	return text;
}
