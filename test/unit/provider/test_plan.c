/* SPDX-License-Identifier: Apache-2.0 */

/* The decisions of the plan, over machines that are made up; and where things are read by it. */
#include "provider/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static struct provider_settings settings;
static struct error err;

/* A machine of up to eight paths and crossings. */
struct machine {
	struct plan plan;
	struct plan_path paths[8];
	struct plan_crossing crossings[8];
	const char *wish;
};

static void
set_volume(struct volume *v, const char *type, const char *real, const char *top, uint64_t device)
{
	(void)text_printf(v->type, sizeof(v->type), "%s", type);
	v->real = strdup(real);
	v->mount_point = strdup(top);
	v->source = strdup("/dev/x");
	v->device = v->block_device = device;
	v->privileged = v->directory = true;
	v->reflink = strcmp(type, "xfs") == 0 || strcmp(type, "btrfs") == 0;
	v->top = strdup(top);
	v->inner = strdup(strcmp(real, top) == 0 ? "" : real + strlen(top));
	v->subvolume = strcmp(type, "btrfs") == 0 ? strdup(top) : NULL;
}

static struct plan_path *
path(struct machine *m, const char *name, bool hot, const char *type, const char *top,
     uint64_t device)
{
	struct plan_path *p = &m->paths[m->plan.n_paths++];

	p->path = strdup(name);
	p->hot = hot;
	set_volume(&p->volume, type, name, top, device);
	return p;
}

static struct plan_crossing *
crossing(struct machine *m, const char *name, bool subvolume, const char *type, uint64_t device)
{
	struct plan_crossing *x = &m->crossings[m->plan.n_crossings++];

	x->path = strdup(name);
	x->subvolume = subvolume;
	set_volume(&x->volume, type, name, name, device);
	return x;
}

static int
decide(struct machine *m)
{
	struct plan_request request = {.wish = m->wish != NULL ? m->wish : "auto",
				       .settings = &settings};

	err = ERROR_INIT;
	m->plan.paths = m->paths;
	m->plan.crossings = m->crossings;
	return plan_decide(&request, &m->plan, &err);
}

static void
machine_done(struct machine *m)
{
	/* The lists are ours, what is in them is to be freed. */
	for (size_t i = 0; i < m->plan.n_paths; i++) {
		free(m->paths[i].path);
		volume_done(&m->paths[i].volume);
	}
	for (size_t i = 0; i < m->plan.n_crossings; i++) {
		free(m->crossings[i].path);
		volume_done(&m->crossings[i].volume);
	}
	order_facts_done(&m->plan.order);
}

static void
use_external(void)
{
	(void)text_printf(settings.external.create, PROVIDER_COMMAND_MAX, "/bin/true");
	(void)text_printf(settings.external.expose, PROVIDER_COMMAND_MAX, "/bin/true");
	(void)text_printf(settings.external.remove, PROVIDER_COMMAND_MAX, "/bin/true");
}

static int
setup(void **state)
{
	(void)state;
	provider_settings_init(&settings);
	(void)text_printf(settings.mount_root, sizeof(settings.mount_root), "/state/mnt");
	return 0;
}

static void
test_direct_promises_what_it_can(void **state)
{
	CLEAN(machine_done) struct machine m = {0};

	(void)state;
	path(&m, "/etc", false, "ext4", "/", 1);
	path(&m, "/db", true, "ext4", "/", 1);
	assert_int_equal(decide(&m), OK);
	assert_string_equal(m.paths[0].provider->name, "direct");
	assert_int_equal(m.paths[0].expected, CONSISTENCY_NONE);
	assert_non_null(strstr(m.paths[0].why, "no snapshot"));
	assert_non_null(strstr(m.paths[0].why, "external: "));
	assert_int_equal(m.paths[0].member, PLAN_LIVE);
	assert_int_equal(m.paths[1].expected, CONSISTENCY_APPLICATION);
	assert_int_equal(m.plan.n_members, 0);
	assert_false(m.plan.atomic || m.plan.hot_atomic);
	assert_int_equal(plan_expected(&m.plan), CONSISTENCY_NONE);
}

