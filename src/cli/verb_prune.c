/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast prune */
#include "cli/cli.h"
#include "cli/pruning.h"
#include "cli/session.h"

int
verb_prune(struct cli *cli, struct error *err)
{
	CLEAN(session_close) struct session session = {0};

	if (session_open(cli, &session, err) < 0)
		return err->code;
	return pruning_run(cli, session.repo, err);
}
