/* SPDX-License-Identifier: Apache-2.0 */

/* A ring, and its text. */
#include "agent/service_ended.h"

#include <string.h>

#include "base/clock.h"

struct ended_list {
	struct ended ring[ENDED_MAX];
	uint64_t n; /* ever */
};

int
service_ended_new(struct ended_list **ret, struct error *err)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret != NULL ? OK : error_no_memory(err);
}

void
service_ended_free(struct ended_list *l)
{
	free(l);
}

void
service_ended_add(struct ended_list *l, const struct ended *e)
{
	l->ring[l->n++ % ENDED_MAX] = *e;
}

const struct ended *
service_ended_at(const struct ended_list *l, size_t n)
{
	if (n >= l->n || n >= ENDED_MAX)
		return NULL;
	return &l->ring[(l->n - 1 - n) % ENDED_MAX];
}

const struct ended *
service_ended_of_job(const struct ended_list *l, const uint8_t job[UUID_SIZE])
{
	const struct ended *e;

	for (size_t i = 0; (e = service_ended_at(l, i)) != NULL; i++)
		if (memcmp(e->job, job, UUID_SIZE) == 0)
			return e;
	return NULL;
}

const struct ended *
service_ended_of_set(const struct ended_list *l, const uint8_t set[UUID_SIZE])
{
	const struct ended *e;

	for (size_t i = 0; (e = service_ended_at(l, i)) != NULL; i++)
		if (memcmp(e->set, set, UUID_SIZE) == 0)
			return e;
	return NULL;
}

static void
set_time(json_t *j, const char *name, uint64_t wall_ns)
{
	char text[32];

	if (wall_ns != 0)
		(void)json_object_set_new(j, name, json_string(clock_format_utc(wall_ns, text)));
}

json_t *
service_ended_show(const struct ended *e)
{
	char set[UUID_TEXT_SIZE];
	json_t *j;

	if (e == NULL)
		return json_pack("{s:s}", "End", "unknown");
	j = json_pack("{s:s, s:s, s:I, s:I}", "End", lease_end_name(e->end), "SetId",
		      uuid_text(e->set, set), "Epoch", (json_int_t)e->epoch, "TTL",
		      (json_int_t)e->ttl_s);
	if (j == NULL)
		return NULL;
	set_time(j, "LastKeep", e->last_keep_ns);
	set_time(j, "Deadline", e->deadline_ns);
	set_time(j, "Ended", e->ended_ns);
	return j;
}

enum err
service_ended_fail(const struct ended *e, uint64_t now_ns, struct error *err)
{
	char at[32];
	uint64_t ago_s;

	if (e == NULL)
		return error_set(
			err, ERR_LEASE_ENDED,
			"nobody remembers this snapshot set: it was never made here, or is "
			"long gone");
	ago_s = now_ns > e->ended_ns ? (now_ns - e->ended_ns) / NS_PER_S : 0;
	(void)error_set(
		err, ERR_LEASE_ENDED,
		"the snapshot is no longer held: %s at %s, %llu s ago (time to live %llu s)",
		lease_end_text(e->end), clock_format_utc(e->ended_ns, at),
		(unsigned long long)ago_s, (unsigned long long)e->ttl_s);
	if (e->end == LEASE_FINISHED || e->end == LEASE_ABORTED)
		return error_hint(err, "this job is over: begin another one");
	return ERR_LEASE_ENDED;
}

static int
append(json_t *a, const struct ended *e)
{
	char job[UUID_TEXT_SIZE], set[UUID_TEXT_SIZE];

	return json_array_append_new(
		a,
		json_pack("{s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:I}", "job", uuid_text(e->job, job),
			  "set", uuid_text(e->set, set), "epoch", (json_int_t)e->epoch, "end",
			  lease_end_name(e->end), "ttl_s", (json_int_t)e->ttl_s, "last_keep_ns",
			  (json_int_t)e->last_keep_ns, "deadline_ns", (json_int_t)e->deadline_ns,
			  "ended_ns", (json_int_t)e->ended_ns));
}

json_t *
service_ended_pack(const struct ended_list *l, const struct ended *open, size_t n_open)
{
	json_t *a = json_array();
	size_t n = 0;

	while (service_ended_at(l, n) != NULL)
		n++;
	while (a != NULL && n > 0)
		if (append(a, service_ended_at(l, --n)) < 0)
			goto fail;
	for (size_t i = 0; a != NULL && i < n_open; i++)
		if (append(a, &open[i]) < 0)
			goto fail;
	return a;
fail:
	json_decref(a);
	return NULL;
}

void
service_ended_unpack(struct ended_list *l, const json_t *array, uint64_t now_ns)
{
	size_t i;
	json_t *j;

	json_array_foreach(array, i, j)
	{
		struct ended e = {.end = LEASE_AGENT_LOST};
		const char *job, *set, *end;
		json_int_t epoch, ttl, last, deadline, when;

		if (json_unpack(j, "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "job", &job, "set",
				&set, "end", &end, "epoch", &epoch, "ttl_s", &ttl, "last_keep_ns",
				&last, "deadline_ns", &deadline, "ended_ns", &when) < 0 ||
		    !uuid_parse(job, e.job) || !uuid_parse(set, e.set))
			continue;
		for (enum lease_end k = LEASE_FINISHED; k <= LEASE_RESTARTED; k++)
			if (strcmp(lease_end_name(k), end) == 0)
				e.end = k;
		e.epoch = (uint64_t)epoch;
		e.ttl_s = (uint64_t)ttl;
		e.last_keep_ns = (uint64_t)last;
		e.deadline_ns = (uint64_t)deadline;
		/* What was open: lost at some time before now. */
		e.ended_ns = when != 0 ? (uint64_t)when : now_ns;
		service_ended_add(l, &e);
	}
}
