/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a walsender and who listens to it say to each other inside COPY BOTH. Pure. Numbers are big-endian,
 * times are microseconds since 2000-01-01 UTC. Source: PostgreSQL's documentation, "Streaming Replication
 * Protocol".
 */
#ifndef HF_GROUP_POSTGRESQL_STREAM_MESSAGE_H
#define HF_GROUP_POSTGRESQL_STREAM_MESSAGE_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

/* A log file's size at most: nothing sane is longer. */
enum { STREAM_MESSAGE_MAX = 64 << 20, STREAM_STATUS_SIZE = 34 };

enum stream_message_kind {
	STREAM_DATA = 1, /* 'w' */
	STREAM_KEEPALIVE, /* 'k' */
	STREAM_OTHER, /* of a newer server; of no interest */
};

struct stream_message {
	enum stream_message_kind kind;
	uint64_t position; /* data: of its first byte */
	uint64_t end; /* of the server's log, as far as it wants to send */
	uint64_t time_ns; /* when it was sent; wall clock of the server, 0 if before 1970 */
	bool wants_reply;
	struct slice data; /* inside the message */
};

/* ERR_PROTOCOL if it breaks the protocol. */
CHECKED int stream_message_parse(struct slice message, struct stream_message *ret,
				 struct error *err);

/* What we say: up to where it was received and is durable here. `flushed` moves the slot; 0 leaves it. */
struct stream_status {
	uint64_t written, flushed;
	uint64_t time_ns; /* wall clock */
	bool wants_reply;
};
void stream_status_make(const struct stream_status *s, uint8_t text[STREAM_STATUS_SIZE]);

#endif
