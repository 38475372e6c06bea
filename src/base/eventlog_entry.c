/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Wording an event. Fields are told apart by marks that are put into the format before the values
 * come in, so a value may hold blanks and '='.
 *
 * The journal is spoken to in its native protocol (a datagram of "NAME=value" lines), which is stable,
 * documented, and needs no library.
 */
#include "base/eventlog_entry.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/text.h"

#define MARK_TEXT '\x1f'
#define MARK_NUMBER '\x1e'

enum { FIELD_NAME_MAX = 40 };

/* The journal's name of our kind of messages; the event's number follows. */
#define MESSAGE_ID "8f2c4d7e91b34a06a5d3c07e1f60"

/* A text that is filled piece by piece; what does not fit is left out. */
struct piece {
	char *p;
	size_t n, size;
};

static void
put(struct piece *out, const char *text, size_t n)
{
	if (n >= out->size - out->n)
		n = out->size - out->n - 1;
	memcpy(out->p + out->n, text, n);
	out->n += n;
	out->p[out->n] = '\0';
}

static void
put_text(struct piece *out, const char *text)
{
	put(out, text, strlen(text));
}

/* The length of the UTF-8 character at p, 0 if it is none. */
static size_t
utf8_length(const unsigned char *p, size_t left)
{
	size_t n = p[0] < 0x80 ? 1 : (p[0] & 0xe0) == 0xc0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : 4;
	uint32_t c;

	if (n == 1)
		return 1;
	if ((n == 4 && (p[0] & 0xf8) != 0xf0) || n > left)
		return 0;
	c = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < (n == 2   ? 0x80u
		 : n == 3 ? 0x800u
			  : 0x10000u) ||
	    c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	return n;
}

/* A JSON string: at most `room` bytes of it, so that what follows always fits. */
static void
put_json(struct piece *out, const char *text, size_t n, size_t room)
{
	size_t end = out->n + room;

	put(out, "\"", 1);
	for (size_t i = 0; i < n && out->n + 8 < end;) {
		unsigned char c = (unsigned char)text[i];
		size_t length = utf8_length((const unsigned char *)text + i, n - i);
		char escaped[8];

		if (length == 0 || c < 0x20 || c == 0x7f) {
			(void)text_printf(escaped, sizeof(escaped), "\\u%04x",
					  length == 0 ? 0xfffdu : c);
			put_text(out, escaped);
			i++;
			continue;
		}
		if (c == '"' || c == '\\')
			put(out, "\\", 1);
		put(out, text + i, length);
		i += length;
	}
	put(out, "\"", 1);
}

/* Does a field's name with its '=' stand here? Its length, 0 if not. */
static size_t
name_length(const char *p)
{
	size_t n = 0;

	while ((p[n] >= 'a' && p[n] <= 'z') || (n > 0 && isdigit((unsigned char)p[n])) ||
	       p[n] == '_')
		n++;
	return n > 0 && p[n] == '=' ? n : 0;
}

/* Is the value in the format a whole %d or %u of any width? */
static bool
format_is_number(const char *p)
{
	if (*p++ != '%')
		return false;
	p += strspn(p, "hlzjt");
	return (*p == 'd' || *p == 'u' || *p == 'i') && (p[1] == '\0' || p[1] == ' ');
}

/* The length of the number, as JSON writes them and all of its readers take them, that the value begins
 * with; 0 if it is none. */
static size_t
number_length(const char *p)
{
	size_t sign = *p == '-', n = strspn(p + sign, "0123456789");

	return n > 0 && n <= 18 && (p[sign] != '0' || n == 1) ? sign + n : 0;
}

/* Is the value itself one? */
static bool
value_is_number(const char *p)
{
	size_t n = number_length(p);

	return n > 0 && (p[n] == '\0' || p[n] == ' ');
}

/* Everything behind it is its value. */
static bool
takes_the_rest(const char *name, size_t n)
{
	return (n == 5 && memcmp(name, "error", n) == 0) ||
	       (n == 5 && memcmp(name, "cause", n) == 0);
}

