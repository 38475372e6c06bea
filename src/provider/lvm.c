/* SPDX-License-Identifier: Apache-2.0 */

/* Marks and mount points as mountroot.h keeps them, volumes as lvm2 does: with tags of ours. */
#include "provider/lvm.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/text.h"
#include "provider/lvm_tools.h"
#include "provider/mountroot.h"

static const char *
why_not(const struct volume *v)
{
	if (!v->lvm)
		return "this is not on an LVM volume";
	if (strcmp(v->type, "btrfs") == 0)
		return "btrfs would take a copy of its device for a part of itself";
	if (v->top == NULL)
		return "the whole of the file system is mounted nowhere";
	if (!v->privileged)
		return "an LVM snapshot takes root's rights";
	return NULL;
}

static enum consistency
lvm_promise(const struct volume *volume, const struct provider_settings *settings, bool hot,
	    const char **ret_why)
{
	const char *reason = why_not(volume);

	(void)settings;
	*ret_why = reason != NULL ? reason : "a snapshot of its LVM volume is one instant";
	if (reason != NULL)
		return PROVIDER_CANNOT;
	return hot ? CONSISTENCY_APPLICATION : CONSISTENCY_CRASH;
}

static const char *
lvm_source(const struct volume *volume, const char *path)
{
	(void)path;
	return volume->top != NULL ? volume->top : volume->mount_point;
}

static int
write_out(const char *path, struct error *err)
{
	CLEAN(fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || syncfs(fd) < 0)
		return error_sys(err, ERR_SOURCE, "write out '%s'", path);
	return OK;
}

static int
lvm_prepare(struct snapshot *s, const struct provider_settings *settings, struct error *err)
{
	CLEAN(volume_done) struct volume v = {0};
	char vg[LVM_NAME_MAX], point[SNAPSHOT_PATH_MAX];
	struct lvm_origin o;
	int r;

	if (volume_of(s->source, &v, err) < 0)
		return err->code;
	if (why_not(&v) != NULL)
		return error_set(err, ERR_SOURCE, "'%s': %s", s->source, why_not(&v));
	if (strcmp(v.mount_point, v.real) != 0)
		return error_set(err, ERR_SOURCE, "'%s': nothing is mounted there", s->source);
	if (mountroot_point(s, settings, point, err) < 0 ||
	    lvm_tools_origin(v.source, settings->lvm.snapshot_bytes, &o, err) < 0)
		return err->code;
	(void)text_printf(o.type, sizeof(o.type), "%s", v.type);
	r = lvm_tools_find(s, vg, err);
	if (r != 0)
		return r < 0 ? r : (int)error_set(err, ERR_EXISTS, "the volume is there already");
	if (lvm_tools_pack(&o, s, err) < 0 || write_out(s->source, err) < 0)
		return err->code;
	return mountroot_prepare(s, settings, err);
}

static int
lvm_create(struct snapshot *s, const struct provider_settings *settings, uint64_t deadline_ns,
	   struct error *err)
{
	struct lvm_origin o;
	int r;

	if (!lvm_tools_unpack(s, &o))
		return error_set(err, ERR_BAD_STATE, "'%s' is not prepared", s->source);
	if (clock_boot_ns() >= deadline_ns)
		return error_set(err, ERR_TIMEOUT, "snapshot '%s': too late to begin", s->source);
	r = lvm_tools_create(&o, s, settings->mount_root, deadline_ns, err);
	if (r < 0) {
		lvm_tools_resume(&o);
		return error_prefix(err, "snapshot '%s'", s->source);
	}
	return OK;
}

