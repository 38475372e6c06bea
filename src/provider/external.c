/* SPDX-License-Identifier: Apache-2.0 */

/* The commands' environment is all they get: HOLDFAST_SET, _INDEX, _SOURCE, _DEVICE, _EXPOSE_AT. */
#include "provider/external.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/text.h"
#include "provider/below.h"
#include "provider/mountroot.h"
#include "provider/tool.h"

enum { ENV_MAX = SNAPSHOT_PATH_MAX + 64 };

static const char *
why_not(const struct volume *v, const struct provider_settings *settings)
{
	if (settings->external.create[0] == '\0' || settings->external.expose[0] == '\0' ||
	    settings->external.remove[0] == '\0')
		return "its commands are not set";
	if (strcmp(v->type, "btrfs") == 0)
		return "btrfs would take a copy of its device for a part of itself";
	if (v->block_device == 0)
		return "this file system is on no block device";
	if (v->top == NULL)
		return "the whole of the file system is mounted nowhere";
	if (!v->privileged)
		return "freezing and mounting take root's rights";
	return NULL;
}

static enum consistency
external_promise(const struct volume *volume, const struct provider_settings *settings, bool hot,
		 const char **ret_why)
{
	const char *reason = why_not(volume, settings);

	*ret_why = reason != NULL ? reason : "your commands make a snapshot of what is below it";
	if (reason != NULL)
		return PROVIDER_CANNOT;
	return hot ? CONSISTENCY_APPLICATION : CONSISTENCY_CRASH;
}

static const char *
external_source(const struct volume *volume, const char *path)
{
	(void)path;
	return volume->top != NULL ? volume->top : volume->mount_point;
}

static int
run(const struct snapshot *s, const struct provider_settings *settings, const char *command,
    uint64_t deadline_ns, struct error *err)
{
	CLEAN(free_ptr) char *store = malloc(strlen(command) + 1);
	char *argv[TOOL_ARGS_MAX + 1], point[SNAPSHOT_PATH_MAX];
	char set[64], index[32], source[ENV_MAX], device[ENV_MAX], at[ENV_MAX];
	char *const env[] = {set, index, source, device, at, NULL};
	char hex[2 * SNAPSHOT_SET_SIZE + 1];

	if (store == NULL)
		return error_no_memory(err);
	if (tool_split(command, store, argv, err) < 0 ||
	    mountroot_point(s, settings, point, err) < 0)
		return err->code;
	(void)snprintf(set, sizeof(set), "HOLDFAST_SET=%s",
		       hex_encode(s->set, sizeof(s->set), hex));
	(void)snprintf(index, sizeof(index), "HOLDFAST_INDEX=%u", s->index);
	(void)snprintf(source, sizeof(source), "HOLDFAST_SOURCE=%s", s->source);
	(void)snprintf(device, sizeof(device), "HOLDFAST_DEVICE=%s", s->detail);
	(void)snprintf(at, sizeof(at), "HOLDFAST_EXPOSE_AT=%s", point);
	return tool_run(argv, env,
			MIN(deadline_ns, clock_boot_ns() + settings->external.timeout_ns), NULL,
			err);
}

/* Nothing is to be found out while the file system is frozen. */
static int
check_commands(const struct provider_settings *settings, struct error *err)
{
	const char *const commands[] = {settings->external.create, settings->external.expose,
					settings->external.remove};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		CLEAN(free_ptr) char *store = malloc(strlen(commands[i]) + 1);
		char *argv[TOOL_ARGS_MAX + 1];

		if (store == NULL)
			return error_no_memory(err);
		if (tool_split(commands[i], store, argv, err) < 0 || tool_check(argv[0], err) < 0)
			return error_prefix(err, "provider.external");
	}
	return OK;
}

