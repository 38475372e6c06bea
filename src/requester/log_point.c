/* SPDX-License-Identifier: Apache-2.0 */

/* The record of logs, written and read back. Positions are texts, as administrators know them. */
#include "requester/log_point.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "postgresql/walrange.h"

enum { SEGMENT_MIN = 1 << 20, SEGMENT_MAX = 1 << 30 };

char *
log_host(const char *group, char text[LOG_HOST_MAX])
{
	(void)text_printf(text, LOG_HOST_MAX, "group:%s", group);
	return text;
}

static json_t *
history_json(const struct log_point *p)
{
	CLEAN(json_done) json_t *all = json_array();
	char text[WALRANGE_LSN_LEN + 1];

	for (size_t i = 0; all != NULL && i < p->n_history; i++) {
		json_t *one = json_pack("{s:I, s:s}", "timeline",
					(json_int_t)p->history[i].timeline, "from",
					walrange_format_lsn(p->history[i].from, text));

		if (json_array_append_new(all, one) < 0)
			return NULL;
	}
	return STEAL_PTR(all);
}

json_t *
log_point_json(const struct log_point *p)
{
	char from[WALRANGE_LSN_LEN + 1], to[WALRANGE_LSN_LEN + 1];
	json_t *history = history_json(p);

	if (history == NULL)
		return NULL;
	return json_pack(
		"{s:s, s:s, s:I, s:I, s:s, s:s, s:I, s:I, s:b, s:o}", "engine", p->engine,
		"identity", p->identity, "segment_bytes", (json_int_t)p->segment_bytes, "timeline",
		(json_int_t)p->timeline, "from", walrange_format_lsn(p->from, from), "to",
		walrange_format_lsn(p->to, to), "from_time", (json_int_t)p->from_time_ns, "to_time",
		(json_int_t)p->to_time_ns, "closed", p->closed ? 1 : 0, "history", history);
}

static int
get_text(const json_t *j, const char *key, char *text, size_t size, struct error *err)
{
	const char *value;

	if (json_get_str(j, key, &value, err) < 0)
		return err->code;
	if (value[0] == '\0' || strlen(value) >= size)
		return error_set(err, ERR_CORRUPT, "field '%s' has a strange length", key);
	memcpy(text, value, strlen(value) + 1);
	return OK;
}

static int
get_position(const json_t *j, const char *key, uint64_t *ret, struct error *err)
{
	const char *value;

	if (json_get_str(j, key, &value, err) < 0)
		return err->code;
	if (!walrange_parse_lsn(value, ret))
		return error_set(err, ERR_CORRUPT, "field '%s' is no log position", key);
	return OK;
}

static int
get_timeline(const json_t *j, uint32_t *ret, struct error *err)
{
	uint64_t value;

	if (json_get_u64(j, "timeline", &value, err) < 0)
		return err->code;
	if (value == 0 || value > UINT32_MAX)
		return error_set(err, ERR_CORRUPT, "field 'timeline' is out of range");
	*ret = (uint32_t)value;
	return OK;
}

static int
parse_history(const json_t *logs, struct log_point *p, struct error *err)
{
	json_t *all;

	if (json_get_arr(logs, "history", &all, err) < 0)
		return err->code;
	p->n_history = json_array_size(all);
	if (p->n_history == 0 || p->n_history > LOG_HISTORY_MAX)
		return error_set(err, ERR_CORRUPT, "field 'history' has a strange length");
	for (size_t i = 0; i < p->n_history; i++) {
		const json_t *one = json_array_get(all, i);

		if (get_timeline(one, &p->history[i].timeline, err) < 0 ||
		    get_position(one, "from", &p->history[i].from, err) < 0)
			return err->code;
		if (i > 0 && (p->history[i].timeline <= p->history[i - 1].timeline ||
			      p->history[i].from < p->history[i - 1].from))
			return error_set(err, ERR_CORRUPT, "field 'history' is out of order");
	}
	return OK;
}

static int
check(const struct log_point *p, struct error *err)
{
	uint64_t n = p->segment_bytes;

	if (n < SEGMENT_MIN || n > SEGMENT_MAX || (n & (n - 1)) != 0)
		return error_set(err, ERR_CORRUPT, "field 'segment_bytes' is no size of a log");
	if (p->from > p->to || p->history[0].from != p->from ||
	    p->history[p->n_history - 1].timeline != p->timeline ||
	    p->history[p->n_history - 1].from > p->to)
		return error_set(err, ERR_CORRUPT, "the range of logs contradicts itself");
	return OK;
}

static int
parse(const json_t *logs, struct log_point *p, struct error *err)
{
	if (get_text(logs, "engine", p->engine, sizeof(p->engine), err) < 0 ||
	    get_text(logs, "identity", p->identity, sizeof(p->identity), err) < 0 ||
	    json_get_u64(logs, "segment_bytes", &p->segment_bytes, err) < 0 ||
	    get_timeline(logs, &p->timeline, err) < 0 ||
	    get_position(logs, "from", &p->from, err) < 0 ||
	    get_position(logs, "to", &p->to, err) < 0 ||
	    json_get_u64(logs, "from_time", &p->from_time_ns, err) < 0 ||
	    json_get_u64(logs, "to_time", &p->to_time_ns, err) < 0 ||
	    json_opt_bool(logs, "closed", false, &p->closed, err) < 0 ||
	    parse_history(logs, p, err) < 0)
		return err->code;
	return check(p, err);
}

int
log_point_parse(const json_t *logs, struct log_point *ret, struct error *err)
{
	struct log_point p = {0};

	if (parse(logs, &p, err) < 0) {
		/* It comes out of a repository, not from a peer. */
		if (err->code == ERR_PROTOCOL)
			err->code = ERR_CORRUPT;
		return error_prefix(err, "the range of logs");
	}
	*ret = p;
	return OK;
}

int
log_point_of(const struct point *p, const char *group, struct log_point *ret, struct error *err)
{
	char host[LOG_HOST_MAX];

	if (!point_is_log(p))
		return 0;
	if (group != NULL && strcmp(p->host, log_host(group, host)) != 0)
		return 0;
	if (log_point_parse(json_object_get(p->json, "logs"), ret, err) < 0)
		return error_prefix(err, "restore point %.8s", p->id_text);
	return 1;
}