static void
test_one_subvolume_is_one_instant(void **state)
{
	CLEAN(machine_done) struct machine m = {0};

	(void)state;
	path(&m, "/srv/a", false, "btrfs", "/srv", 1);
	path(&m, "/srv/db", true, "btrfs", "/srv", 1);
	crossing(&m, "/srv/a/tmp", false, "tmpfs", 9);
	crossing(&m, "/srv/a/old", true, "btrfs", 1)->volume.subvolume_read_only = true;
	assert_int_equal(decide(&m), OK);
	assert_int_equal(m.plan.n_members, 1);
	assert_string_equal(m.plan.members[0].source, "/srv");
	assert_true(m.plan.atomic && m.plan.hot_atomic);
	assert_int_equal(m.paths[0].expected, CONSISTENCY_CRASH);
	assert_int_equal(m.paths[1].expected, CONSISTENCY_APPLICATION);
	assert_int_equal(plan_expected(&m.plan), CONSISTENCY_CRASH);
}

static void
test_two_subvolumes_are_two(void **state)
{
	CLEAN(machine_done) struct machine m = {0};

	(void)state;
	path(&m, "/srv", false, "btrfs", "/srv", 1);
	path(&m, "/srv/db", true, "btrfs", "/srv", 1);
	crossing(&m, "/srv/nested", true, "btrfs", 1);
	assert_int_equal(decide(&m), OK);
	assert_int_equal(m.plan.n_members, 2);
	assert_int_equal(m.crossings[0].member, 1);
	assert_false(m.plan.atomic);
	/* The database does not reach into the other. */
	assert_true(m.plan.hot_atomic);
	assert_int_equal(m.paths[0].expected, CONSISTENCY_NONE);
	assert_non_null(strstr(m.paths[0].why, "2 snapshots"));
	m.crossings[0].hot = true;
	assert_int_equal(decide(&m), OK);
	assert_false(m.plan.hot_atomic);
	assert_int_equal(m.paths[1].expected, CONSISTENCY_APPLICATION);
}

static void
test_what_is_live_counts(void **state)
{
	CLEAN(machine_done) struct machine m = {0};

	(void)state;
	path(&m, "/", false, "btrfs", "/", 1);
	crossing(&m, "/boot", false, "ext4", 2);
	assert_int_equal(decide(&m), OK);
	assert_false(m.plan.atomic);
	assert_int_equal(m.paths[0].expected, CONSISTENCY_NONE);
	assert_non_null(strstr(m.paths[0].why, "'/boot'"));
	assert_int_equal(m.paths[0].member, 0);
}

static void
test_no_rights_no_snapshot(void **state)
{
	CLEAN(machine_done) struct machine m = {0};

	(void)state;
	path(&m, "/srv", false, "btrfs", "/srv", 1)->volume.privileged = false;
	assert_int_equal(decide(&m), OK);
	assert_string_equal(m.paths[0].provider->name, "direct");
	assert_non_null(strstr(m.paths[0].why, "root"));
}

static void
test_a_wish_is_a_wish(void **state)
{
	CLEAN(machine_done) struct machine m = {.wish = "direct"};

	(void)state;
	path(&m, "/srv", true, "btrfs", "/srv", 1);
	assert_int_equal(decide(&m), OK);
	assert_string_equal(m.paths[0].provider->name, "direct");
	m.wish = "btrfs";
	assert_int_equal(decide(&m), OK);
	assert_string_equal(m.paths[0].provider->name, "btrfs");
	m.wish = "vss";
	assert_int_equal(decide(&m), ERR_USAGE);
	m.wish = "btrfs";
	path(&m, "/boot", false, "ext4", "/boot", 2);
	assert_int_equal(decide(&m), ERR_USAGE);
	assert_non_null(strstr(err.msg, "'/boot'"));
}

