/* SPDX-License-Identifier: Apache-2.0 */

/* One function for each thing that is asked of lvm2; its reports are read field by field. */
#include "provider/lvm_tools.h"

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/text.h"
#include "provider/below.h"
#include "provider/tool.h"

#define PREFIX "holdfast-" /* of the names of our volumes */
#define TAG "holdfast"
#define LIMIT_NS (60 * NS_PER_S) /* of what nobody waits for */

enum { REPORT_MAX = 1 << 20, TAG_MAX = 512, FIELDS_MAX = 8, EXTENT = 4 << 20 };

#define ARG(text) ((char *)(uintptr_t)(text)) /* argv is not changed */

static char *
volume_name(const struct snapshot *s, char text[LVM_NAME_MAX])
{
	char name[SNAPSHOT_NAME_MAX];

	(void)snprintf(text, LVM_NAME_MAX, PREFIX "%s", snapshot_name(s, name));
	return text;
}

/* The next line of a report into its fields, which are at least n; false at the end. */
static bool
next_row(char **rest, char *fields[FIELDS_MAX], size_t n)
{
	char *line;

	while ((line = strsep(rest, "\n")) != NULL) {
		size_t found = 0;
		char *field;

		line += strspn(line, " ");
		while (found < FIELDS_MAX && (field = strsep(&line, "|")) != NULL)
			fields[found++] = field;
		if (found >= n)
			return true;
	}
	return false;
}

static int
report(const char *columns, const char *select, const char *what, struct buf *ret,
       struct error *err)
{
	char *argv[] = {ARG("lvs"),         ARG("--noheadings"),
			ARG("--separator"), ARG("|"),
			ARG("--units"),     ARG("b"),
			ARG("--nosuffix"),  ARG("-o"),
			ARG(columns),       ARG(select != NULL ? "-S" : what),
			ARG(select),        NULL};

	if (tool_run(argv, NULL, clock_boot_ns() + LIMIT_NS, ret, err) < 0)
		return err->code;
	return buf_u8(ret, 0, err);
}

int
lvm_tools_origin(const char *device, uint64_t snapshot_bytes, struct lvm_origin *ret,
		 struct error *err)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(REPORT_MAX);
	struct lvm_origin o = {0};
	char *fields[FIELDS_MAX], *rest;
	uint64_t bytes;

	if (report("vg_name,lv_name,segtype,lv_size", NULL, device, &text, err) < 0)
		return err->code;
	rest = (char *)text.p;
	if (!next_row(&rest, fields, 4))
		return error_set(err, ERR_SOURCE, "lvm2 knows no volume '%s'", device);
	(void)text_printf(o.vg, sizeof(o.vg), "%s", fields[0]);
	(void)text_printf(o.lv, sizeof(o.lv), "%s", fields[1]);
	o.thin = strcmp(fields[2], "thin") == 0;
	bytes = strtoull(fields[3], NULL, 10);
	o.snapshot_bytes = snapshot_bytes != 0 ? snapshot_bytes : MAX(bytes / 10, (uint64_t)EXTENT);
	*ret = o;
	return OK;
}

int
lvm_tools_pack(const struct lvm_origin *o, struct snapshot *s, struct error *err)
{
	char name[LVM_NAME_MAX];

	if (!text_printf(s->detail, sizeof(s->detail), "%s/%s %llu %s", o->vg, o->lv,
			 o->thin ? 0ULL : (unsigned long long)o->snapshot_bytes, o->type) ||
	    !text_printf(s->place, sizeof(s->place), "/dev/%s/%s", o->vg, volume_name(s, name)))
		return error_set(err, ERR_LIMIT, "the name of the volume is too long");
	return OK;
}

