/* SPDX-License-Identifier: Apache-2.0 */

/* Names for new jobs. */
#include "cli/jobid.h"

#include "crypto/crypto.h"

int
jobid_new(char text[UUID_TEXT_SIZE], struct error *err)
{
	uint8_t uuid[UUID_SIZE];

	if (crypto_random(uuid, sizeof(uuid), err) < 0)
		return err->code;
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	uuid_text(uuid, text);
	return OK;
}
