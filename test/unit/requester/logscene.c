/* SPDX-License-Identifier: Apache-2.0 */

/* Restore points as a repository would give them, as far as chains look at them. */
#include "requester/logscene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"

const char *
logscene_lsn(uint64_t position)
{
	static char text[8][24];
	static unsigned next;
	char *t = text[next++ % 8];

	(void)snprintf(t, 24, "%X/%X", (unsigned)(position >> 32), (unsigned)position);
	return t;
}

struct point *
logscene_add(struct logscene *s, const char *host, const char *root)
{
	struct point *p = &s->all[s->list.n];

	p->start_ns = (1000 + s->list.n) * NS_PER_S;
	p->host = (char *)(uintptr_t)host;
	(void)snprintf(p->id_text, sizeof(p->id_text), "%c%c%c%c%c%c%c%c", 'a' + (int)s->list.n,
		       '0', '0', '0', '0', '0', '0', '0');
	p->json = json_object();
	p->n_roots = 1;
	p->roots = &s->roots[s->list.n];
	p->roots[0].name = (char *)(uintptr_t)root;
	s->order[s->list.n++] = p;
	s->list.points = s->order;
	return p;
}

struct point *
logscene_base(struct logscene *s, const char *identity, unsigned timeline, uint64_t start,
	      uint64_t stop, unsigned time_s)
{
	struct point *p = logscene_add(s, "db1", "postgresql");

	p->roots[0].component = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:I}", "writer",
					  "postgresql", "system_identifier", identity, "start_lsn",
					  logscene_lsn(start), "held_lsn", logscene_lsn(stop),
					  "stop_lsn", logscene_lsn(stop), "timeline", (int)timeline,
					  "stop_time", (json_int_t)(time_s * NS_PER_S));
	assert_int_equal(json_object_set_new(p->json, "component", p->roots[0].component), 0);
	return p;
}

struct point *
logscene_logs(struct logscene *s, const char *group, const char *identity, unsigned timeline,
	      uint64_t from, uint64_t to, unsigned from_s, unsigned to_s, uint64_t switch_at)
{
	struct point *p = logscene_add(s, group, LOG_ROOT);
	static struct log_point l;

	l = (struct log_point){
		.engine = "postgresql",
		.segment_bytes = LOGSCENE_SEGMENT,
		.timeline = timeline,
		.from = from,
		.to = to,
		.from_time_ns = from_s * NS_PER_S,
		.to_time_ns = to_s * NS_PER_S,
		.closed = true,
	};
	(void)snprintf(l.identity, sizeof(l.identity), "%s", identity);
	if (switch_at != 0)
		l.history[l.n_history++] = (struct log_history){timeline - 1, from};
	l.history[l.n_history++] = (struct log_history){timeline,
							switch_at != 0 ? switch_at : from};
	assert_int_equal(json_object_set_new(p->json, "type", json_string("log")), 0);
	assert_int_equal(json_object_set_new(p->json, "logs", log_point_json(&l)), 0);
	return p;
}

int
logscene_setup(void **state)
{
	*state = calloc(1, sizeof(struct logscene));
	return *state != NULL ? 0 : -1;
}

int
logscene_teardown(void **state)
{
	struct logscene *s = *state;

	for (size_t i = 0; i < s->list.n; i++)
		json_decref(s->all[i].json);
	free(s);
	return 0;
}
