/* SPDX-License-Identifier: Apache-2.0 */

/* Where an agent listens or is found: "unix:PATH" or "tls://HOST:PORT", "tls://[IPV6]:PORT". */
#ifndef HF_AGENT_LISTEN_ADDRESS_H
#define HF_AGENT_LISTEN_ADDRESS_H

#include "base/base.h"
#include "base/error.h"

struct listen_address {
	char path[108]; /* of a unix socket; "" if TLS */
	char host[256]; /* "" or "*": every address */
	char port[6];
};

CHECKED int listen_address_parse(const char *text, struct listen_address *ret, struct error *err);

#endif
