/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The tree search gives one reference for each subvolume: which it hangs in, in which folder there,
 * and under what name. Paths are put together from these.
 */
#include "provider/subvolume.h"

#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/le.h"

/* Deeper nesting is taken for a loop. */
enum { DEPTH_MAX = 64, SEARCH_BUFFER = 64 * 1024, LIST_MAX = 1 << 20 };

bool
subvolume_is_top(int fd)
{
	struct statfs fs;
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_ino == BTRFS_FIRST_FREE_OBJECTID && fstatfs(fd, &fs) == 0 &&
	       (unsigned long)fs.f_type == BTRFS_SUPER_MAGIC;
}

bool
subvolume_is_read_only(int fd)
{
	uint64_t flags = 0;

	return ioctl(fd, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) == 0 &&
	       (flags & BTRFS_SUBVOL_RDONLY) != 0;
}

uint64_t
subvolume_id(int fd)
{
	struct btrfs_ioctl_ino_lookup_args args = {.objectid = BTRFS_FIRST_FREE_OBJECTID};

	return ioctl(fd, BTRFS_IOC_INO_LOOKUP, &args) == 0 ? args.treeid : 0;
}

/* 1 it is the top, 0 it is not; -1: beyond the subvolume. */
static int
look_at(const char *path, uint64_t mount_id, bool *ret_read_only)
{
	CLEAN(fd_close) int fd = -1;
	struct statx st;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_MNT_ID, &st) < 0 ||
	    st.stx_mnt_id != mount_id)
		return -1;
	if (st.stx_ino != BTRFS_FIRST_FREE_OBJECTID)
		return 0;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	*ret_read_only = fd >= 0 && subvolume_is_read_only(fd);
	return 1;
}

int
subvolume_top(const char *real, char **ret, bool *ret_read_only, struct error *err)
{
	CLEAN(free_ptr) char *path = strdup(real);
	bool read_only = false;
	struct statx st;
	int r;

	if (path == NULL)
		return error_no_memory(err);
	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_MNT_ID, &st) < 0)
		return error_sys(err, ERR_SOURCE, "open '%s'", path);
	while ((r = look_at(path, st.stx_mnt_id, &read_only)) == 0 && strcmp(path, "/") != 0) {
		char *slash = strrchr(path, '/');
		if (slash == NULL)
			break;
		slash[slash == path] = '\0';
	}
	*ret = r == 1 ? STEAL_PTR(path) : NULL;
	*ret_read_only = r == 1 && read_only;
	return OK;
}

void
subvolume_list_done(struct subvolume_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->list[i].path);
	free(l->list);
	*l = (struct subvolume_list){0};
}

/* While the list is being read: `path` is the name alone, or with the folders above it within the
 * parent. */
static int
take_reference(int fd, const struct btrfs_ioctl_search_header *h, const uint8_t *data,
	       struct subvolume_list *all, struct error *err)
{
	struct btrfs_ioctl_ino_lookup_args folder = {.treeid = h->offset};
	struct subvolume s = {.id = h->objectid, .parent = h->offset}, *grown;
	const size_t head = sizeof(struct btrfs_root_ref);
	size_t name_len;

	if (h->len < head)
		return OK;
	name_len = le16_get(data + offsetof(struct btrfs_root_ref, name_len));
	folder.objectid = le64_get(data + offsetof(struct btrfs_root_ref, dirid));
	/* Gone since, or below a folder that is. */
	if (head + name_len > h->len || ioctl(fd, BTRFS_IOC_INO_LOOKUP, &folder) < 0)
		return OK;
	folder.name[sizeof(folder.name) - 1] = '\0';
	if (all->n >= LIST_MAX)
		return error_set(err, ERR_LIMIT, "more than %d subvolumes", LIST_MAX);
	grown = reallocarray(all->list, all->n + 1, sizeof(*grown));
	if (grown == NULL)
		return error_no_memory(err);
	all->list = grown;
	/* The folder's name comes with a slash at its end, or is empty. */
	if (asprintf(&s.path, "%s%.*s", folder.name, (int)name_len, (const char *)data + head) < 0)
		return error_no_memory(err);
	grown[all->n++] = s;
	return OK;
}

