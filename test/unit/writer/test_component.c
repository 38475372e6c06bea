/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A component as a writer describes it, and every way to describe one wrongly: what a writer says
 * about paths must never lead out of the component.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "writer/component.h"

static const char full[] =
	"{\"name\":\"main\",\"paths\":["
	"{\"source\":\"/var/db\",\"at\":\"\"},"
	"{\"source\":\"/mnt/ts one\",\"at\":\"pg_tblspc/16385\",\"relocatable\":true},"
	"{\"source\":{\"bytes\":\"L20v/w==\"},\"at\":{\"bytes\":\"Yf8=\"}},"
	"{\"source\":\"/\",\"at\":\"all\",\"expect_size\":7}],"
	"\"exclude\":[\"pg_wal/*\",\"base/5/7\"],\"last\":[\"global/pg_control\"],"
	"\"pages\":{\"format\":\"postgresql\",\"page_size\":8192,\"checksums\":true,"
	"\"start_lsn\":33554472,\"segment_pages\":131072,\"match\":[\"base/*/[0-9]*\"]},"
	"\"metadata\":{\"version\":\"15.4\"},\"future\":[1]}";

static json_t *
parsed(const char *text)
{
	json_error_t e;
	json_t *j = json_loads(text, 0, &e);

	if (j == NULL)
		fail_msg("%s: %s", e.text, text);
	return j;
}

static void
test_full(void **arg)
{
	struct error err = ERROR_INIT;
	json_t *j = parsed(full);
	struct component *c;

	(void)arg;
	if (component_parse(j, &c, &err) < 0)
		fail_msg("%s", err.msg);
	json_decref(j);
	assert_string_equal(c->name, "main");
	assert_int_equal(c->n_paths, 4);
	assert_string_equal(c->paths[0].source, "/var/db");
	assert_string_equal(c->paths[0].at, "");
	assert_false(c->paths[0].relocatable);
	assert_string_equal(c->paths[1].at, "pg_tblspc/16385");
	assert_true(c->paths[1].relocatable);
	assert_string_equal(c->paths[2].source, "/m/\xff");
	assert_string_equal(c->paths[2].at, "a\xff");
	assert_int_equal(c->paths[3].expect_size, 7);
	assert_int_equal(c->pages.page_size, 8192);
	assert_true(c->pages.checksums);
	assert_int_equal(c->pages.start_lsn, 33554472);
	assert_int_equal(c->pages.segment_pages, 131072);
	assert_string_equal(json_string_value(json_object_get(c->metadata, "version")), "15.4");

	assert_true(component_excludes(c, "pg_wal/0"));
	assert_true(component_excludes(c, "base/5/7"));
	assert_false(component_excludes(c, "pg_wal"));
	assert_false(component_excludes(c, "base/5/70"));
	assert_true(component_is_last(c, "global/pg_control"));
	assert_false(component_is_last(c, "global/pg_control2"));
	assert_true(component_is_paged(c, "base/5/1259_fsm"));
	assert_false(component_is_paged(c, "base/5/PG_VERSION"));
	component_free(c);
}

/* A component that was put together by hand, without a set, decides the same. */
static void
test_by_hand(void **arg)
{
	char pattern[] = "a/*";
	char *exclude[] = {pattern};
	struct component c = {.n_exclude = 1, .exclude = exclude};

	(void)arg;
	assert_true(component_excludes(&c, "a/b"));
	assert_false(component_excludes(&c, "a"));
	assert_false(component_is_paged(&c, "a"));
}

static void
test_smallest(void **arg)
{
	struct error err = ERROR_INIT;
	json_t *j = parsed("{\"name\":\"x\",\"paths\":[{\"source\":\"/\",\"at\":\"\"}]}");
	struct component *c;

	(void)arg;
	assert_int_equal(component_parse(j, &c, &err), OK);
	assert_null(c->metadata);
	assert_false(c->has_pages);
	assert_false(component_excludes(c, "anything"));
	component_free(c);
	component_free(NULL);
	json_decref(j);
}

