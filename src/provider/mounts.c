/* SPDX-License-Identifier: Apache-2.0 */

/* The parser of mountinfo. */
#include "provider/mounts.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/fs.h"

enum { MOUNTINFO_MAX = 8 << 20 };

static void
mount_done(struct mount *m)
{
	free(m->root);
	free(m->point);
	free(m->type);
	free(m->source);
	*m = (struct mount){0};
}

void
mounts_done(struct mounts *m)
{
	for (size_t i = 0; i < m->n; i++)
		mount_done(&m->list[i]);
	free(m->list);
	*m = (struct mounts){0};
}

/* "\040" and its like become the byte they stand for. */
static char *
unescaped(const char *text)
{
	char *copy = malloc(strlen(text) + 1), *to = copy;

	if (copy == NULL)
		return NULL;
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
	return copy;
}

/* "rw,noatime": whether "ro" is among them. */
static bool
has_ro(const char *options)
{
	for (const char *p = options; p != NULL; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, "ro", 2) == 0 && (p[2] == ',' || p[2] == '\0'))
			return true;
	}
	return false;
}

/* The words of a line; how many there are varies with the optional fields before the lone dash. */
struct words {
	char *id, *parent, *device, *root, *point, *options;
	char *type, *source, *super_options;
};

static bool
split(char *line, struct words *w)
{
	char **const before[] = {&w->id, &w->parent, &w->device, &w->root, &w->point, &w->options};
	char **const after[] = {&w->type, &w->source, &w->super_options};
	char *rest = NULL, *word = strtok_r(line, " ", &rest);

	for (size_t i = 0; i < ARRAY_SIZE(before); i++, word = strtok_r(NULL, " ", &rest)) {
		if (word == NULL)
			return false;
		*before[i] = word;
	}
	while (word != NULL && strcmp(word, "-") != 0)
		word = strtok_r(NULL, " ", &rest);
	for (size_t i = 0; i < ARRAY_SIZE(after); i++) {
		word = strtok_r(NULL, " ", &rest);
		if (word == NULL)
			return false;
		*after[i] = word;
	}
	return true;
}

static int
parse_line(char *line, struct mounts *all, struct error *err)
{
	struct words w = {0};
	struct mount m = {0}, *grown;
	char *minor;

	if (!split(line, &w))
		return OK;
	m.id = strtoull(w.id, NULL, 10);
	m.parent = strtoull(w.parent, NULL, 10);
	m.device = strtoull(w.device, &minor, 10);
	if (*minor == ':')
		m.device = makedev((unsigned)m.device, (unsigned)strtoul(minor + 1, NULL, 10));
	m.read_only = has_ro(w.options) || has_ro(w.super_options);
	grown = reallocarray(all->list, all->n + 1, sizeof(*grown));
	if (grown == NULL)
		return error_no_memory(err);
	all->list = grown;
	m.root = unescaped(w.root);
	m.point = unescaped(w.point);
	m.type = unescaped(w.type);
	m.source = unescaped(w.source);
	grown[all->n++] = m;
	if (m.root == NULL || m.point == NULL || m.type == NULL || m.source == NULL)
		return error_no_memory(err);
	return OK;
}

int
mounts_parse(char *text, struct mounts *ret, struct error *err)
{
	CLEAN(mounts_done) struct mounts all = {0};
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest))
		if (parse_line(line, &all, err) < 0)
			return err->code;
	*ret = all;
	all = (struct mounts){0};
	return OK;
}

int
mounts_read(struct mounts *ret, struct error *err)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(MOUNTINFO_MAX);

	if (fs_read_file(AT_FDCWD, "/proc/self/mountinfo", &text, err) < 0 ||
	    buf_u8(&text, 0, err) < 0)
		return err->code;
	return mounts_parse((char *)text.p, ret, err);
}

const struct mount *
mounts_find(const struct mounts *m, uint64_t id)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->list[i].id == id)
			return &m->list[i];
	return NULL;
}

bool
mounts_is_pseudo(const char *type)
{
	/* As the mover knows them by number: what it would not walk into. */
	static const char *const types[] = {
		"binfmt_misc", "bpf",  "cgroup", "cgroup2",    "debugfs", "devpts", "efivarfs",
		"hugetlbfs",   "proc", "pstore", "securityfs", "sysfs",   "tracefs"};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

bool
mounts_is_volatile(const char *type)
{
	return strcmp(type, "tmpfs") == 0 || strcmp(type, "ramfs") == 0 ||
	       strcmp(type, "devtmpfs") == 0 || mounts_is_pseudo(type);
}
