/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast writers */
#include "cli/cli.h"

int
verb_writers(struct cli *cli, struct error *err)
{
	(void)cli;
	return error_set(err, ERR_USAGE, "not yet");
}