bool
lvm_tools_unpack(const struct snapshot *s, struct lvm_origin *ret)
{
	struct lvm_origin o = {0};
	char text[SNAPSHOT_PATH_MAX], *rest = text, *number, *end;

	memcpy(text, s->detail, sizeof(text));
	const char *vg = strsep(&rest, "/"), *lv = strsep(&rest, " ");
	number = strsep(&rest, " ");
	if (lv == NULL || number == NULL || rest == NULL ||
	    !text_printf(o.vg, sizeof(o.vg), "%s", vg) ||
	    !text_printf(o.lv, sizeof(o.lv), "%s", lv) ||
	    !text_printf(o.type, sizeof(o.type), "%s", rest))
		return false;
	o.snapshot_bytes = strtoull(number, &end, 10);
	if (*number == '\0' || *end != '\0')
		return false;
	o.thin = o.snapshot_bytes == 0;
	*ret = o;
	return true;
}

/* Whose it is, in the letters that a tag may have. */
static char *
root_tag(const char *root, char text[TAG_MAX])
{
	(void)text_printf(text, TAG_MAX, TAG "-at-%s", root);
	for (char *p = text; *p != '\0'; p++)
		if (strchr("/_+.-", *p) == NULL && !(*p >= '0' && *p <= '9') &&
		    !(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z'))
			*p = '_';
	return text;
}

int
lvm_tools_create(const struct lvm_origin *o, const struct snapshot *s, const char *root,
		 uint64_t deadline_ns, struct error *err)
{
	char name[LVM_NAME_MAX], origin[2 * LVM_NAME_MAX], size[32], set_tag[64], at[TAG_MAX];
	char hex[2 * SNAPSHOT_SET_SIZE + 1];
	char *argv[24] = {
		ARG("lvcreate"), ARG("-s"),       ARG("-y"), ARG("-q"), ARG("--addtag"),
		ARG(TAG),        ARG("--addtag"), set_tag,   ARG("-n"), volume_name(s, name)};
	size_t n = 10;

	argv[n++] = ARG("--addtag");
	argv[n++] = root_tag(root, at);
	(void)snprintf(set_tag, sizeof(set_tag), TAG "-%s",
		       hex_encode(s->set, sizeof(s->set), hex));
	(void)snprintf(origin, sizeof(origin), "%s/%s", o->vg, o->lv);
	(void)snprintf(size, sizeof(size), "%llub", (unsigned long long)o->snapshot_bytes);
	if (!o->thin) {
		argv[n++] = ARG("-L");
		argv[n++] = size;
	}
	argv[n++] = origin;
	argv[n] = NULL;
	return tool_run(argv, NULL, deadline_ns, NULL, err);
}

int
lvm_tools_activate(const char *vg, const struct snapshot *s, struct error *err)
{
	char name[LVM_NAME_MAX], path[2 * LVM_NAME_MAX];
	/* Thin snapshots are passed over by activation unless told so. */
	char *argv[] = {ARG("lvchange"), ARG("-ay"), ARG("-K"), path, NULL};

	(void)snprintf(path, sizeof(path), "%s/%s", vg, volume_name(s, name));
	return tool_run(argv, NULL, clock_boot_ns() + LIMIT_NS, NULL, err);
}

/* "a,b,c" has b. */
static bool
has_tag(char *tags, const char *tag)
{
	char *one;

	while ((one = strsep(&tags, ",")) != NULL)
		if (strcmp(one, tag) == 0)
			return true;
	return false;
}

int
lvm_tools_find(const struct snapshot *s, char ret_vg[LVM_NAME_MAX], struct error *err)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(REPORT_MAX);
	char name[LVM_NAME_MAX], select[LVM_NAME_MAX + 16], *fields[FIELDS_MAX], *rest;

	(void)snprintf(select, sizeof(select), "lv_name=%s", volume_name(s, name));
	if (report("vg_name,lv_name,lv_tags", select, NULL, &text, err) < 0)
		return err->code;
	rest = (char *)text.p;
	if (!next_row(&rest, fields, 3))
		return 0;
	if (!has_tag(fields[2], TAG))
		return error_set(err, ERR_PERMISSION, "the volume '%s/%s' carries no tag of ours",
				 fields[0], fields[1]);
	(void)text_printf(ret_vg, LVM_NAME_MAX, "%s", fields[0]);
	return 1;
}

int
lvm_tools_remove(const char *vg, const struct snapshot *s, struct error *err)
{
	struct below_patience patience = BELOW_PATIENCE_INIT;
	char name[LVM_NAME_MAX], path[2 * LVM_NAME_MAX];
	char *argv[] = {ARG("lvremove"), ARG("-f"), ARG("-y"), ARG("-q"), path, NULL};
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s", vg, volume_name(s, name));
	do
		r = tool_run(argv, NULL, clock_boot_ns() + LIMIT_NS, NULL, err);
	while (r < 0 && strstr(err->msg, "in use") != NULL && below_wait(&patience));
	return r;
}

/* "12.34": hundredths. */
static uint64_t
hundredths(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10) * 100;

	if (*end == '.' && end[1] >= '0' && end[1] <= '9') {
		n += (uint64_t)(end[1] - '0') * 10;
		if (end[2] >= '0' && end[2] <= '9')
			n += (uint64_t)(end[2] - '0');
	}
	return n;
}

