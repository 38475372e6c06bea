/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast snapshots */
#include "cli/cli.h"

int
verb_snapshots(struct cli *cli, struct error *err)
{
	(void)cli;
	return error_set(err, ERR_USAGE, "not yet");
}
