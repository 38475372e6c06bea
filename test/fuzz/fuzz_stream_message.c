/* SPDX-License-Identifier: Apache-2.0 */

/* What a server sends inside COPY BOTH: whoever listens at its port may be anybody. */
#include "group/postgresql/stream_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	struct stream_message m;

	if (stream_message_parse(SLICE(data, size), &m, &err) < 0) {
		if (err.code != ERR_PROTOCOL || err.msg[0] == '\0')
			abort();
		return 0;
	}
	if (m.kind != STREAM_DATA && m.kind != STREAM_KEEPALIVE && m.kind != STREAM_OTHER)
		abort();
	/* What is handed on lies inside the message. */
	if (m.data.n > 0 &&
	    (m.data.p < data || m.data.n > size || (size_t)(m.data.p - data) > size - m.data.n))
		abort();
	if (m.data.n > 0 && m.kind != STREAM_DATA)
		abort();
	return 0;
}
