/* SPDX-License-Identifier: Apache-2.0 */

/* Two forms, nothing else. */
#include "agent/listen_address.h"

#include <string.h>

#include "base/text.h"

static int
refuse(const char *text, struct error *err)
{
	(void)error_set(err, ERR_USAGE, "'%.200s' is no address of an agent", text);
	return error_hint(err, "write unix:/PATH or tls://HOST:PORT");
}

int
listen_address_parse(const char *text, struct listen_address *ret, struct error *err)
{
	struct listen_address a = {.path = ""};
	const char *host, *end, *port;
	size_t n;

	if (strncmp(text, "unix:", 5) == 0) {
		if (text[5] == '\0' || !text_printf(a.path, sizeof(a.path), "%s", text + 5))
			return refuse(text, err);
		*ret = a;
		return OK;
	}
	if (strncmp(text, "tls://", 6) != 0)
		return refuse(text, err);
	host = text + 6;
	if (host[0] == '[') {
		host++;
		end = strchr(host, ']');
		port = end != NULL && end[1] == ':' ? end + 2 : NULL;
	} else {
		end = strrchr(host, ':');
		port = end != NULL ? end + 1 : NULL;
		if (end != NULL && memchr(host, ':', (size_t)(end - host)) != NULL)
			return refuse(text, err); /* IPv6 without brackets */
	}
	if (port == NULL || port[0] == '\0' || strlen(port) >= sizeof(a.port) ||
	    strspn(port, "0123456789") != strlen(port))
		return refuse(text, err);
	n = (size_t)(end - host);
	if (n >= sizeof(a.host))
		return refuse(text, err);
	if (n != 1 || host[0] != '*')
		memcpy(a.host, host, n);
	memcpy(a.port, port, strlen(port));
	*ret = a;
	return OK;
}