static const struct wrong {
	const char *text;
	const char *says;
} wrong_components[] = {
	{"[]", "field 'name'"},
	{"{\"name\":\"\",\"paths\":[]}", "not the name"},
	{"{\"name\":\"a/b\",\"paths\":[]}", "not the name"},
	{"{\"name\":\".x\",\"paths\":[]}", "not the name"},
	{"{\"name\":\"a\"}", "field 'paths'"},
	{"{\"name\":\"a\",\"paths\":[]}", "top folder"},
	{"{\"name\":\"a\",\"paths\":[1]}", "paths[0]: not an object"},
	{"{\"name\":\"a\",\"paths\":[{\"at\":\"\"}]}", "field 'source'"},
	{"{\"name\":\"a\",\"paths\":[{\"source\":\"/\"}]}", "field 'at'"},
	{"{\"name\":\"a\",\"paths\":[{\"source\":\"x\",\"at\":\"\"}]}", "not an absolute path"},
	{"{\"name\":\"a\",\"paths\":[{\"source\":\"\",\"at\":\"\"}]}", "not an absolute path"},
	{"{\"name\":\"a\",\"paths\":[{\"source\":\"/a/../b\",\"at\":\"\"}]}", "'.' and '..'"},
	{"{\"name\":\"a\",\"paths\":[{\"source\":\"/a/\",\"at\":\"\"}]}", "'.' and '..'"},
	{"{\"name\":\"a\",\"paths\":[{\"source\":\"/a//b\",\"at\":\"\"}]}", "'.' and '..'"},
	{"{\"name\":\"a\",\"paths\":[{\"source\":\"/a\",\"at\":\"b\"}]}", "top folder"},
	{"{\"name\":\"a\",\"paths\":[{\"source\":\"/a\",\"at\":\"..\"}]}", "inside the component"},
	{"{\"name\":\"a\",\"paths\":[{\"source\":\"/a\",\"at\":\"\"},"
	 "{\"source\":\"/b\",\"at\":\"\"}]}",
	 "inside the component"},
	{"{\"name\":\"a\",\"paths\":[{\"source\":\"/a\",\"at\":\"\"},"
	 "{\"source\":\"/b\",\"at\":\"/etc\"}]}",
	 "inside the component"},
	{"{\"name\":\"a\",\"paths\":[{\"source\":\"/a\",\"at\":\"\"},"
	 "{\"source\":\"/b\",\"at\":\"x/./y\"}]}",
	 "inside the component"},
	{"{\"name\":\"a\",\"paths\":[{\"source\":\"/a\",\"at\":\"\"},"
	 "{\"source\":\"/b\",\"at\":\"x\"},{\"source\":\"/c\",\"at\":\"x\"}]}",
	 "two entries at 'x'"},
	{"{\"name\":\"a\",\"paths\":[{\"source\":{\"bytes\":\"L2EAYg==\"},\"at\":\"\"}]}",
	 "zero byte"},
	{"{\"name\":\"a\",\"paths\":[{\"source\":\"/a\",\"at\":\"\",\"relocatable\":1}]}",
	 "field 'relocatable'"},
	{"{\"name\":\"a\",\"paths\":[{\"source\":\"/a\",\"at\":\"\",\"expect_size\":-1}]}",
	 "field 'expect_size'"},
};

static const struct wrong wrong_rest[] = {
	{"\"exclude\":\"x\"", "field 'exclude'"},
	{"\"exclude\":[1]", "exclude"},
	{"\"exclude\":[\"\"]", "inside the component"},
	{"\"exclude\":[\"/a\"]", "inside the component"},
	{"\"last\":[\"a/..\"]", "inside the component"},
	{"\"metadata\":[]", "metadata"},
	{"\"pages\":[]", "field 'pages'"},
	{"\"pages\":{\"format\":\"x\",\"page_size\":8191,\"segment_pages\":1}", "page size 8191"},
	{"\"pages\":{\"format\":\"x\",\"page_size\":2048,\"segment_pages\":1}", "page size"},
	{"\"pages\":{\"format\":\"x\",\"page_size\":131072,\"segment_pages\":1}", "page size"},
	{"\"pages\":{\"format\":\"x\",\"page_size\":8192,\"segment_pages\":0}", "segment"},
	{"\"pages\":{\"format\":\"x\",\"page_size\":8192}", "field 'segment_pages'"},
	{"\"pages\":{\"format\":\"x\",\"page_size\":8192,\"segment_pages\":1,\"match\":[\"/\"]}",
	 "inside the component"},
};

static void
refuse(const char *text, const char *says)
{
	struct error err = ERROR_INIT;
	struct component *c = NULL;
	json_t *j = parsed(text);

	int rc = component_parse(j, &c, &err);
	if (rc != ERR_PROTOCOL || strstr(err.msg, says) == NULL)
		fail_msg("%s: %s", text, err.msg);
	assert_memory_equal(err.msg, "component: ", 11);
	assert_null(c);
	json_decref(j);
}

static void
test_wrong(void **arg)
{
	char text[512];

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(wrong_components); i++)
		refuse(wrong_components[i].text, wrong_components[i].says);
	for (size_t i = 0; i < ARRAY_SIZE(wrong_rest); i++) {
		(void)snprintf(text, sizeof(text),
			       "{\"name\":\"a\",\"paths\":[{\"source\":\"/\",\"at\":\"\"}],%s}",
			       wrong_rest[i].text);
		refuse(text, wrong_rest[i].says);
	}
}

