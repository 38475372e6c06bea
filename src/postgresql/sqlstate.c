/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table from SQLSTATE to code and hint. Longer prefixes come before shorter ones.
 * Source: PostgreSQL's documentation, appendix "PostgreSQL Error Codes".
 */
#include "postgresql/sqlstate.h"

#include <string.h>

static const struct fact {
	const char *prefix;
	enum err code;
	const char *hint; /* NULL: the code's own */
} facts[] = {
	{"08", ERR_DB_SESSION_LOST, NULL},
	{"28P01", ERR_DB_AUTH, "the password is wrong: correct it in the file that passfile names"},
	{"28", ERR_DB_AUTH,
	 "check user, that this role exists and may log in, and the server's pg_hba.conf"},
	{"3D000", ERR_DB_CONFIG, "set database to one that exists: any will do, e.g. postgres"},
	{"40", ERR_WRITER_RETRYABLE, NULL},
	{"42501", ERR_PERMISSION, NULL},
	{"53300", ERR_DB_CONNECT, "all connections are taken: raise max_connections, or try later"},
	{"53400", ERR_DB_CONFIG, NULL},
	{"53", ERR_WRITER_RETRYABLE, "the database server is short of memory or disk space"},
	{"55000", ERR_DB_CONFIG, NULL},
	{"55P03", ERR_WRITER_RETRYABLE, NULL},
	{"57014", ERR_WRITER_RETRYABLE, "the statement was cancelled, or ran into a time limit"},
	{"57P03", ERR_DB_CONNECT, "the server is starting up or shutting down: try again soon"},
	{"57P", ERR_DB_SESSION_LOST, NULL},
	{"57", ERR_WRITER_RETRYABLE, NULL},
	{"58", ERR_WRITER_FAILED, "see the database server's own log"},
	{"XX001", ERR_DB_CORRUPT, NULL},
	{"XX002", ERR_DB_CORRUPT, NULL},
	{"", ERR_WRITER_FAILED, "see the database server's own log"},
};

enum err
sqlstate_code(const char *state, const char **ret_hint)
{
	if (state == NULL || state[0] == 0)
		return ERR_DB_SESSION_LOST;
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		if (strncmp(state, facts[i].prefix, strlen(facts[i].prefix)) == 0) {
			if (facts[i].hint != NULL)
				*ret_hint = facts[i].hint;
			return facts[i].code;
		}
	return ERR_WRITER_FAILED; /* not reached: the last prefix fits all */
}

static bool
is_state(const char *p)
{
	size_t n = strspn(p, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return n == SQLSTATE_LEN && p[n] == ':' && p[n + 1] == ' ';
}

bool
sqlstate_in_text(const char *text, char ret_state[SQLSTATE_LEN + 1], const char **ret_sentence)
{
	/* The severity before it may be translated; what surrounds it is not. */
	for (const char *p = strstr(text, ":  "); p != NULL; p = strstr(p + 1, ":  ")) {
		if (!is_state(p + 3))
			continue;
		memcpy(ret_state, p + 3, SQLSTATE_LEN);
		ret_state[SQLSTATE_LEN] = 0;
		*ret_sentence = p + 3 + SQLSTATE_LEN + 2;
		return true;
	}
	return false;
}
