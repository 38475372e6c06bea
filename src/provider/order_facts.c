/* SPDX-License-Identifier: Apache-2.0 */

/* Gathering what devices need, by walking /sys/dev/block and the table of mounts. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/fs.h"
#include "provider/order.h"
#include "provider/volume.h"

enum { DEPTH_MAX = 32, SYS_PATH = 320 };

struct gather {
	const struct mounts *mounts;
	struct order_facts *facts;
};

static int walk(struct gather *g, uint64_t device, int depth, struct error *err);

static int
edge(struct gather *g, uint64_t from, uint64_t to, int depth, struct error *err)
{
	if (order_facts_add(g->facts, from, to, err) < 0)
		return err->code;
	return walk(g, to, depth + 1, err);
}

/* "8:1\n" at this path: 1; 0 there is no such file. */
static int
read_device(const char *path, uint64_t *ret, struct error *err)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(64);
	unsigned maj, min;
	int r = fs_read_file(AT_FDCWD, path, &text, err);

	if (r == ERR_NOT_FOUND)
		return 0;
	if (r < 0 || buf_u8(&text, 0, err) < 0)
		return err->code;
	char *colon = strchr((char *)text.p, ':');
	if (colon == NULL)
		return 0;
	maj = (unsigned)strtoul((char *)text.p, NULL, 10);
	min = (unsigned)strtoul(colon + 1, NULL, 10);
	*ret = makedev(maj, min);
	return 1;
}

static void
dir_close(DIR **dir)
{
	if (*dir != NULL)
		(void)closedir(*dir);
}

/* What a dm or md device is made of; nothing for other devices. */
static int
walk_slaves(struct gather *g, uint64_t device, const char *sys, int depth, struct error *err)
{
	CLEAN(dir_close) DIR *dir = NULL;
	const struct dirent *e;
	char path[SYS_PATH + 300];
	uint64_t slave;
	int r;

	(void)snprintf(path, sizeof(path), "%s/slaves", sys);
	dir = opendir(path);
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/slaves/%s/dev", sys, e->d_name);
		r = read_device(path, &slave, err);
		if (r < 0)
			return r;
		if (r == 0)
			g->facts->unknown = device;
		else if (edge(g, device, slave, depth, err) < 0)
			return err->code;
	}
	return OK;
}

static int
walk_partition(struct gather *g, uint64_t device, const char *sys, int depth, struct error *err)
{
	char path[SYS_PATH + 20];
	uint64_t disk;
	int r;

	(void)snprintf(path, sizeof(path), "%s/partition", sys);
	if (access(path, F_OK) < 0)
		return OK;
	(void)snprintf(path, sizeof(path), "%s/../dev", sys);
	r = read_device(path, &disk, err);
	return r <= 0 ? r : edge(g, device, disk, depth, err);
}

/* The file system that a loop device's file is on. */
static int
walk_loop(struct gather *g, uint64_t device, const char *sys, int depth, struct error *err)
{
	CLEAN(buf_done) struct buf file = BUF_INIT(8192);
	CLEAN(volume_done) struct volume v = {0};
	struct error ignored = ERROR_INIT;
	char path[SYS_PATH + 32];
	int r;

	(void)snprintf(path, sizeof(path), "%s/loop/backing_file", sys);
	r = fs_read_file(AT_FDCWD, path, &file, &ignored);
	if (r == ERR_NOT_FOUND)
		return OK;
	if (r < 0 || file.n == 0 || buf_u8(&file, 0, err) < 0) {
		g->facts->unknown = device;
		return OK;
	}
	file.p[file.n - 2] = '\0'; /* the newline */
	/* Deleted, or of another mount namespace. */
	if (volume_among(g->mounts, (char *)file.p, &v, &ignored) < 0) {
		g->facts->unknown = device;
		return OK;
	}
	return edge(g, device, v.block_device != 0 ? v.block_device : v.device, depth, err);
}

static int
walk(struct gather *g, uint64_t device, int depth, struct error *err)
{
	char sys[SYS_PATH];

	if (depth > DEPTH_MAX) {
		g->facts->unknown = device;
		return OK;
	}
	(void)snprintf(sys, sizeof(sys), "/sys/dev/block/%u:%u", major(device), minor(device));
	if (access(sys, F_OK) < 0)
		return OK; /* no block device: nothing of ours is below it */
	if (walk_slaves(g, device, sys, depth, err) < 0 ||
	    walk_partition(g, device, sys, depth, err) < 0)
		return err->code;
	return walk_loop(g, device, sys, depth, err);
}

static uint64_t
device_of(const struct mount *m)
{
	struct stat st;

	if (major(m->device) == 0 && m->source[0] == '/' && stat(m->source, &st) == 0 &&
	    S_ISBLK(st.st_mode))
		return st.st_rdev;
	return m->device;
}

/* What is mounted somewhere in another is frozen before it, as whoever unmounts would begin there. */
static int
add_nesting(struct gather *g, const uint64_t *devices, size_t n, struct error *err)
{
	for (size_t i = 0; i < g->mounts->n; i++) {
		const struct mount *m = &g->mounts->list[i];
		uint64_t device = device_of(m);
		bool wanted = false;

		for (size_t j = 0; j < n; j++)
			wanted = wanted || devices[j] == device;
		m = wanted ? mounts_find(g->mounts, m->parent) : NULL;
		for (int depth = 0; m != NULL && depth < DEPTH_MAX; depth++) {
			/* The same twice over: bind mounts. */
			if (device_of(m) != device &&
			    order_facts_add(g->facts, device, device_of(m), err) < 0)
				return err->code;
			m = m->parent == m->id ? NULL : mounts_find(g->mounts, m->parent);
		}
	}
	return OK;
}

int
order_facts_gather(const struct mounts *mounts, const uint64_t *devices, size_t n,
		   struct order_facts *ret, struct error *err)
{
	CLEAN(order_facts_done) struct order_facts facts = {0};
	struct gather g = {.mounts = mounts, .facts = &facts};

	for (size_t i = 0; i < n; i++)
		if (walk(&g, devices[i], 0, err) < 0)
			return err->code;
	if (add_nesting(&g, devices, n, err) < 0)
		return err->code;
	*ret = facts;
	facts = (struct order_facts){0};
	return OK;
}
