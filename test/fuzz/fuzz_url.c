/* SPDX-License-Identifier: Apache-2.0 */

/* Addresses of agents, and of machines behind ssh: whatever is accepted may be an argument of a program. */
#include <string.h>

#include "agent/listen_address.h"
#include "requester/ssh_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
need(bool what)
{
	if (!what)
		abort();
}

static bool
is_harmless(const char *word)
{
	return word[0] != '-' && strpbrk(word, " \t\n'\"\\$`;&|<>()*?~#!@/,=") == NULL;
}

static void
check_ssh(const char *text)
{
	struct error err = ERROR_INIT;
	struct ssh_url u;

	if (ssh_url_parse(text, &u, &err) < 0) {
		need(err.code == ERR_USAGE);
		return;
	}
	need(ssh_url_is(text) && u.host[0] != '\0');
	need(is_harmless(u.user) && is_harmless(u.host) && is_harmless(u.port));
	need(strspn(u.port, "0123456789") == strlen(u.port));
	need(strstr(text, u.host) != NULL && strstr(text, u.user) != NULL);
}

static void
check_listen(const char *text)
{
	struct error err = ERROR_INIT;
	struct listen_address a;

	if (listen_address_parse(text, &a, &err) < 0) {
		need(err.code == ERR_USAGE);
		return;
	}
	if (a.path[0] != '\0') {
		need(strcmp(text + strlen("unix:"), a.path) == 0 && a.host[0] == '\0');
		return;
	}
	need(a.port[0] != '\0' && strspn(a.port, "0123456789") == strlen(a.port));
	need(strlen(a.host) < sizeof(a.host) && strstr(text, a.host) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(free_ptr) char *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	check_ssh(text);
	check_listen(text);
	return 0;
}