/* Put a mark in front of each name, instead of the blank there. */
static void
mark_names(const char *text, bool is_format, char *marked, size_t size)
{
	struct piece out = {.p = marked, .size = size};
	const char *p = text;
	bool looking = true;

	marked[0] = '\0';
	while (*p != '\0') {
		size_t skip = p != text && *p == ' ' ? 1 : 0;
		size_t n = looking && (p == text || skip > 0) ? name_length(p + skip) : 0;
		const char *value = p + skip + n + 1;

		if (n == 0) {
			/* A mark is only ever ours. */
			put(&out, *p == MARK_TEXT || *p == MARK_NUMBER ? "?" : p, 1);
			p++;
			continue;
		}
		char mark = (is_format ? format_is_number(value) : value_is_number(value))
				    ? MARK_NUMBER
				    : MARK_TEXT;
		put(&out, &mark, 1);
		put(&out, p + skip, n + 1);
		looking = is_format || !takes_the_rest(p + skip, n);
		p = value;
	}
}

static void
begin(struct eventlog_entry *entry, uint64_t wall_ns, enum event_id id, const char *job)
{
	entry->wall_ns = wall_ns;
	entry->id = id;
	(void)text_printf(entry->job, sizeof(entry->job), "%s", job != NULL ? job : "");
}