/* An ext4 in an image file on another, and a third beside them. */
static void
test_freezing(void **state)
{
	CLEAN(machine_done) struct machine m = {0};

	(void)state;
	use_external();
	path(&m, "/outer/x", false, "ext4", "/outer", 1);
	path(&m, "/inner/db", true, "ext4", "/inner", 2);
	path(&m, "/other", false, "ext4", "/other", 3);
	assert_int_equal(order_facts_add(&m.plan.order, 2, 20, &err), OK);
	assert_int_equal(order_facts_add(&m.plan.order, 20, 1, &err), OK);
	assert_int_equal(decide(&m), OK);
	assert_int_equal(m.plan.n_members, 3);
	assert_string_equal(m.plan.members[0].source, "/inner");
	assert_string_equal(m.plan.members[1].source, "/outer");
	assert_string_equal(m.plan.members[2].source, "/other");
	assert_int_equal(m.paths[0].member, 1);
	assert_int_equal(m.paths[1].member, 0);
	assert_true(m.plan.atomic);
	assert_int_equal(m.paths[0].expected, CONSISTENCY_CRASH);
	/* Each by its own command, at its own time. */
	settings.external.freeze = false;
	assert_int_equal(decide(&m), OK);
	assert_false(m.plan.atomic);
	settings.external.freeze = true;
	/* What cannot be sure is not frozen. */
	m.plan.order.unknown = 7;
	assert_int_equal(decide(&m), OK);
	assert_int_equal(m.plan.n_members, 0);
	assert_non_null(strstr(m.paths[0].why, "not known"));
	m.plan.order.unknown = 0;
	assert_int_equal(order_facts_add(&m.plan.order, 1, 2, &err), OK);
	assert_int_equal(decide(&m), OK);
	assert_int_equal(m.plan.n_members, 0);
}

/* A btrfs in an image on what would be frozen: its snapshot would wait for the thaw for ever. */
static void
test_no_freeze_below_a_snapshot(void **state)
{
	CLEAN(machine_done) struct machine m = {0};

	(void)state;
	use_external();
	path(&m, "/outer", false, "ext4", "/outer", 1);
	path(&m, "/inner", false, "btrfs", "/inner", 2);
	assert_int_equal(decide(&m), OK);
	assert_int_equal(m.plan.n_members, 2);
	assert_true(m.plan.members[0].freezes && !m.plan.members[1].freezes);
	assert_false(m.plan.atomic);
	assert_int_equal(order_facts_add(&m.plan.order, 2, 1, &err), OK);
	assert_int_equal(decide(&m), OK);
	assert_int_equal(m.plan.n_members, 1);
	assert_string_equal(m.paths[0].provider->name, "direct");
	assert_string_equal(m.paths[1].provider->name, "btrfs");
}

static void
test_too_many_members(void **state)
{
	struct plan_path many[SNAPSHOT_MEMBERS_MAX + 1] = {0};
	struct plan_request request = {.wish = "auto", .settings = &settings};
	struct plan p = {.n_paths = ARRAY_SIZE(many), .paths = many};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
		char name[32];

		(void)text_printf(name, sizeof(name), "/v%zu", i);
		many[i].path = strdup(name);
		set_volume(&many[i].volume, "btrfs", name, name, 1);
	}
	assert_int_equal(plan_decide(&request, &p, &err), OK);
	assert_int_equal(p.n_members, SNAPSHOT_MEMBERS_MAX);
	assert_int_equal(many[SNAPSHOT_MEMBERS_MAX].member, PLAN_LIVE);
	assert_string_equal(many[SNAPSHOT_MEMBERS_MAX].provider->name, "direct");
	for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
		free(many[i].path);
		volume_done(&many[i].volume);
	}
}

static void
expect_read(const struct snapshot_map *map, const char *live, const char *at)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(4096);

	assert_int_equal(snapshot_map_translate(map, live, &b, &err), OK);
	assert_string_equal((char *)b.p, at);
}

