/* SPDX-License-Identifier: Apache-2.0 */

/* Messages of the streaming replication protocol. */
#include "group/postgresql/stream_message.h"

#include <string.h>

#include "base/clock.h"
#include "base/reader.h"
#include "postgresql/walrange.h"

/* From 1970 to 2000. */
#define EPOCH_US (INT64_C(946684800) * 1000000)

static uint64_t
take_be64(struct reader *r)
{
	struct slice s = reader_take(r, 8);
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | s.p[i];
	return v;
}

static uint64_t
take_time(struct reader *r)
{
	int64_t us = (int64_t)take_be64(r);

	/* Within what fits, or it is not known. */
	if (us < -EPOCH_US || us > INT64_MAX / 1000 - EPOCH_US)
		return 0;
	return (uint64_t)(us + EPOCH_US) * 1000;
}

int
stream_message_parse(struct slice message, struct stream_message *ret, struct error *err)
{
	struct reader r = reader_of(message);
	struct stream_message m = {0};

	switch (reader_u8(&r)) {
	case 'w':
		m.kind = STREAM_DATA;
		m.position = take_be64(&r);
		m.end = take_be64(&r);
		m.time_ns = take_time(&r);
		m.data = reader_take(&r, reader_left(&r));
		if (m.data.n == 0 || m.data.n > STREAM_MESSAGE_MAX ||
		    m.position > WALRANGE_LSN_MAX - m.data.n)
			reader_fail(&r);
		break;
	case 'k':
		m.kind = STREAM_KEEPALIVE;
		m.end = take_be64(&r);
		m.time_ns = take_time(&r);
		m.wants_reply = reader_u8(&r) != 0;
		break;
	default:
		m.kind = STREAM_OTHER;
		break;
	}
	if (r.failed)
		return error_set(err, ERR_PROTOCOL, "a message of the log's stream is damaged");
	*ret = m;
	return OK;
}

static uint8_t *
put_be64(uint8_t *p, uint64_t v)
{
	for (int shift = 56; shift >= 0; shift -= 8)
		*p++ = (uint8_t)(v >> shift);
	return p;
}

void
stream_status_make(const struct stream_status *s, uint8_t text[STREAM_STATUS_SIZE])
{
	uint8_t *p = text;

	*p++ = 'r';
	p = put_be64(p, s->written);
	p = put_be64(p, s->flushed);
	p = put_be64(p, 0); /* applied: nothing is */
	p = put_be64(p, (uint64_t)((int64_t)(s->time_ns / 1000) - EPOCH_US));
	*p = s->wants_reply ? 1 : 0;
}