void
eventlog_entry_vmake(struct eventlog_entry *entry, uint64_t wall_ns, enum event_id id,
		     const char *job, const char *format, va_list ap)
{
	char marked[512];

	begin(entry, wall_ns, id, job);
	mark_names(format, true, marked, sizeof(marked));
	/* The caller's format was checked against its arguments; marking changes blanks only. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)text_vprintf(entry->fields, sizeof(entry->fields), marked, ap);
#pragma GCC diagnostic pop
}

void
eventlog_entry_make(struct eventlog_entry *entry, uint64_t wall_ns, enum event_id id,
		    const char *job, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	eventlog_entry_vmake(entry, wall_ns, id, job, format, ap);
	va_end(ap);
}

void
eventlog_entry_take(struct eventlog_entry *entry, uint64_t wall_ns, enum event_id id,
		    const char *job, const char *fields)
{
	begin(entry, wall_ns, id, job);
	mark_names(fields, false, entry->fields, sizeof(entry->fields));
}

struct field {
	const char *name, *value;
	size_t name_n, value_n;
	bool number;
};

/* The field at *pos; false at the end. Whatever a value holds, this ends and finds a name. */
static bool
next_field(const char **pos, struct field *ret)
{
	const char *p = *pos;

	while (*p == MARK_TEXT || *p == MARK_NUMBER) {
		size_t n = name_length(p + 1);
		size_t value_n;

		if (n == 0) {
			p += 1 + strcspn(p + 1, "\x1e\x1f");
			continue;
		}
		value_n = strcspn(p + n + 2, "\x1e\x1f");
		*ret = (struct field){.name = p + 1,
				      .name_n = n,
				      .value = p + n + 2,
				      .value_n = value_n,
				      .number = *p == MARK_NUMBER};
		*pos = p + n + 2 + value_n;
		return true;
	}
	return false;
}

static bool
is_named(const struct field *f, const char *name)
{
	return f->name_n == strlen(name) && memcmp(f->name, name, f->name_n) == 0;
}

/* "2026-11-25T14:25:06.224Z" */
static void
put_time(struct piece *out, uint64_t wall_ns)
{
	char text[32], ms[8];

	clock_format_utc(wall_ns, text);
	put(out, text, strlen(text) - 1);
	(void)text_printf(ms, sizeof(ms), ".%03uZ", (unsigned)(wall_ns % NS_PER_S / NS_PER_MS));
	put_text(out, ms);
}

static void
put_field(struct piece *out, const struct field *f, size_t room)
{
	put_json(out, f->name, f->name_n, FIELD_NAME_MAX + 16);
	put(out, ":", 1);
	/* Whatever the mark says: a line that is no JSON would be lost. */
	if (f->number && f->value_n > 0 && number_length(f->value) == f->value_n)
		put(out, f->value, f->value_n);
	else
		put_json(out, f->value, f->value_n, room);
}

/* Has a field of this name come before it? A value with " name=" in it, such as a path, may make one. */
static bool
is_repeated(const char *fields, const struct field *f)
{
	struct field earlier;

	while (next_field(&fields, &earlier) && earlier.name != f->name)
		if (earlier.name_n == f->name_n && memcmp(earlier.name, f->name, f->name_n) == 0)
			return true;
	return false;
}

/* The fields' object without "set", which is the event's. Leaves room for the end of the line. */
static void
put_fields(struct piece *out, const char *all)
{
	const char *fields = all;
	struct field f;
	bool first = true;

	put(out, "{", 1);
	while (next_field(&fields, &f)) {
		size_t left = out->size - out->n;

		if (is_named(&f, "set") || f.name_n > FIELD_NAME_MAX || is_repeated(all, &f))
			continue;
		if (left < 160)
			break;
		if (!first)
			put(out, ",", 1);
		first = false;
		put_field(out, &f, left - 120);
	}
	put(out, "}", 1);
}

size_t
eventlog_entry_line(const struct eventlog_entry *entry, const char *program, char *text,
		    size_t size)
{
	struct piece out = {.p = text, .size = size};
	const char *name = event_name(entry->id);
	const char *fields = entry->fields;
	char head[160];
	struct field f;

	put_text(&out, "{\"time\":\"");
	put_time(&out, entry->wall_ns);
	(void)text_printf(head, sizeof(head),
			  "\",\"time_ns\":%" PRIu64
			  ",\"id\":%u,\"name\":\"%s\",\"level\":\"%s\",\"program\":",
			  entry->wall_ns, (unsigned)entry->id, name != NULL ? name : "",
			  event_level_name(event_level(entry->id)));
	put_text(&out, head);
	put_json(&out, program, strlen(program), 64);
	(void)text_printf(head, sizeof(head), ",\"pid\":%d", (int)getpid());
	put_text(&out, head);
	if (entry->job[0] != '\0') {
		put_text(&out, ",\"job\":");
		put_json(&out, entry->job, strlen(entry->job), EVENTLOG_JOB_MAX * 6);
	}
	while (next_field(&fields, &f)) {
		if (!is_named(&f, "set") || f.value_n == 0)
			continue;
		put_text(&out, ",\"set\":");
		put_json(&out, f.value, f.value_n, 128);
		break;
	}
	put_text(&out, ",\"fields\":");
	put_fields(&out, entry->fields);
	put_text(&out, "}\n");
	return out.n;
}

const char *
eventlog_entry_fields(const struct eventlog_entry *entry, char text[EVENTLOG_FIELDS_MAX])
{
	size_t n = strlen(entry->fields);

	if (n == 0) {
		text[0] = '\0';
		return text;
	}
	memcpy(text, entry->fields + 1, n);
	for (char *p = text; *p != '\0'; p++)
		if (*p == MARK_TEXT || *p == MARK_NUMBER)
			*p = ' ';
		else if (iscntrl((unsigned char)*p))
			*p = '?';
	return text;
}

int
eventlog_entry_journal_open(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(to.sun_path))
		return -1;
	memcpy(to.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		fd_close(&fd), fd = -1;
	return fd;
}

void
eventlog_entry_journal(const struct eventlog_entry *entry, const char *program, int fd)
{
	static const int priorities[] = {
		[LOG_LEVEL_ERROR] = 3, [LOG_LEVEL_WARN] = 4,  [LOG_LEVEL_NOTICE] = 5,
		[LOG_LEVEL_INFO] = 6,  [LOG_LEVEL_DEBUG] = 7,
	};
	char fields[EVENTLOG_FIELDS_MAX];
	char message[EVENTLOG_LINE_MAX];

	(void)eventlog_entry_fields(entry, fields);
	(void)text_printf(
		message, sizeof(message),
		"MESSAGE=%s%s%s\nMESSAGE_ID=" MESSAGE_ID "%04x\nPRIORITY=%d\nSYSLOG_IDENTIFIER=%s\n"
		"HOLDFAST_EVENT=%u\nHOLDFAST_JOB=%s\n",
		event_text(entry->id) != NULL ? event_text(entry->id) : "",
		fields[0] != '\0' ? " " : "", fields, (unsigned)entry->id,
		priorities[event_level(entry->id)], program, (unsigned)entry->id, entry->job);
	/* A journal that is stuck must not stop us; what it cannot take at once is in the file. */
	(void)send(fd, message, strlen(message), MSG_DONTWAIT | MSG_NOSIGNAL);
}
