/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast version */
#include "cli/cli.h"
#include "cli/out.h"
#include "repo/format.h"

int
verb_version(struct cli *cli, struct error *err)
{
	(void)err;
	if (cli->json)
		out_json(json_pack("{s:s, s:s, s:i}", "type", "version", "version", HF_VERSION,
				   "format", FORMAT_VERSION));
	else
		out_text("holdfast %s (repository format %d)\n", HF_VERSION, FORMAT_VERSION);
	return OK;
}
