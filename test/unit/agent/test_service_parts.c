/* SPDX-License-Identifier: Apache-2.0 */

/* What the service decides without sockets: requests by the table, limits, what is remembered, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/api_doc.h"
#include "agent/api_table.h"
#include "agent/listen_address.h"
#include "agent/service_ended.h"
#include "agent/service_limits.h"
#include "base/json.h"

#define JOB "\"JobId\":\"{11111111-2222-3333-4444-555555555555}\""

static int
checked(enum api_function function, const char *text)
{
	CLEAN(json_done) json_t *j = NULL;

	assert_int_equal(json_parse(SLICE(text, strlen(text)), "test", &j, NULL), OK);
	return api_table_check(api_table_of(function), j, NULL);
}

static void
test_fields(void **state)
{
	(void)state;
	assert_int_equal(checked(API_HELLO, "{}"), OK);
	assert_int_equal(checked(API_HELLO, "[]"), ERR_USAGE);
	assert_int_equal(checked(API_HELLO, "{\"x\":1}"), ERR_USAGE);
	assert_int_equal(checked(API_KEEP_SNAPSHOT, "{" JOB "}"), OK);
	assert_int_equal(checked(API_KEEP_SNAPSHOT, "{}"), ERR_USAGE);
	assert_int_equal(checked(API_KEEP_SNAPSHOT, "{\"JobId\":7}"), ERR_USAGE);
	assert_int_equal(checked(API_KEEP_SNAPSHOT, "{\"JobId\":\"\"}"), ERR_USAGE);
	assert_int_equal(checked(API_KEEP_SNAPSHOT_EX, "{" JOB "}"), ERR_USAGE);
	assert_int_equal(checked(API_KEEP_SNAPSHOT_EX, "{" JOB ",\"TTL\":1}"), OK);
	assert_int_equal(checked(API_KEEP_SNAPSHOT_EX, "{" JOB ",\"TTL\":0}"), ERR_USAGE);
	assert_int_equal(checked(API_KEEP_SNAPSHOT_EX, "{" JOB ",\"TTL\":86401}"), ERR_USAGE);
	assert_int_equal(checked(API_KEEP_SNAPSHOT_EX, "{" JOB ",\"TTL\":-1}"), ERR_USAGE);
	assert_int_equal(checked(API_KEEP_SNAPSHOT_EX, "{" JOB ",\"TTL\":1.5}"), ERR_USAGE);
	assert_int_equal(checked(API_KEEP_SNAPSHOT_EX, "{" JOB ",\"TTL\":\"1\"}"), ERR_USAGE);
	assert_int_equal(
		checked(API_PREPARE_SNAPSHOT, "{" JOB ",\"Paths\":[\"/a\",{\"bytes\":\"/w==\"}]}"),
		OK);
	assert_int_equal(checked(API_PREPARE_SNAPSHOT, "{" JOB ",\"Paths\":[\"\"]}"), ERR_USAGE);
	assert_int_equal(checked(API_PREPARE_SNAPSHOT, "{" JOB ",\"Paths\":[1]}"), ERR_USAGE);
	assert_int_equal(
		checked(API_PREPARE_SNAPSHOT, "{" JOB ",\"Paths\":[{\"bytes\":\"YQ==\",\"x\":1}]}"),
		ERR_USAGE);
	assert_int_equal(checked(API_PREPARE_SNAPSHOT, "{" JOB ",\"Writers\":\"a\"}"), ERR_USAGE);
}

/* Every function has a name, a unique one, and a limit; and the document tells of each. */
static void
test_table(void **state)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(1 << 20);
	CLEAN(json_done) json_t *doc = NULL;
	json_t *paths;

	(void)state;
	assert_int_equal(api_doc_openapi(&text, NULL), OK);
	assert_int_equal(json_parse(buf_slice(&text), "openapi", &doc, NULL), OK);
	paths = json_object_get(doc, "paths");
	assert_int_equal(json_object_size(paths), API_COUNT - 1);
	for (enum api_function id = API_NONE + 1; id < API_COUNT; id++) {
		const struct api_def *def = api_table_of(id);
		char path[64];
		json_t *properties;
		size_t n = 0;

		assert_int_equal(api_table_find(def->name), id);
		assert_true(def->body_max > 0);
		(void)snprintf(path, sizeof(path), "/v1/%s", def->name);
		properties = json_object_get(json_object_get(paths, path), "post");
		properties = json_object_get(json_object_get(properties, "requestBody"), "content");
		properties = json_object_iter_value(json_object_iter(properties));
		properties = json_object_get(json_object_get(properties, "schema"), "properties");
		for (const struct api_field *f = def->fields; f->name != NULL; f++, n++)
			assert_non_null(json_object_get(properties, f->name));
		assert_int_equal(json_object_size(properties), n);
	}
	assert_int_equal(api_table_find("Nothing"), API_NONE);
	assert_int_equal(api_table_find(""), API_NONE);
	assert_null(api_table_of(API_COUNT));
}

