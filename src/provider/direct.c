/* SPDX-License-Identifier: Apache-2.0 */

/* Provider `direct`: there is nothing to make and nothing to give back, only the truth to tell. */
#include "provider/direct.h"

#include <string.h>
#include <sys/statvfs.h>

static enum consistency
direct_promise(const struct volume *volume, const struct provider_settings *settings, bool hot,
	       const char **ret_why)
{
	(void)volume; /* the same everywhere */
	(void)settings;
	*ret_why = hot ? "the writer's database may be copied while it runs"
		       : "there is no snapshot, so files are read while they may change";
	return hot ? CONSISTENCY_APPLICATION : CONSISTENCY_NONE;
}

static const char *
direct_source(const struct volume *volume, const char *path)
{
	(void)volume;
	return path;
}

static int
direct_prepare(struct snapshot *s, const struct provider_settings *settings, struct error *err)
{
	(void)settings;
	if (access(s->source, F_OK) < 0)
		return error_sys(err, ERR_SOURCE, "open '%s'", s->source);
	memcpy(s->place, s->source, sizeof(s->place));
	return OK;
}

static int
direct_create(struct snapshot *s, const struct provider_settings *settings, uint64_t deadline_ns,
	      struct error *err)
{
	/* The live files are what is read: their moment is whenever that happens. */
	(void)s;
	(void)settings;
	(void)deadline_ns;
	(void)err;
	return OK;
}

static int
direct_expose(struct snapshot *s, const struct provider_settings *settings, struct error *err)
{
	(void)settings;
	(void)err;
	memcpy(s->exposed, s->source, sizeof(s->exposed));
	return OK;
}

static int
direct_remove(const struct snapshot *s, const struct provider_settings *settings, struct error *err)
{
	(void)s;
	(void)settings;
	(void)err;
	return OK;
}

static int
direct_space(const struct snapshot *s, const struct provider_settings *settings, uint64_t *ret_free,
	     uint64_t *ret_total, struct error *err)
{
	struct statvfs v;

	(void)settings;
	if (statvfs(s->source, &v) < 0)
		return error_sys(err, ERR_SOURCE, "look at the space of '%s'", s->source);
	*ret_free = (uint64_t)v.f_bavail * v.f_frsize;
	*ret_total = (uint64_t)v.f_blocks * v.f_frsize;
	return OK;
}

static int
direct_find(const struct provider_settings *settings, provider_each_fn *each, void *arg,
	    struct error *err)
{
	(void)settings;
	(void)each;
	(void)arg;
	(void)err;
	return OK;
}

const struct provider_ops direct_ops = {
	.name = "direct",
	.cost = "none beyond reading the files",
	.promise = direct_promise,
	.source = direct_source,
	.prepare = direct_prepare,
	.create = direct_create,
	.expose = direct_expose,
	.remove = direct_remove,
	.space = direct_space,
	.find = direct_find,
};
