/* SPDX-License-Identifier: Apache-2.0 */

/* The table of stages. */
#include "cli/stages.h"

#include "base/clock.h"
#include "cli/out.h"
#include "cli/table.h"
#include "cli/units.h"

struct stage {
	const char *name;
	uint64_t ns;
	uint64_t bytes;
};

static int
put(const struct cli *cli, const struct stage *stages, size_t n, struct error *err)
{
	CLEAN(table_done) struct table t;
	char text[UNITS_MAX];

	table_init(&t, "lrrr");
	table_cell(&t, "STAGE");
	table_cell(&t, "TIME");
	table_cell(&t, "BYTES");
	table_cell(&t, "RATE");
	for (size_t i = 0; i < n; i++) {
		const struct stage *s = &stages[i];

		if (cli->json) {
			out_json(json_pack("{s:s, s:s, s:I, s:I}", "type", "stage", "name", s->name,
					   "us", (json_int_t)(s->ns / 1000), "bytes",
					   (json_int_t)s->bytes));
			continue;
		}
		table_cell(&t, "%s", s->name);
		table_cell(&t, "%s", units_elapsed(s->ns, text));
		table_cell(&t, "%s", s->bytes > 0 ? units_bytes(s->bytes, text) : "");
		table_cell(&t, "%s", s->bytes > 0 ? units_rate(s->bytes, s->ns, text) : "");
	}
	return cli->json ? OK : table_print(&t, err);
}

int
stages_backup(const struct cli *cli, const struct backup_result *r, const struct progress *p,
	      struct error *err)
{
	const struct repo_write_stats *w = &r->write;
	const struct stage stages[] = {
		{"scan", atomic_load(&p->scan_ns), 0},
		{"read", atomic_load(&p->read_ns), atomic_load(&p->bytes_done)},
		{"hash", w->hash_ns, w->bytes},
		{"compress", w->compress_ns, w->bytes_new},
		{"seal", w->seal_ns, w->bytes_stored},
		{"write", w->write_ns, w->bytes_stored},
		{"commit", w->commit_ns, w->bytes_stored},
	};

	return put(cli, stages, ARRAY_SIZE(stages), err);
}

int
stages_restore(const struct cli *cli, const struct restore_result *r, struct error *err)
{
	const struct restore_stats *s = &r->stats;
	const struct stage stages[] = {
		{"read", s->read_ns, 0},
		{"unpack", s->unpack_ns, s->bytes},
		{"write", s->write_ns, s->bytes_written},
		{"sync", s->sync_ns, s->bytes_written},
	};

	return put(cli, stages, ARRAY_SIZE(stages), err);
}
