/* SPDX-License-Identifier: Apache-2.0 */

/* What was backed up, as its metadata has it, and a look at what lies in the target. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/fs.h"
#include "base/json.h"
#include "writer/postgresql/pgrestore_internal.h"

int
pgrestore_plan_read(const json_t *m, struct pgrestore_plan *p, struct error *err)
{
	const char *writer, *mode;
	uint64_t format, version;

	if (json_get_str(m, "writer", &writer, err) < 0 ||
	    json_get_u64(m, "format", &format, err) < 0)
		return error_prefix(err, "metadata");
	if (strcmp(writer, "postgresql") != 0)
		return error_set(err, ERR_WRITER_FAILED, "this is a backup of '%s'", writer);
	p->image = format == PGRESTORE_FORMAT_IMAGE;
	if (format > PGRESTORE_FORMAT_IMAGE) {
		(void)error_set(err, ERR_WRITER_FAILED, "made by a newer version of this writer");
		return error_hint(err, "upgrade Holdfast on this machine");
	}
	if (json_get_u64(m, "version_num", &version, err) < 0 ||
	    json_get_u64(m, "catalog_version", &p->catalog_version, err) < 0 ||
	    json_get_str(m, "system_identifier", &p->system_identifier, err) < 0 ||
	    json_get_str(m, "data_directory_mode", &mode, err) < 0 ||
	    json_get_u64(m, "wal_segment_size", &p->wal_segment_bytes, err) < 0 ||
	    json_get_arr(m, "tablespaces", &p->tablespaces, err) < 0 ||
	    (!p->image && json_get_arr(m, "wal", &p->wal, err) < 0))
		return error_prefix(err, "metadata");
	p->version_num = (int)(version % 1000000);
	p->dir_mode = strcmp(mode, "0750") == 0 ? 0750 : 0700;
	return dialect_find(p->version_num, &p->dialect, err);
}

int
pgrestore_path_of(const json_t *j, struct buf *b, const char **ret, struct error *err)
{
	buf_reset(b);
	int rc = json_bytes_get(j, b, err);
	if (rc == OK)
		rc = buf_u8(b, 0, err);
	if (rc == OK)
		*ret = (const char *)b->p;
	return rc;
}

int
pgrestore_open(int dir, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

enum err
pgrestore_incomplete(const struct pgrestore_finishing *f, const char *what, struct error *err)
{
	(void)error_set(err, ERR_CORRUPT, "the cluster restored to '%s' is not complete: %s",
			f->r->target, what);
	return error_hint(err, "restore it again, whole; if that does not help use another restore "
			       "point");
}

int
pgrestore_read(const struct pgrestore_finishing *f, const char *path, struct buf *b,
	       struct error *err)
{
	CLEAN(fd_close) int fd = pgrestore_open(f->dir, path, O_RDONLY);
	size_t n;

	if (fd < 0 && errno == ENOENT)
		return pgrestore_incomplete(f, path, err);
	if (fd < 0)
		return error_sys(err, ERR_TARGET, "open '%s/%s'", f->r->target, path);
	buf_reset(b);
	int rc = buf_reserve(b, PGRESTORE_FILE_MAX, err);
	if (rc == OK)
		rc = fs_pread(fd, b->p, PGRESTORE_FILE_MAX, 0, &n, err);
	if (rc < 0)
		return error_prefix(err, "'%s/%s'", f->r->target, path);
	b->n = n;
	return OK;
}