static int
lvm_expose(struct snapshot *s, const struct provider_settings *settings, struct error *err)
{
	char point[SNAPSHOT_PATH_MAX];
	struct lvm_origin o;

	if (!lvm_tools_unpack(s, &o))
		return error_set(err, ERR_BAD_STATE, "'%s' is not prepared", s->source);
	if (mountroot_point(s, settings, point, err) < 0 || mountroot_make_point(point, err) < 0 ||
	    (o.thin && lvm_tools_activate(o.vg, s, err) < 0)) /* a classic one is active already */
		return err->code;
	/* Its original has the same UUID, and is mounted. What a journal has left to do is done in the
	 * snapshot, which can be written. */
	if (mount(s->place, point, o.type, MS_RDONLY | MS_NOSUID | MS_NODEV,
		  strcmp(o.type, "xfs") == 0 ? "nouuid" : NULL) < 0)
		return error_sys(err, ERR_IO, "mount '%s'", s->place);
	memcpy(s->exposed, point, sizeof(s->exposed));
	return OK;
}

static int
lvm_remove(const struct snapshot *s, const struct provider_settings *settings, struct error *err)
{
	char vg[LVM_NAME_MAX], point[SNAPSHOT_PATH_MAX];
	struct snapshot marked = *s;
	struct lvm_origin o;
	int marks = mountroot_find(s, settings, &marked, err), r;

	if (marks < 0)
		return marks;
	/* First of all: whoever was to make it may have been ended in its midst. */
	if (lvm_tools_unpack(&marked, &o))
		lvm_tools_resume(&o);
	if (mountroot_point(s, settings, point, err) < 0 ||
	    (marks > 0 && mountroot_unmount(point, err) < 0))
		return err->code;
	r = lvm_tools_find(s, vg, err);
	if (r == ERR_SPAWN && marks == 0)
		return OK; /* without lvm2 nothing was made */
	if (r > 0)
		r = lvm_tools_remove(vg, s, err);
	if (r < 0)
		return error_prefix(err, "remove the snapshot of '%s'", s->source);
	return mountroot_forget(s, settings, err);
}

static int
lvm_space(const struct snapshot *s, const struct provider_settings *settings, uint64_t *ret_free,
	  uint64_t *ret_total, struct error *err)
{
	const char *lv = strrchr(s->place, '/');
	struct lvm_origin o;
	uint64_t used, bytes;

	(void)settings;
	if (!lvm_tools_unpack(s, &o) || lv == NULL)
		return error_set(err, ERR_BAD_STATE, "'%s' is not prepared", s->source);
	if (lvm_tools_usage(o.vg, lv + 1, &used, &bytes, err) < 0)
		return err->code;
	*ret_total = bytes;
	*ret_free = bytes - MIN(bytes / 10000 * used, bytes);
	return OK;
}

/* Marks first; then volumes whose marks were lost. */
struct search {
	const struct provider_settings *settings;
	provider_each_fn *each;
	void *arg;
};

static int
unmarked(const struct snapshot *s, void *arg, struct error *err)
{
	const struct search *search = arg;
	struct error ignored = ERROR_INIT;
	struct snapshot marked;

	if (mountroot_find(s, search->settings, &marked, &ignored) == 1)
		return OK;
	return search->each(s, search->arg, err);
}

static int
lvm_find(const struct provider_settings *settings, provider_each_fn *each, void *arg,
	 struct error *err)
{
	struct search search = {.settings = settings, .each = each, .arg = arg};
	struct error lost = ERROR_INIT;

	if (mountroot_each(settings, lvm_ops.name, each, arg, err) < 0)
		return err->code;
	/* No device mapper: no volumes, and lvm2 is not even asked. */
	if (access("/dev/mapper/control", F_OK) < 0 ||
	    lvm_tools_each(settings->mount_root, unmarked, &search, &lost) == OK ||
	    lost.code == ERR_SPAWN)
		return OK;
	*err = lost;
	return err->code;
}

const struct provider_ops lvm_ops = {
	.name = "lvm",
	.cost = "about a second to take; then each first change of a block is written twice (classic), "
		"or takes space in the pool (thin)",
	.atomic = true,
	.promise = lvm_promise,
	.source = lvm_source,
	.prepare = lvm_prepare,
	.create = lvm_create,
	.expose = lvm_expose,
	.remove = lvm_remove,
	.space = lvm_space,
	.find = lvm_find,
};
