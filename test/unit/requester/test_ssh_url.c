/* SPDX-License-Identifier: Apache-2.0 */

/* What becomes arguments of ssh: only what an address is made of. */
#include "requester/ssh_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
expect(const char *url, const char *user, const char *host, const char *port)
{
	struct ssh_url u;
	struct error err = ERROR_INIT;

	assert_int_equal(ssh_url_parse(url, &u, &err), OK);
	assert_string_equal(u.user, user);
	assert_string_equal(u.host, host);
	assert_string_equal(u.port, port);
}

static void
addresses(void **state)
{
	(void)state;
	expect("ssh://db1", "", "db1", "");
	expect("ssh://db1/", "", "db1", "");
	expect("ssh://root@db1.example.org:2222", "root", "db1.example.org", "2222");
	expect("ssh://backup-user@10.0.0.1", "backup-user", "10.0.0.1", "");
	expect("ssh://root@[fe80::1%eth0]:22", "root", "fe80::1%eth0", "22");
	assert_true(ssh_url_is("ssh://x"));
	assert_false(ssh_url_is("unix:/run/x"));
}

static void
nothing_else(void **state)
{
	static const char *const bad[] = {
		"ssh://",
		"ssh://-oProxyCommand=x",
		"ssh://a@-b",
		"ssh://-l@b",
		"ssh://a b",
		"ssh://a;b",
		"ssh://$(id)",
		"ssh://a:0",
		"ssh://a:65536",
		"ssh://a:",
		"ssh://a:22x",
		"ssh://a:22/path",
		"ssh://[::1",
		"ssh://a@b@c",
		"ssh://@b",
		"ssh://a:b@c",
		"http://a",
		"ssh:/a",
		"ssh://a\nb",
		"ssh://[]",
		"ssh://a:123456789",
		"ssh://'a'",
		"ssh://a:-1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct ssh_url u = {.host = "untouched"};
		struct error err = ERROR_INIT;

		assert_int_equal(ssh_url_parse(bad[i], &u, &err), ERR_USAGE);
		assert_string_equal(u.host, "untouched");
		assert_true(err.hint[0] != '\0');
	}
}

static void
too_long(void **state)
{
	char url[600] = "ssh://";
	struct ssh_url u;
	struct error err = ERROR_INIT;

	(void)state;
	memset(url + 6, 'a', 300);
	assert_int_equal(ssh_url_parse(url, &u, &err), ERR_USAGE);
	url[6 + 255] = '\0';
	assert_int_equal(ssh_url_parse(url, &u, &err), OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(nothing_else),
		cmocka_unit_test(too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
