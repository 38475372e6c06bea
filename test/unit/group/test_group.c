/* SPDX-License-Identifier: Apache-2.0 */

/* Groups from the configuration: values and defaults, what is refused, copies of their own. */
#include "group/group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "config/config_file.h"
#include "group/engine.h"

#define ENGINE "[group.orders]\nengine = postgresql\n"
#define COPY "[group.orders.copy.pg1]\nhost = a\n"

static struct settings *
settings_of(const char *text)
{
	struct error err = ERROR_INIT;
	struct settings *s;

	assert_int_equal(settings_new(&s, &err), OK);
	if (config_file_parse(s, "x.conf", SLICE(text, strlen(text)), &err) != OK)
		fail_msg("%s", err.msg);
	return s;
}

static void
refused(const char *text, const char *message, const char *hint)
{
	CLEAN(settings_freep) struct settings *s = settings_of(text);
	struct group *g = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(group_find(s, "orders", &g, &err), ERR_CONFIG);
	assert_null(g);
	if (strstr(err.msg, message) == NULL || strstr(err.hint, hint) == NULL)
		fail_msg("\"%s\" (%s) lacks \"%s\" or \"%s\"", err.msg, err.hint, message, hint);
}

static void
test_defaults(void **state)
{
	CLEAN(settings_freep) struct settings *s = settings_of(ENGINE COPY);
	CLEAN(group_freep) struct group *g = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(group_find(s, "orders", &g, &err), OK);
	assert_string_equal(g->name, "orders");
	assert_ptr_equal(g->engine, &engine_postgresql);
	assert_int_equal(g->prefer, GROUP_PREFER_PASSIVE);
	assert_int_equal(g->query_log_range_timeout_ns, 30 * NS_PER_S);
	assert_int_equal(g->heartbeat_ns, 1500 * NS_PER_MS);
	assert_int_equal(g->heartbeat_timeout_ns, 3 * NS_PER_S);
	/* Known within five seconds, whatever it is, and with room for a machine that is busy. */
	assert_true(g->heartbeat_ns + g->heartbeat_timeout_ns <= 4500 * NS_PER_MS);
	assert_int_equal(g->context_lease_ns, 60 * NS_PER_S);
	assert_int_equal(g->keepalive_time_ns, 60 * NS_PER_S);
	assert_int_equal(g->max_copy_queue, UINT64_C(1) << 30);
	assert_null(g->slot);
	assert_int_equal(g->n, 1);
	assert_string_equal(g->copies[0].host, "a");
	assert_string_equal(g->copies[0].port, "5432");
	assert_string_equal(g->copies[0].database, "postgres");
	assert_null(g->copies[0].user);
	assert_null(g->copies[0].agent);
	assert_null(g->copies[0].sslmode);
}

static void
test_values(void **state)
{
	CLEAN(settings_freep)
	struct settings *s = settings_of(
		"[group.orders]\nprefer = passive-only\nengine = postgresql\n"
		"QueryLogRangeTimeoutInMsec = 120000\nheartbeat = 500ms\nKeepAliveTime = 1500\n"
		"max_copy_queue = 16MiB\nslot = holdfast_orders\n" COPY
		"agent = tls://a:7443\nsslmode = verify-full\n"
		"[group.orders.copy.pg-2_B]\nhost = b\nport = 5433\nuser = me\npassfile = /p\n");
	CLEAN(group_freep) struct group *g = NULL;
	const struct group_copy *c;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(group_find(s, "orders", &g, &err), OK);
	assert_int_equal(g->prefer, GROUP_PREFER_PASSIVE_ONLY);
	assert_int_equal(g->query_log_range_timeout_ns, 120 * NS_PER_S);
	assert_int_equal(g->heartbeat_ns, 500 * NS_PER_MS);
	assert_int_equal(g->keepalive_time_ns, 1500 * NS_PER_MS);
	assert_int_equal(g->max_copy_queue, 16 << 20);
	assert_string_equal(g->slot, "holdfast_orders");
	assert_int_equal(g->n, 2);
	assert_string_equal(g->copies[0].sslmode, "verify-full");
	c = group_copy_find(g, "pg-2_B");
	assert_ptr_equal(c, &g->copies[1]);
	assert_string_equal(c->port, "5433");
	assert_string_equal(c->user, "me");
	assert_string_equal(c->passfile, "/p");
	assert_null(group_copy_find(g, "pg2"));
}

