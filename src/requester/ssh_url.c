/* SPDX-License-Identifier: Apache-2.0 */

/* Taking an ssh URL apart. */
#include "requester/ssh_url.h"

#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static const char scheme[] = "ssh://";

bool
ssh_url_is(const char *url)
{
	return strncmp(url, scheme, sizeof(scheme) - 1) == 0;
}

/* n bytes of text into a field, if they are of the allowed characters. */
static bool
take(const char *text, size_t n, const char *allowed, char *field, size_t size)
{
	if (n == 0 || n >= size || text[0] == '-')
		return false;
	memcpy(field, text, n);
	field[n] = '\0';
	return strspn(field, allowed) == n;
}

static bool
take_host(const char **at, struct ssh_url *u)
{
	const char *p = *at;
	size_t n;

	if (*p == '[') {
		n = strcspn(++p, "]");
		*at = p + n + 1;
		return p[n] == ']' &&
		       take(p, n, LETTERS ":.%", u->host, sizeof(u->host)); /* %: its zone */
	}
	n = strcspn(p, ":/");
	*at = p + n;
	return take(p, n, LETTERS ".-_", u->host, sizeof(u->host));
}

static bool
parse(const char *url, struct ssh_url *u)
{
	const char *at = url + sizeof(scheme) - 1;
	const char *user_end = strchr(at, '@');

	if (user_end != NULL) {
		if (!take(at, (size_t)(user_end - at), LETTERS ".-_", u->user, sizeof(u->user)))
			return false;
		at = user_end + 1;
	}
	if (!take_host(&at, u))
		return false;
	if (*at == ':') {
		size_t n = strspn(++at, "0123456789");
		unsigned long port;

		if (!take(at, n, "0123456789", u->port, sizeof(u->port)))
			return false;
		port = strtoul(u->port, NULL, 10);
		if (port == 0 || port > 65535)
			return false;
		at += n;
	}
	return *at == '\0' || strcmp(at, "/") == 0;
}

int
ssh_url_parse(const char *url, struct ssh_url *ret, struct error *err)
{
	struct ssh_url u = {0};

	if (!ssh_url_is(url) || !parse(url, &u)) {
		error_set(err, ERR_USAGE, "'%.200s' is not the address of an ssh server", url);
		return error_hint(err, "write ssh://[USER@]HOST[:PORT]");
	}
	*ret = u;
	return OK;
}
