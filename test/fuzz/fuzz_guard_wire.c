/* SPDX-License-Identifier: Apache-2.0 */

/* Messages between agent and guard: what passes the check has texts that end, and one size. */
#include <string.h>

#include "guard/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_message m;
	struct error err = ERROR_INIT;

	if (size > sizeof(m))
		return 0;
	memset(&m, 0xff, sizeof(m));
	memcpy(&m, data, size);
	if (wire_check(&m, size, &err) < 0)
		return 0;
	if (size != wire_size(&m.head))
		abort();
	if (m.head.code != OK && (wire_get_error(&m, &err) != m.head.code ||
				  strlen(m.body.error.msg) >= sizeof(m.body.error.msg)))
		abort();
	if (m.head.code == OK && m.head.kind == WIRE_ADD && m.head.answer == 0 &&
	    strlen(m.body.add.source) >= sizeof(m.body.add.source))
		abort();
	return 0;
}