static int
external_prepare(struct snapshot *s, const struct provider_settings *settings, struct error *err)
{
	CLEAN(volume_done) struct volume v = {0};
	const char *reason;

	if (volume_of(s->source, &v, err) < 0)
		return err->code;
	reason = why_not(&v, settings);
	if (reason == NULL && strcmp(v.mount_point, v.real) != 0)
		reason = "nothing is mounted there";
	if (reason != NULL)
		return error_set(err, ERR_SOURCE, "'%s': %s", s->source, reason);
	if (check_commands(settings, err) < 0 || mountroot_point(s, settings, s->place, err) < 0)
		return err->code;
	if (!text_printf(s->detail, sizeof(s->detail), "%s", v.source))
		return error_set(err, ERR_LIMIT, "the name of the device is too long");
	return mountroot_prepare(s, settings, err);
}

static int
external_create(struct snapshot *s, const struct provider_settings *settings, uint64_t deadline_ns,
		struct error *err)
{
	if (clock_boot_ns() >= deadline_ns)
		return error_set(err, ERR_TIMEOUT, "snapshot '%s': too late to begin", s->source);
	if (run(s, settings, settings->external.create, deadline_ns, err) < 0)
		return error_prefix(err, "snapshot '%s'", s->source);
	return OK;
}

static int
external_expose(struct snapshot *s, const struct provider_settings *settings, struct error *err)
{
	bool read_only;

	if (mountroot_make_point(s->place, err) < 0)
		return err->code;
	if (run(s, settings, settings->external.expose, UINT64_MAX, err) < 0)
		return error_prefix(err, "expose the snapshot of '%s'", s->source);
	if (!mountroot_is_mounted(s->place, &read_only))
		return error_set(err, ERR_IO, "'expose' mounted nothing at '%s'", s->place);
	if (!read_only)
		return error_set(err, ERR_IO, "what 'expose' mounted at '%s' is not read-only",
				 s->place);
	memcpy(s->exposed, s->place, sizeof(s->exposed));
	return OK;
}

/* Its device may have another name since the machine was started. */
static void
look_again(struct snapshot *s)
{
	CLEAN(volume_done) struct volume v = {0};
	struct error ignored = ERROR_INIT;

	if (volume_of(s->source, &v, &ignored) == OK && strcmp(v.mount_point, v.real) == 0 &&
	    strlen(v.source) < sizeof(s->detail))
		(void)text_printf(s->detail, sizeof(s->detail), "%s", v.source);
}

/* The command knows how; what it leaves mounted is unmounted for it, before and after. */
static int
external_remove(const struct snapshot *s, const struct provider_settings *settings,
		struct error *err)
{
	char point[SNAPSHOT_PATH_MAX];
	struct snapshot marked;
	int r = mountroot_find(s, settings, &marked, err);

	if (r <= 0)
		return r;
	if (mountroot_point(s, settings, point, err) < 0 || mountroot_unmount(point, err) < 0)
		return err->code;
	look_again(&marked);
	if (run(&marked, settings, settings->external.remove, UINT64_MAX, err) < 0)
		return error_prefix(err, "remove the snapshot of '%s'", s->source);
	if (mountroot_unmount(point, err) < 0)
		return err->code;
	return mountroot_forget(s, settings, err);
}

static int
external_space(const struct snapshot *s, const struct provider_settings *settings,
	       uint64_t *ret_free, uint64_t *ret_total, struct error *err)
{
	(void)settings;
	/* Where it grows only its maker knows; the live file system is what we can watch. */
	return below_space(s->source, ret_free, ret_total, err);
}

static int
external_find(const struct provider_settings *settings, provider_each_fn *each, void *arg,
	      struct error *err)
{
	return mountroot_each(settings, external_ops.name, each, arg, err);
}

const struct provider_ops external_ops = {
	.name = "external",
	.cost = "what your commands cost; the file system stands still while 'create' runs",
	.freezes = true,
	.atomic = true,
	.promise = external_promise,
	.source = external_source,
	.prepare = external_prepare,
	.create = external_create,
	.expose = external_expose,
	.remove = external_remove,
	.space = external_space,
	.find = external_find,
};
