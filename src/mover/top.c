/* SPDX-License-Identifier: Apache-2.0 */

/* Keeping and giving back the attributes of a top folder. */
#include "mover/top.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "mover/attributes.h"

static int
open_folder(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int
top_record(const char *folder, json_t **ret, struct error *err)
{
	CLEAN(buf_done) struct buf xattrs = BUF_INIT(NODE_XATTRS_MAX);
	CLEAN(fd_close) int fd = open_folder(folder);
	struct node node = {0};
	struct stat st;
	json_t *j;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, ERR_SOURCE, "open '%s'", folder);
	if (!attributes_stat(&st, &node))
		return error_set(err, ERR_SOURCE, "'%s' is not a folder", folder);
	/* 0: some could not be kept; a database needs none of them. */
	if (attributes_read(fd, ATTRIBUTES_OPENED, &xattrs, err) < 0)
		return error_prefix(err, "'%s'", folder);
	j = json_pack("{s:i, s:I, s:I, s:I}", "mode", (int)node.mode, "uid", (json_int_t)node.uid,
		      "gid", (json_int_t)node.gid, "mtime_ns", (json_int_t)node.mtime_ns);
	if (j == NULL || (xattrs.n > 0 &&
			  json_object_set_new(j, "xattrs", json_bytes(xattrs.p, xattrs.n)) < 0)) {
		json_decref(j);
		return error_no_memory(err);
	}
	*ret = j;
	return OK;
}

int
top_parse(const json_t *root, struct buf *hold, struct node *ret, struct error *err)
{
	const json_t *top = json_object_get(root, "top");
	struct node node = {.type = NODE_DIR};
	uint64_t mode, uid, gid, mtime_ns;

	if (top == NULL)
		return 0;
	if (json_get_u64(top, "mode", &mode, err) < 0 || json_get_u64(top, "uid", &uid, err) < 0 ||
	    json_get_u64(top, "gid", &gid, err) < 0 ||
	    json_opt_u64(top, "mtime_ns", 0, &mtime_ns, err) < 0)
		return error_prefix(err, "the restore point's record");
	if (mode > 07777 || uid > UINT32_MAX || gid > UINT32_MAX)
		return error_set(err, ERR_CORRUPT, "the restore point has impossible attributes");
	buf_reset(hold);
	if (json_object_get(top, "xattrs") != NULL &&
	    json_bytes_get(json_object_get(top, "xattrs"), hold, err) < 0)
		return error_prefix(err, "the restore point's record");
	node.mode = (uint16_t)mode;
	node.uid = (uint32_t)uid;
	node.gid = (uint32_t)gid;
	node.mtime_ns = (int64_t)mtime_ns;
	node.xattrs = buf_slice(hold);
	*ret = node;
	return 1;
}

int
top_apply(const char *target, const struct node *node, bool owner, struct error *err)
{
	CLEAN(fd_close) int fd = open_folder(target);
	unsigned set = ATTRIBUTES_ALL & ~(owner ? 0u : (unsigned)ATTRIBUTES_OWNER);

	if (fd < 0)
		return error_sys(err, ERR_TARGET, "open '%s'", target);
	if (attributes_apply(fd, ATTRIBUTES_OPENED, node, set, err) < 0)
		return error_prefix(err, "'%s'", target);
	return OK;
}
