/* SPDX-License-Identifier: Apache-2.0 */

/* Names and numbers; no I/O. */
#include "group/postgresql/target.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

void
target_of(const struct group *g, const struct group_copy *c, const char *application,
	  struct target *ret)
{
	*ret = (struct target){0};
	(void)text_printf(ret->section, sizeof(ret->section), "group.%s.copy.%s", g->name, c->name);
	ret->pg = (struct pgconn_target){
		.host = c->host,
		.port = c->port,
		.user = c->user,
		.database = c->database,
		.passfile = c->passfile,
		.sslmode = c->sslmode,
		.sslrootcert = c->sslrootcert,
		.sslcert = c->sslcert,
		.sslkey = c->sslkey,
		.application = application,
		.section = ret->section,
		.keepalive_time_s = (unsigned)((g->keepalive_time_ns + NS_PER_S - 1) / NS_PER_S),
	};
}

/* The number at the end is for finding the session again, not for people. */
static void
without_number(char *text)
{
	enum { DIGITS = 8 };
	char *hash = strrchr(text, '#');

	if (hash != NULL && hash > text + 1 && hash[-1] == ' ' && strlen(hash + 1) == DIGITS &&
	    strspn(hash + 1, "0123456789abcdef") == DIGITS)
		hash[-1] = '\0';
}

void
target_holder(const char *group, const char *application, char text[ENGINE_TEXT_MAX])
{
	char prefix[GROUP_NAME_MAX + sizeof(TARGET_CONTEXT_NAME) + 3];
	size_t n;

	(void)text_printf(prefix, sizeof(prefix), TARGET_CONTEXT_NAME " %s ", group);
	n = strlen(prefix);
	if (strncmp(application, prefix, n) == 0 && application[n] != '\0')
		application += n;
	(void)text_printf(text, ENGINE_TEXT_MAX, "%s",
			  application[0] != '\0' ? application : "(without a name)");
	text_without_controls(text);
	without_number(text);
}

/*
 * A server that is slow has all of heartbeat_timeout to answer; a link that is dead is known after two thirds of that,
 * in which TCP has sent it again three times or more. Not sooner than an acknowledgement may be late:
 * RFC 1122 allows half a second.
 */
uint64_t
target_unacked_ns(const struct group *g)
{
	return MAX(g->heartbeat_timeout_ns / 3 * 2, 600 * NS_PER_MS);
}

int
target_failed(const struct group *g, const struct group_copy *c, int rc, struct error *err)
{
	if (err != NULL && strstr(err->hint, "writer's section") != NULL)
		(void)error_hint(
			err, "check that it runs, and host, port and user in [group.%s.copy.%s]",
			g->name, c->name);
	return rc;
}

/* FNV-1a: any function would do that everybody has and nobody changes. */
uint32_t
target_lock_number(const char *group)
{
	uint32_t h = UINT32_C(2166136261);

	for (const char *p = group; *p != '\0'; p++)
		h = (h ^ (unsigned char)*p) * UINT32_C(16777619);
	return h;
}

char *
target_lock_text(uint32_t number, char text[16])
{
	(void)snprintf(text, 16, "%" PRId32, (int32_t)number);
	return text;
}