static void
test_map(void **state)
{
	CLEAN(machine_done) struct machine m = {0};
	CLEAN(snapshot_map_done) struct snapshot_map map = SNAPSHOT_MAP_INIT;
	CLEAN(snapshot_map_done) struct snapshot_map live = SNAPSHOT_MAP_INIT;
	struct snapshot snapshots[2] = {{.exposed = "/srv/.holdfast/S-0"},
					{.exposed = "/srv/x/nested/.holdfast/S-1"}};

	(void)state;
	/* Given by a symbolic link's name. */
	struct plan_path *p = path(&m, "/srv/x", false, "btrfs", "/srv", 1);
	free(p->path);
	p->path = strdup("/link/x");
	crossing(&m, "/srv/x/nested", true, "btrfs", 1);
	crossing(&m, "/srv/x/mnt", false, "ext4", 2);
	path(&m, "/etc", false, "ext4", "/", 3);
	assert_int_equal(decide(&m), OK);
	assert_int_equal(plan_map(&m.plan, snapshots, 2, &map, &err), OK);
	expect_read(&map, "/link/x", "/srv/.holdfast/S-0/x");
	expect_read(&map, "/link/x/f", "/srv/.holdfast/S-0/x/f");
	expect_read(&map, "/link/x/nested/f", "/srv/x/nested/.holdfast/S-1/f");
	expect_read(&map, "/link/x/mnt/f", "/srv/x/mnt/f");
	expect_read(&map, "/etc/f", "/etc/f");
	assert_int_equal(plan_map(&m.plan, NULL, 0, &live, &err), OK);
	expect_read(&live, "/link/x/f", "/link/x/f");
}

/* What provider.h demands of each, as far as it needs no file system. */
static void
test_every_provider(void **state)
{
	const struct provider_ops *ops;
	struct volume v = {.type = "ext4"};
	size_t n = 0;

	(void)state;
	for (; (ops = provider_at(n)) != NULL; n++) {
		const char *why = NULL;

		assert_true(ops->name[0] != '\0' && ops->cost[0] != '\0');
		assert_true(strlen(ops->name) < SNAPSHOT_PROVIDER_MAX);
		assert_ptr_equal(provider_find_by_name(ops->name), ops);
		assert_true(ops->promise(&v, &settings, true, &why) >=
			    ops->promise(&v, &settings, false, &why));
		assert_non_null(why);
	}
	assert_true(n > 0);
	assert_null(provider_find_by_name("vss"));
}

static void
test_this_machine(void **state)
{
	static const struct plan_wanted wanted[] = {{"/proc", false}, {"/", true}};
	struct plan_request request = {
		.n = 2, .wanted = wanted, .wish = "direct", .settings = &settings};
	CLEAN(plan_done) struct plan p = {0};

	(void)state;
	assert_int_equal(plan_make(&request, &p, &err), OK);
	assert_int_equal(p.n_paths, 2);
	assert_string_equal(p.paths[0].volume.type, "proc");
	for (size_t i = 0; i < p.n_crossings; i++)
		assert_string_not_equal(p.crossings[i].volume.type, "proc");
	request.wanted = &(struct plan_wanted){"/nonexistent/x", false};
	request.n = 1;
	plan_done(&p);
	assert_int_equal(plan_make(&request, &p, &err), ERR_SOURCE);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_direct_promises_what_it_can, setup),
		cmocka_unit_test_setup(test_one_subvolume_is_one_instant, setup),
		cmocka_unit_test_setup(test_two_subvolumes_are_two, setup),
		cmocka_unit_test_setup(test_what_is_live_counts, setup),
		cmocka_unit_test_setup(test_no_rights_no_snapshot, setup),
		cmocka_unit_test_setup(test_a_wish_is_a_wish, setup),
		cmocka_unit_test_setup(test_freezing, setup),
		cmocka_unit_test_setup(test_no_freeze_below_a_snapshot, setup),
		cmocka_unit_test_setup(test_too_many_members, setup),
		cmocka_unit_test_setup(test_map, setup),
		cmocka_unit_test_setup(test_every_provider, setup),
		cmocka_unit_test_setup(test_this_machine, setup),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