static int
search(int fd, struct subvolume_list *all, struct error *err)
{
	CLEAN(free_ptr)
	struct btrfs_ioctl_search_args_v2 *args = calloc(1, sizeof(*args) + SEARCH_BUFFER);
	struct btrfs_ioctl_search_key *key;

	if (args == NULL)
		return error_no_memory(err);
	key = &args->key;
	*key = (struct btrfs_ioctl_search_key){
		.tree_id = BTRFS_ROOT_TREE_OBJECTID,
		.min_objectid = BTRFS_FIRST_FREE_OBJECTID,
		.max_objectid = BTRFS_LAST_FREE_OBJECTID,
		.min_type = BTRFS_ROOT_BACKREF_KEY,
		.max_type = BTRFS_ROOT_BACKREF_KEY,
		.max_offset = UINT64_MAX,
		.max_transid = UINT64_MAX,
	};
	for (;;) {
		const uint8_t *p = (const uint8_t *)args->buf;
		struct btrfs_ioctl_search_header h = {0};

		args->buf_size = SEARCH_BUFFER;
		key->nr_items = 4096;
		if (ioctl(fd, BTRFS_IOC_TREE_SEARCH_V2, args) < 0)
			return error_sys(err, errno == EPERM ? ERR_PERMISSION : ERR_IO,
					 "list the subvolumes");
		if (key->nr_items == 0)
			return OK;
		for (uint32_t i = 0; i < key->nr_items; i++) {
			memcpy(&h, p, sizeof(h));
			/* The range is over whole keys, so that other types lie between. */
			if (h.type == BTRFS_ROOT_BACKREF_KEY &&
			    take_reference(fd, &h, p + sizeof(h), all, err) < 0)
				return err->code;
			p += sizeof(h) + h.len;
		}
		key->min_objectid = h.objectid;
		key->min_type = h.type;
		key->min_offset = h.offset + 1;
		if (key->min_offset == 0)
			key->min_objectid++;
	}
}

static const struct subvolume *
by_id(const struct subvolume_list *l, uint64_t id)
{
	size_t from = 0, to = l->n; /* the search gives them in order */

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (l->list[middle].id < id)
			from = middle + 1;
		else
			to = middle;
	}
	return from < l->n && l->list[from].id == id ? &l->list[from] : NULL;
}

/* From the path within the parent to the one within the file system; NULL if it hangs nowhere. */
static char *
whole_path(const struct subvolume_list *l, const struct subvolume *s)
{
	char *path = strdup(s->path);
	int depth = 0;

	while (path != NULL && s->parent != BTRFS_FS_TREE_OBJECTID) {
		CLEAN(free_ptr) char *below = path;

		s = by_id(l, s->parent);
		path = NULL;
		if (s == NULL || ++depth > DEPTH_MAX ||
		    asprintf(&path, "%s/%s", s->path, below) < 0)
			return NULL;
	}
	return path;
}

int
subvolume_list_read(int fd, struct subvolume_list *ret, struct error *err)
{
	CLEAN(subvolume_list_done) struct subvolume_list parts = {0}, whole = {0};

	if (search(fd, &parts, err) < 0)
		return err->code;
	whole.list = calloc(MAX(parts.n, (size_t)1), sizeof(*whole.list));
	if (whole.list == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < parts.n; i++) {
		struct subvolume s = parts.list[i];

		s.path = whole_path(&parts, &s);
		if (s.path != NULL)
			whole.list[whole.n++] = s;
	}
	*ret = whole;
	whole = (struct subvolume_list){0};
	return OK;
}

int
subvolume_at_mount(const struct subvolume *s, const struct mount *m, char **ret, struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	CLEAN(free_ptr) char *path = NULL;
	const char *root = m->root + (m->root[0] == '/'), *rest = s->path;
	size_t n = strlen(root);

	*ret = NULL;
	if (n > 0 && (strncmp(rest, root, n) != 0 || (rest[n] != '/' && rest[n] != '\0')))
		return OK;
	rest += n;
	rest += *rest == '/';
	if (asprintf(&path, "%s%s%s", strcmp(m->point, "/") == 0 ? "" : m->point,
		     *rest != '\0' || strcmp(m->point, "/") == 0 ? "/" : "", rest) < 0)
		return error_no_memory(err);
	/* Something else may have been mounted above it. */
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && subvolume_is_top(fd) && subvolume_id(fd) == s->id)
		*ret = STEAL_PTR(path);
	return OK;
}

int
subvolume_each_at_mount(const struct mount *m, subvolume_seen_fn *seen, void *arg,
			struct error *err)
{
	CLEAN(subvolume_list_done) struct subvolume_list list = {0};
	CLEAN(fd_close) int fd = open(m->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error ignored = ERROR_INIT;

	if (fd < 0 || subvolume_list_read(fd, &list, &ignored) < 0)
		return OK;
	for (size_t i = 0; i < list.n; i++) {
		CLEAN(free_ptr) char *path = NULL;

		if (subvolume_at_mount(&list.list[i], m, &path, err) < 0 ||
		    (path != NULL && seen(m, path, arg, err) < 0))
			return err->code;
	}
	return OK;
}
