/* SPDX-License-Identifier: Apache-2.0 */

/* Reading and writing marks. Values are written so that a line is a line whatever bytes are in it. */
#include "provider/ownmark.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/text.h"

#define HEAD "holdfast snapshot 1"
#define SUFFIX ".mark"

enum { MARK_MAX = 16 * 1024, FILE_NAME_MAX = SNAPSHOT_NAME_MAX + sizeof(SUFFIX) };

static enum err
code_of(int sys)
{
	return sys == EEXIST ? ERR_EXISTS : sys == ENOENT ? ERR_NOT_FOUND : ERR_IO;
}

static char *
file_name(const struct snapshot *s, char text[FILE_NAME_MAX])
{
	char name[SNAPSHOT_NAME_MAX];

	(void)snprintf(text, FILE_NAME_MAX, "%s" SUFFIX, snapshot_name(s, name));
	return text;
}

static int
put(struct buf *b, const char *key, const char *value, struct error *err)
{
	if (buf_printf(b, err, "%s ", key) < 0)
		return err->code;
	for (const char *p = value; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;
		int r = c <= ' ' || c == '%' || c == 0x7f ? buf_printf(b, err, "%%%02x", c)
							  : buf_u8(b, c, err);
		if (r < 0)
			return r;
	}
	return buf_u8(b, '\n', err);
}

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False if it is too long or badly written. */
static bool
take(const char *value, char *to, size_t size)
{
	size_t n = 0;

	for (const char *p = value; *p != '\0'; p++, n++) {
		if (n + 1 >= size)
			return false;
		to[n] = *p;
		if (*p != '%')
			continue;
		int high = digit(p[1]), low = high < 0 ? -1 : digit(p[2]);
		if (low < 0)
			return false;
		to[n] = (char)(high << 4 | low);
		p += 2;
	}
	to[n] = '\0';
	return true;
}

static bool
parse(char *text, struct snapshot *s, char root[SNAPSHOT_PATH_MAX])
{
	char *rest = NULL, *line = strtok_r(text, "\n", &rest);

	if (line == NULL || strcmp(line, HEAD) != 0)
		return false;
	while ((line = strtok_r(NULL, "\n", &rest)) != NULL) {
		char *value = strchr(line, ' ');
		bool good = true;

		if (value == NULL)
			return false;
		*value++ = '\0';
		if (strcmp(line, "provider") == 0)
			good = take(value, s->provider, sizeof(s->provider));
		else if (strcmp(line, "source") == 0)
			good = take(value, s->source, sizeof(s->source));
		else if (strcmp(line, "place") == 0)
			good = take(value, s->place, sizeof(s->place));
		else if (strcmp(line, "detail") == 0)
			good = take(value, s->detail, sizeof(s->detail));
		else if (strcmp(line, "root") == 0)
			good = take(value, root, SNAPSHOT_PATH_MAX);
		if (!good)
			return false;
	}
	return s->provider[0] != '\0' && s->source[0] == '/';
}

/* Whole or not at all, and without a trace if this process is killed: written without a name, or where
 * the file system knows no such files, under another one. */
static int
open_unnamed(int dirfd, char temporary[FILE_NAME_MAX + 1], struct error *err)
{
	int fd = openat(dirfd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	if (fd >= 0)
		temporary[0] = '\0';
	else if (errno == EOPNOTSUPP || errno == EISDIR)
		fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    0600);
	return fd < 0 ? (int)error_sys(err, code_of(errno), "create a mark") : fd;
}

static int
write_mark(int dirfd, const char *name, struct slice text, struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	char temporary[FILE_NAME_MAX + 1], self[64];

	(void)snprintf(temporary, sizeof(temporary), "%s~", name);
	fd = open_unnamed(dirfd, temporary, err);
	if (fd < 0)
		return fd;
	if (fs_write(fd, text.p, text.n, err) < 0)
		return error_prefix(err, "'%s'", name);
	if (fsync(fd) < 0)
		return error_sys(err, ERR_IO, "sync '%s'", name);
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, self, dirfd, name, AT_SYMLINK_FOLLOW) < 0)
		return error_sys(err, code_of(errno), "create '%s'", name);
	if (temporary[0] != '\0' && unlinkat(dirfd, temporary, 0) < 0)
		return error_sys(err, ERR_IO, "remove '%s'", temporary);
	return fs_sync_parent(dirfd, NULL, err);
}

