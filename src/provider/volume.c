/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The kernel says which mount a path belongs to (statx's mount id), and /proc/self/mountinfo what
 * that mount is. Comparing path prefixes would be wrong wherever mounts cover each other.
 */
#include "provider/volume.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/text.h"

enum { MOUNTINFO_MAX = 8 << 20 };

void
volume_done(struct volume *v)
{
	free(v->mount_point);
	free(v->source);
	*v = (struct volume){0};
}

/* "\040" and its like become the byte they stand for, in place. */
static void
unescape(char *text)
{
	char *to = text;

	for (const char *p = text; *p != '\0'; to++) {
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
		    p[3] >= '0' && p[3] <= '7') {
			*to = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 4;
		} else {
			*to = *p++;
		}
	}
	*to = '\0';
}

/* "36 35 98:0 /root /mount/point rw,noatime master:1 - ext4 /dev/sda1 rw": fields 1 and 5, and the
 * first two after the lone dash. */
static int
parse_line(char *line, uint64_t mount_id, struct volume *ret, struct error *err)
{
	CLEAN(volume_done) struct volume v = {0};
	char *rest = NULL;
	char *word = strtok_r(line, " ", &rest);
	char *mount_point = NULL;
	int after_dash = 0;

	if (word == NULL || strtoull(word, NULL, 10) != mount_id)
		return 0;
	for (int n = 2; (word = strtok_r(NULL, " ", &rest)) != NULL; n++) {
		if (n == 5) {
			unescape(word);
			mount_point = word;
		} else if (after_dash == 1) {
			(void)text_printf(v.type, sizeof(v.type), "%s", word);
			after_dash = 2;
		} else if (after_dash == 2) {
			unescape(word);
			v.source = strdup(word);
			after_dash = 3;
		} else if (after_dash == 0 && strcmp(word, "-") == 0) {
			after_dash = 1;
		}
	}
	if (mount_point == NULL || after_dash != 3)
		return 0;
	v.mount_point = strdup(mount_point);
	if (v.mount_point == NULL || v.source == NULL)
		return error_no_memory(err);
	*ret = v;
	v = (struct volume){0};
	return 1;
}

int
volume_parse_mountinfo(char *text, uint64_t mount_id, struct volume *ret, struct error *err)
{
	char *rest = NULL;
	int r = 0;

	for (char *line = strtok_r(text, "\n", &rest); line != NULL && r == 0;
	     line = strtok_r(NULL, "\n", &rest))
		r = parse_line(line, mount_id, ret, err);
	return r;
}

int
volume_of(const char *path, struct volume *ret, struct error *err)
{
	CLEAN(buf_done) struct buf mounts = BUF_INIT(MOUNTINFO_MAX);
	CLEAN(volume_done) struct volume v = {0};
	struct statx st;
	int r;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_MNT_ID, &st) < 0)
		return error_sys(err, ERR_SOURCE, "open '%s'", path);
	r = fs_read_file(AT_FDCWD, "/proc/self/mountinfo", &mounts, err);
	if (r == OK)
		r = buf_u8(&mounts, 0, err);
	if (r == OK && (st.stx_mask & STATX_MNT_ID) != 0)
		r = volume_parse_mountinfo((char *)mounts.p, st.stx_mnt_id, &v, err);
	if (r < 0)
		return r;
	if (r == 0) {
		(void)text_printf(v.type, sizeof(v.type), "unknown");
		v.mount_point = strdup("");
		v.source = strdup("");
		if (v.mount_point == NULL || v.source == NULL)
			return error_no_memory(err);
	}
	v.device = makedev(st.stx_dev_major, st.stx_dev_minor);
	*ret = v;
	v = (struct volume){0};
	return OK;
}