static void
test_depth(void **state)
{
	(void)state;
	assert_int_equal(json_depth_check(SLICE("[[[]]]", 6), 3, "x", NULL), OK);
	assert_int_equal(json_depth_check(SLICE("[[[]]]", 6), 2, "x", NULL), ERR_LIMIT);
	assert_int_equal(json_depth_check(SLICE("[\"[[\\\"[[\"]", 10), 1, "x", NULL), OK);
	assert_int_equal(json_depth_check(SLICE("]]][", 4), 1, "x", NULL), OK);
	assert_int_equal(json_depth_check(SLICE("\"\\", 2), 1, "x", NULL), OK);
}

static void
test_limits(void **state)
{
	const struct limits_options options = {.all = 6, .peer = 3, .strangers = 2};
	struct limits *l;

	(void)state;
	assert_int_equal(service_limits_new(&options, &l, NULL), OK);
	/* Strangers. */
	assert_true(service_limits_enter(l));
	assert_true(service_limits_enter(l));
	assert_false(service_limits_enter(l));
	/* They become known, and make room. */
	assert_true(service_limits_know(l, "a"));
	assert_true(service_limits_know(l, "a"));
	assert_true(service_limits_enter(l));
	assert_true(service_limits_know(l, "a"));
	/* The fourth of one peer. */
	assert_true(service_limits_enter(l));
	assert_false(service_limits_know(l, "a"));
	assert_true(service_limits_know(l, "b"));
	service_limits_leave(l, "a");
	assert_true(service_limits_enter(l));
	assert_true(service_limits_know(l, "a"));
	/* In all: a a a b and two strangers. */
	assert_true(service_limits_enter(l));
	assert_true(service_limits_enter(l));
	assert_false(service_limits_enter(l));
	service_limits_leave(l, NULL);
	service_limits_leave(l, NULL);
	service_limits_leave(l, "b");
	for (int i = 0; i < 3; i++)
		service_limits_leave(l, "a");
	assert_int_equal(service_limits_open(l), 0);
	service_limits_free(l);
}

static void
test_ended(void **state)
{
	struct ended e = {.job = {1},
			  .set = {2},
			  .epoch = 7,
			  .end = LEASE_EXPIRED,
			  .ttl_s = 1200,
			  .last_keep_ns = 1,
			  .deadline_ns = 2,
			  .ended_ns = 1000000000};
	struct ended open = {.job = {9}, .set = {8}, .epoch = 9, .ttl_s = 5};
	CLEAN(json_done) json_t *packed = NULL;
	CLEAN(json_done) json_t *shown = NULL;
	struct ended_list *l, *back;
	struct error err = ERROR_INIT;
	const struct ended *found;

	(void)state;
	assert_int_equal(service_ended_new(&l, NULL), OK);
	assert_int_equal(service_ended_new(&back, NULL), OK);
	assert_null(service_ended_of_job(l, e.job));
	for (unsigned i = 0; i < ENDED_MAX + 10; i++) {
		e.job[1] = (uint8_t)i;
		e.job[2] = (uint8_t)(i >> 8);
		service_ended_add(l, &e);
	}
	/* The oldest are forgotten, the newest known. */
	assert_non_null(service_ended_of_job(l, e.job));
	e.job[1] = e.job[2] = 0;
	assert_null(service_ended_of_job(l, e.job));
	assert_non_null(service_ended_of_set(l, e.set));

	/* Over a restart: what was open then is lost now. */
	packed = service_ended_pack(l, &open, 1);
	service_ended_unpack(back, packed, 5000000000);
	found = service_ended_of_job(back, open.job);
	assert_non_null(found);
	assert_int_equal(found->end, LEASE_AGENT_LOST);
	assert_int_equal(found->ended_ns, 5000000000);
	found = service_ended_of_set(back, e.set);
	assert_int_equal(found->end, LEASE_EXPIRED);
	assert_int_equal(found->ttl_s, 1200);

	shown = service_ended_show(found);
	assert_string_equal(json_string_value(json_object_get(shown, "End")), "expired");
	assert_int_equal(service_ended_fail(found, 148000000000, &err), ERR_LEASE_ENDED);
	assert_non_null(strstr(err.msg, "147 s ago"));
	assert_int_equal(service_ended_fail(NULL, 0, &err), ERR_LEASE_ENDED);
	service_ended_free(l);
	service_ended_free(back);
}

static void
test_addresses(void **state)
{
	struct listen_address a;
	static const char *const bad[] = {
		"",          "unix:", "tls://",         "tls://a",         "tls://a:",
		"tls://a:x", "/path", "tls://::1:7410", "tls://[::1]7410", "tls://a:123456",
		"http://a:1"};

	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(listen_address_parse("unix:/run/a", &a, NULL), OK);
	assert_string_equal(a.path, "/run/a");
	assert_int_equal(listen_address_parse("tls://host:7410", &a, NULL), OK);
	assert_string_equal(a.path, "");
	assert_string_equal(a.host, "host");
	assert_string_equal(a.port, "7410");
	assert_int_equal(listen_address_parse("tls://[::1]:7410", &a, NULL), OK);
	assert_string_equal(a.host, "::1");
	assert_int_equal(listen_address_parse("tls://*:1", &a, NULL), OK);
	assert_string_equal(a.host, "");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(listen_address_parse(bad[i], &a, &err), ERR_USAGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields), cmocka_unit_test(test_table),
		cmocka_unit_test(test_depth),  cmocka_unit_test(test_limits),
		cmocka_unit_test(test_ended),  cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests_name("service parts", tests, NULL, NULL);
}
