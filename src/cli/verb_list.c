/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast list */
#include <string.h>

#include "cli/cli.h"
#include "cli/entries.h"
#include "cli/points.h"
#include "cli/repository.h"
#include "requester/locate.h"

static int
list_points(const struct cli *cli, struct repo *repo, struct error *err)
{
	CLEAN(points_filter_done) struct forget_filter filter = {0};
	CLEAN(point_list_done) struct point_list list = {0};

	if (points_filter(cli->inv, &filter, err) < 0 || point_list_read(repo, &list, err) < 0)
		return err->code;
	return points_show_list(cli, &list, &filter, err);
}

static int
list_path(const struct cli *cli, struct repo *repo, struct location *where, struct error *err)
{
	CLEAN(repo_index_closep) struct repo_index *index = NULL;
	CLEAN(repo_reader_closep) struct repo_reader *reader = NULL;

	if (repo_index_open(repo, &index, err) < 0 ||
	    repo_reader_open(repo, index, &reader, err) < 0 || locate_node(reader, where, err) < 0)
		return err->code;
	if (!where->is_folder)
		return entries_show_node(cli, &where->node, where->path, err);
	return entries_show_folder(cli, reader, &where->tree, where->path,
				   invocation_has(cli->inv, FLAG_RECURSIVE), err);
}

int
verb_list(struct cli *cli, struct error *err)
{
	CLEAN(repository_close) struct repository opened = {0};
	CLEAN(locate_done) struct location where = {0};

	if (repository_open(cli, &opened, err) < 0)
		return err->code;
	if (cli->inv->n_operands == 0)
		return list_points(cli, opened.repo, err);
	if (locate_point(opened.repo, cli->inv->operands[0], &where, err) < 0)
		return err->code;
	if (where.root == NULL)
		return points_show_one(cli, where.point, err);
	return list_path(cli, opened.repo, &where, err);
}