int
lvm_tools_usage(const char *vg, const char *lv, uint64_t *ret_used, uint64_t *ret_bytes,
		struct error *err)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(REPORT_MAX);
	char path[2 * LVM_NAME_MAX], pool[2 * LVM_NAME_MAX], *fields[FIELDS_MAX], *rest;

	(void)snprintf(path, sizeof(path), "%s/%s", vg, lv);
	if (report("lv_size,data_percent,metadata_percent,pool_lv", NULL, path, &text, err) < 0)
		return err->code;
	rest = (char *)text.p;
	if (!next_row(&rest, fields, 4))
		return error_set(err, ERR_NOT_FOUND, "no volume '%s'", path);
	if (fields[3][0] != '\0') { /* a thin one fills its pool */
		(void)text_printf(pool, sizeof(pool), "%s", fields[3]);
		pool[strcspn(pool, "[] ")] = '\0';
		return lvm_tools_usage(vg, pool, ret_used, ret_bytes, err);
	}
	*ret_bytes = strtoull(fields[0], NULL, 10);
	/* Either of a pool's two may run out first. */
	*ret_used = MAX(hundredths(fields[1]), hundredths(fields[2]));
	return OK;
}

int
lvm_tools_each(const char *root, lvm_tools_each_fn *each, void *arg, struct error *err)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(REPORT_MAX);
	char *fields[FIELDS_MAX], *rest, at[TAG_MAX];

	if (report("vg_name,lv_name,lv_tags", "lv_tags=" TAG, NULL, &text, err) < 0)
		return err->code;
	rest = (char *)text.p;
	while (next_row(&rest, fields, 3)) {
		struct snapshot s = {.provider = "lvm", .source = "/"};

		if (has_tag(fields[2], root_tag(root, at)) &&
		    strncmp(fields[1], PREFIX, strlen(PREFIX)) == 0 &&
		    snapshot_name_parse(fields[1] + strlen(PREFIX), &s) &&
		    text_printf(s.place, sizeof(s.place), "/dev/%s/%s", fields[0], fields[1]) &&
		    each(&s, arg, err) < 0)
			return err->code;
	}
	return OK;
}

/* "vg--name-lv": how device mapper calls it. */
static void
add_name(char *to, size_t size, const char *name)
{
	size_t n = strlen(to);

	for (; *name != '\0' && n + 2 < size; name++) {
		to[n++] = *name;
		if (*name == '-')
			to[n++] = '-';
	}
	to[n] = '\0';
}

void
lvm_tools_resume(const struct lvm_origin *o)
{
	CLEAN(fd_close) int fd = -1;
	struct dm_ioctl dm = {.version = {4, 0, 0}, .data_size = sizeof(dm)};

	fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	add_name(dm.name, sizeof(dm.name), o->vg);
	(void)text_printf(dm.name + strlen(dm.name), 4, "-");
	add_name(dm.name, sizeof(dm.name), o->lv);
	if (ioctl(fd, DM_DEV_STATUS, &dm) < 0 || (dm.flags & DM_SUSPEND_FLAG) == 0)
		return;
	dm.flags = 0;
	dm.data_size = sizeof(dm);
	(void)ioctl(fd, DM_DEV_SUSPEND, &dm);
}
