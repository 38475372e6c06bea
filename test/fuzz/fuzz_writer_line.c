/* SPDX-License-Identifier: Apache-2.0 */

/* The writer protocol: bytes from a pipe cut into lines, lines into objects, objects into errors. */
#include <string.h>

#include "base/json.h"
#include "writer/lines.h"
#include "writer/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 4096 };

static void
parse(struct slice line)
{
	CLEAN(json_done) json_t *j = NULL;
	struct error told = ERROR_INIT, err = ERROR_INIT;

	if (line.n > MAX || memchr(line.p, '\n', line.n) != NULL)
		abort();
	if (wire_parse(line, &j, &err) < 0)
		return;
	const json_t *e = json_object_get(j, "error");
	if (wire_error_unpack(e != NULL ? e : j, &told, &err) == OK) {
		if (told.code == OK || memchr(told.msg, 0, sizeof(told.msg)) == NULL)
			abort();
		for (const char *p = told.msg; *p != 0; p++)
			if ((uint8_t)*p < ' ')
				abort();
		/* There and back: the same code. */
		CLEAN(json_done) json_t *packed = wire_error_pack(&told);
		struct error again = ERROR_INIT;
		if (packed != NULL && wire_error_unpack(packed, &again, &err) == OK &&
		    again.code != told.code)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	struct slice line;
	struct lines l;
	int ends[2], rc = 1;

	/* A pipe holds 64 KiB. In two parts, as they may come. */
	if (size < 1 || size > 60000 || pipe(ends) < 0)
		return 0;
	lines_init(&l, MAX);
	size_t first = data[0] % size;
	const struct slice parts[] = {SLICE(data, first), SLICE(data + first, size - first)};
	for (size_t i = 0; i < ARRAY_SIZE(parts) && rc >= 0; i++) {
		if (parts[i].n == 0)
			continue;
		if (write(ends[1], parts[i].p, parts[i].n) != (ssize_t)parts[i].n)
			abort();
		/* One read takes all that is in the pipe. */
		rc = lines_fill(&l, ends[0], &err);
		while (rc >= 0 && (rc = lines_next(&l, MAX, &line, &err)) == 1)
			parse(line);
	}
	(void)close(ends[1]);
	(void)close(ends[0]);
	lines_done(&l);
	return 0;
}
