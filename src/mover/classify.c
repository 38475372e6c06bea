/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Three kinds of evidence: the file is of a kind known to change in place, by its first bytes or its
 * name; it was paged before; it did change in place since the last backup. The kind goes first, since
 * it also knows the page size and says the same each time: another page size means storing it anew.
 */
#include "mover/classify.h"

#include <string.h>
#include <strings.h>

#include "base/le.h"

enum { PAGE_DEFAULT = 4096, PAGE_INNODB = 16384 };

static const struct {
	const char *suffix;
	uint32_t page_size;
} suffixes[] = {
	/* disk images */
	{".img", PAGE_DEFAULT},
	{".qcow2", PAGE_DEFAULT},
	{".raw", PAGE_DEFAULT},
	{".vdi", PAGE_DEFAULT},
	{".vhd", PAGE_DEFAULT},
	{".vhdx", PAGE_DEFAULT},
	{".vmdk", PAGE_DEFAULT},
	/* databases */
	{".db", PAGE_DEFAULT},
	{".dbf", 8192},
	{".fdb", PAGE_DEFAULT},
	{".ibd", PAGE_INNODB},
	{".mdb", PAGE_DEFAULT},
	{".mdf", 8192},
	{".ndf", 8192},
	{".sqlite", PAGE_DEFAULT},
	{".sqlite3", PAGE_DEFAULT},
	{".wt", PAGE_DEFAULT},
};

static bool
has_at(struct slice head, size_t offset, const void *magic, size_t n)
{
	return head.n >= offset + n && memcmp(head.p + offset, magic, n) == 0;
}

/* SQLite says its page size itself; smaller pages than ours are taken several at a time. */
static uint32_t
sqlite_page_size(struct slice head)
{
	uint32_t size = (uint32_t)head.p[16] << 8 | head.p[17];

	if (size == 1) /* how the format spells 65536 */
		return 65536;
	if (size < PAGE_DEFAULT || (size & (size - 1)) != 0)
		return PAGE_DEFAULT;
	return size;
}

/*
 * A PostgreSQL relation begins with a page whose header says its own size and layout (4 since 8.3) and
 * whose bounds are in order. This is for clusters that are backed up as plain folders, stopped; a
 * running one comes through its writer, which names its pages.
 */
static uint32_t
postgresql_page_size(struct slice head)
{
	if (head.n < 24)
		return 0;
	uint32_t lower = le16_get(head.p + 12), upper = le16_get(head.p + 14);
	uint32_t special = le16_get(head.p + 16), size = le16_get(head.p + 18) & 0xff00;

	if ((head.p[18] & 0xff) != 4 || size < PAGE_DEFAULT || (size & (size - 1)) != 0 ||
	    lower < 24 || lower > upper || upper > special || special > size)
		return 0;
	return size;
}

/* A WAL segment: its first page has a long header. Recycled in place, so pages suit it. */
static bool
is_postgresql_wal(struct slice head)
{
	return head.n >= 4 && head.p[1] == 0xd1 && (head.p[2] & 0x02) != 0 && head.p[3] == 0;
}

static uint32_t
by_content(struct slice head)
{
	static const char sqlite[] = "SQLite format 3"; /* its zero belongs to it */
	static const uint8_t vdi[] = {0x7f, 0x10, 0xda, 0xbe};
	static const uint8_t lmdb[] = {0xde, 0xc0, 0xef, 0xbe};

	if (has_at(head, 0, sqlite, sizeof(sqlite)) && head.n >= 18)
		return sqlite_page_size(head);
	if (has_at(head, 0, "QFI\xfb", 4) || has_at(head, 0, "KDMV", 4) ||
	    has_at(head, 0, "vhdxfile", 8) || has_at(head, 0, "conectix", 8) ||
	    has_at(head, 64, vdi, sizeof(vdi)) || has_at(head, 16, lmdb, sizeof(lmdb)))
		return PAGE_DEFAULT;
	if (is_postgresql_wal(head))
		return 8192;
	return postgresql_page_size(head);
}

static uint32_t
by_name(struct slice name)
{
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		size_t n = strlen(suffixes[i].suffix);

		if (name.n > n &&
		    strncasecmp((const char *)name.p + name.n - n, suffixes[i].suffix, n) == 0)
			return suffixes[i].page_size;
	}
	if (name.n >= 6 && memcmp(name.p, "ibdata", 6) == 0)
		return PAGE_INNODB;
	return 0;
}

uint32_t
classify_page_size(struct slice name, uint64_t size, struct slice head,
		   const struct classify_past *past)
{
	uint32_t page_size;

	if (size < CLASSIFY_MIN)
		return 0;
	page_size = by_content(head);
	if (page_size == 0)
		page_size = by_name(name);
	if (page_size == 0 && past->known && (past->paged || past->same_file))
		page_size = PAGE_DEFAULT;
	return page_size;
}