int
ownmark_make(int dirfd, const struct snapshot *s, const struct provider_settings *settings,
	     struct error *err)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(MARK_MAX);
	char name[FILE_NAME_MAX];
	int r;

	if (buf_printf(&text, err, "%s\n", HEAD) < 0 ||
	    put(&text, "provider", s->provider, err) < 0 ||
	    put(&text, "source", s->source, err) < 0 || put(&text, "place", s->place, err) < 0 ||
	    put(&text, "detail", s->detail, err) < 0 ||
	    put(&text, "root", settings->mount_root, err) < 0)
		return err->code;
	r = write_mark(dirfd, file_name(s, name), buf_slice(&text), err);
	if (r < 0 && r != ERR_EXISTS)
		(void)!ownmark_remove(dirfd, s, NULL);
	return r;
}

/* As ownmark_read, by the file's name; 0 also if the name is of something else. */
static int
read_mark(int dirfd, const char *name, struct snapshot *ret, char ret_root[SNAPSHOT_PATH_MAX],
	  struct error *err)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(MARK_MAX);
	CLEAN(fd_close) int fd = -1;
	struct snapshot s = {0};
	char stem[FILE_NAME_MAX] = "";
	size_t n = strlen(name), suffix = strlen(SUFFIX), got = 0;
	struct stat st;

	if (n <= suffix || n >= sizeof(stem) || strcmp(name + n - suffix, SUFFIX) != 0)
		return 0;
	memcpy(stem, name, n - suffix);
	if (!snapshot_name_parse(stem, &s))
		return 0;
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, ERR_IO, "open the mark '%s'", name);
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 0022) != 0)
		return error_set(err, ERR_PERMISSION, "the mark '%s' is not ours", name);
	if (buf_reserve(&text, MARK_MAX - 1, err) < 0 ||
	    fs_pread(fd, text.p, MARK_MAX - 1, 0, &got, err) < 0)
		return err->code;
	text.p[got] = '\0';
	ret_root[0] = '\0';
	if (!parse((char *)text.p, &s, ret_root))
		return error_set(err, ERR_PERMISSION, "the mark '%s' cannot be read", name);
	*ret = s;
	return 1;
}

int
ownmark_read(int dirfd, const struct snapshot *s, struct snapshot *ret, struct error *err)
{
	char name[FILE_NAME_MAX], root[SNAPSHOT_PATH_MAX];
	struct snapshot found;
	int r = read_mark(dirfd, file_name(s, name), &found, root, err);

	if (r <= 0)
		return r;
	if (strcmp(found.provider, s->provider) != 0)
		return error_set(err, ERR_PERMISSION, "'%s' belongs to provider '%s'", name,
				 found.provider);
	if (ret != NULL)
		*ret = found;
	return 1;
}

int
ownmark_remove(int dirfd, const struct snapshot *s, struct error *err)
{
	char name[FILE_NAME_MAX], temporary[FILE_NAME_MAX + 1];

	(void)snprintf(temporary, sizeof(temporary), "%s~", file_name(s, name));
	if ((unlinkat(dirfd, temporary, 0) < 0 && errno != ENOENT) ||
	    (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT))
		return error_sys(err, ERR_IO, "remove '%s'", name);
	return OK;
}

static void
dir_close(DIR **dir)
{
	if (*dir != NULL)
		(void)closedir(*dir);
}

int
ownmark_each(int dirfd, const char *provider, const struct provider_settings *settings,
	     provider_each_fn *each, void *arg, struct error *err)
{
	CLEAN(fd_close) int fd = -1;
	CLEAN(dir_close) DIR *dir = NULL;
	const struct dirent *e;

	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL)
		return error_sys(err, ERR_IO, "read the folder of marks");
	(void)STEAL_FD(fd);
	while ((e = readdir(dir)) != NULL) {
		struct error ignored = ERROR_INIT;
		char root[SNAPSHOT_PATH_MAX];
		struct snapshot s;

		if (read_mark(dirfd, e->d_name, &s, root, &ignored) == 1 &&
		    strcmp(s.provider, provider) == 0 && strcmp(root, settings->mount_root) == 0 &&
		    each(&s, arg, err) < 0)
			return err->code;
	}
	return OK;
}