static void
test_refused(void **state)
{
	(void)state;
	refused("", "there is no group 'orders' in the configuration", "[group.orders]");
	refused("[group.other]\nengine = postgresql\n[group.third]\nengine = postgresql\n",
		"there is no group 'orders'", "there is: other, third");
	/* Where it stands in the file, also of what is wrong with several settings together. */
	refused("[group.orders]\nprefer = active\n" COPY,
		"x.conf:2: group.orders.engine is not set", "postgresql");
	refused(ENGINE, "has no copies", "copy.NAME");
	refused(COPY, "there is no section [group.orders]", "engine");
	refused(ENGINE "[group.orders.copy.pg1]\nport = 5432\n",
		"x.conf:4: group.orders.copy.pg1.host is not set", "[group.orders.copy.pg1]");
	refused(ENGINE COPY "[group.orders.copy.pg2]\nhost = a\n",
		"x.conf:6: group.orders: 'pg1' and 'pg2' are the same", "");
	refused(ENGINE COPY "[group.orders.copy.pg2]\nhost = b\ndatabase = c\n",
		"x.conf:7: group.orders: 'pg1' has database postgres, but 'pg2' has c", "lock");
	refused(ENGINE "context_lease = 4500ms\n" COPY,
		"x.conf:3: group.orders: context_lease has to be longer", "in time");
	refused(ENGINE "heartbeat = 9m\n" COPY, "x.conf:3: group.orders: context_lease", "");
	refused(ENGINE "slot = Orders\n" COPY, "x.conf:3: group.orders.slot: 'Orders'",
		"lower-case");
	refused(ENGINE COPY "agent = http://a\n",
		"x.conf:5: group.orders.copy.pg1.agent: 'http://a'", "ssh://[USER@]HOST");
}

static void
test_too_many_copies(void **state)
{
	char text[4096] = ENGINE;

	(void)state;
	for (size_t i = 0; i <= GROUP_COPIES_MAX; i++) {
		size_t n = strlen(text);

		(void)snprintf(text + n, sizeof(text) - n,
			       "[group.orders.copy.c%zu]\nhost = h%zu\n", i, i);
	}
	refused(text, "more than 32 copies", "");
}

static void
test_list(void **state)
{
	CLEAN(settings_freep)
	struct settings *s = settings_of(
		ENGINE COPY
		"[group.b]\nengine = postgresql\n[group.b.copy.x]\nhost = a\n[group.a]\n"
		"engine = postgresql\n[group.a.copy.x]\nhost = a\n");
	struct group_list l = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(group_list_read(s, &l, &err), OK);
	assert_int_equal(l.n, 3);
	assert_string_equal(l.groups[0]->name, "orders");
	assert_string_equal(l.groups[1]->name, "b");
	assert_string_equal(l.groups[2]->name, "a");
	group_list_done(&l);
	assert_int_equal(l.n, 0);
}

static void
test_list_of_a_wrong_one(void **state)
{
	CLEAN(settings_freep)
	struct settings *s = settings_of(ENGINE COPY "[group.b]\nengine = postgresql\n");
	struct group_list l = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(group_list_read(s, &l, &err), ERR_CONFIG);
	assert_int_equal(l.n, 0);
	assert_non_null(strstr(err.msg, "group.b has no copies"));
}

static void
test_dup(void **state)
{
	CLEAN(settings_freep)
	struct settings *s = settings_of(ENGINE "slot = s\n" COPY "agent = tls://a:7443\n"
						"[group.orders.copy.pg2]\nhost = b\n");
	CLEAN(group_freep) struct group *g = NULL;
	CLEAN(group_freep) struct group *d = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(group_find(s, "orders", &g, &err), OK);
	assert_int_equal(group_dup(g, &d, &err), OK);
	group_free(STEAL_PTR(g));
	assert_string_equal(d->name, "orders");
	assert_string_equal(d->slot, "s");
	assert_int_equal(d->n, 2);
	assert_string_equal(d->copies[0].agent, "tls://a:7443");
	assert_null(d->copies[1].agent);
	assert_string_equal(d->copies[1].host, "b");
	assert_int_equal(d->context_lease_ns, 60 * NS_PER_S);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused),  cmocka_unit_test(test_too_many_copies),
		cmocka_unit_test(test_list),     cmocka_unit_test(test_list_of_a_wrong_one),
		cmocka_unit_test(test_dup),
	};

	return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