static void
test_too_many(void **arg)
{
	struct error err = ERROR_INIT;
	struct component *c = NULL;
	json_t *j = parsed("{\"name\":\"a\",\"paths\":[{\"source\":\"/\",\"at\":\"\"}]}");
	json_t *list = json_array();

	(void)arg;
	for (int i = 0; i <= COMPONENT_LIST_MAX; i++)
		json_array_append_new(list, json_string("x"));
	json_object_set_new(j, "exclude", list);
	assert_int_equal(component_parse(j, &c, &err), ERR_LIMIT);
	json_decref(j);
}

static void
test_tail(void **arg)
{
	struct error err = ERROR_INIT;
	struct component_tail *t;
	json_t *j = parsed(
		"{\"paths\":[{\"source\":\"/w/1\",\"at\":\"pg_wal/1\",\"expect_size\":16}],"
		"\"files\":[{\"at\":\"backup_label\",\"data\":\"A\\n\",\"mode\":416},"
		"{\"at\":\"b\",\"data\":{\"bytes\":\"AP8=\"}},{\"at\":\"c\",\"data\":\"\"}],"
		"\"metadata\":{\"stop\":1}}");

	(void)arg;
	if (component_tail_parse(j, &t, &err) < 0)
		fail_msg("%s", err.msg);
	json_decref(j);
	assert_int_equal(t->n_paths, 1);
	assert_int_equal(t->paths[0].expect_size, 16);
	assert_int_equal(t->n_files, 3);
	assert_int_equal(t->files[0].n, 2);
	assert_memory_equal(t->files[0].data, "A\n", 2);
	assert_int_equal(t->files[0].mode, 0640);
	assert_int_equal(t->files[1].n, 2);
	assert_memory_equal(t->files[1].data, "\0\xff", 2);
	assert_int_equal(t->files[1].mode, 0600);
	assert_int_equal(t->files[2].n, 0);
	assert_non_null(t->metadata);
	component_tail_free(t);
	component_tail_free(NULL);

	j = json_object();
	assert_int_equal(component_tail_parse(j, &t, &err), OK);
	assert_int_equal(t->n_paths + t->n_files, 0);
	component_tail_free(t);
	json_decref(j);
}

static void
test_wrong_tail(void **arg)
{
	static const struct wrong wrong[] = {
		{"{\"paths\":1}", "field 'paths'"},
		{"{\"paths\":[{\"source\":\"/a\",\"at\":\"\"}]}", "inside the component"},
		{"{\"files\":[1]}", "files[0]"},
		{"{\"files\":[{\"at\":\"\",\"data\":\"\"}]}", "inside the component"},
		{"{\"files\":[{\"at\":\"../x\",\"data\":\"\"}]}", "inside the component"},
		{"{\"files\":[{\"at\":\"x\"}]}", "files[0]"},
		{"{\"files\":[{\"at\":\"x\",\"data\":\"\",\"mode\":512}]}", "0777"},
		{"{\"files\":[{\"at\":\"x\",\"data\":\"\"},{\"at\":\"x\",\"data\":\"\"}]}",
		 "two entries"},
		{"{\"paths\":[{\"source\":\"/a\",\"at\":\"x\"}],"
		 "\"files\":[{\"at\":\"x\",\"data\":\"\"}]}",
		 "two entries"},
	};
	struct component_tail *t = NULL;

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct error err = ERROR_INIT;
		json_t *j = parsed(wrong[i].text);

		int rc = component_tail_parse(j, &t, &err);
		if (rc != ERR_PROTOCOL || strstr(err.msg, wrong[i].says) == NULL)
			fail_msg("%s: %s", wrong[i].text, err.msg);
		json_decref(j);
	}
	assert_null(t);
}

/* The bound is on all inline files together. */
static void
test_inline_bound(void **arg)
{
	struct error err = ERROR_INIT;
	struct component_tail *t = NULL;
	size_t half = COMPONENT_INLINE_MAX / 2;
	char *text = malloc(half + 2);

	(void)arg;
	assert_non_null(text);
	memset(text, 'x', half + 1);
	text[half + 1] = 0;
	for (int over = 0; over < 2; over++) {
		json_t *j = json_pack("{s:[{s:s, s:s%}, {s:s, s:s%}]}", "files", "at", "a", "data",
				      text, half, "at", "b", "data", text, half + (size_t)over);

		assert_int_equal(component_tail_parse(j, &t, &err), over ? ERR_LIMIT : OK);
		component_tail_free(STEAL_PTR(t));
		json_decref(j);
	}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),       cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_smallest),   cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_too_many),   cmocka_unit_test(test_tail),
		cmocka_unit_test(test_wrong_tail), cmocka_unit_test(test_inline_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
