/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stores a folder of log files as a restore point of type log, as the log copier would, for test/e2e:
 *
 *	log_point REPO KEY-FILE CACHE GROUP DIR IDENTITY SEGMENT-BYTES FROM TO FROM-TIME TO-TIME TIMELINE:LSN...
 *
 * Times in nanoseconds; the last arguments are the history. Prints the restore point's id.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/hex.h"
#include "crypto/crypto.h"
#include "postgresql/walrange.h"
#include "requester/log_store.h"

enum { ARG_HISTORY = 12, KEY_MAX = 4096 };

static int
open_repo(char **argv, struct store **ret_store, struct repo **ret, struct error *err)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(KEY_MAX);
	struct secret *key;

	if (fs_read_file(AT_FDCWD, argv[2], &b, err) < 0 || secret_new(b.n, &key, err) < 0)
		return err->code;
	memcpy(secret_bytes(key), b.p, b.n);
	const struct key_source source = {.key_file = key};
	int rc = store_open(argv[1], false, ret_store, err);
	if (rc == OK)
		rc = repo_open(*ret_store, &source, argv[3], ret, err);
	secret_free(key);
	return rc;
}

static bool
read_range(int argc, char **argv, struct log_point *p)
{
	(void)snprintf(p->engine, sizeof(p->engine), "postgresql");
	(void)snprintf(p->identity, sizeof(p->identity), "%s", argv[6]);
	p->segment_bytes = strtoull(argv[7], NULL, 10);
	p->from_time_ns = strtoull(argv[10], NULL, 10);
	p->to_time_ns = strtoull(argv[11], NULL, 10);
	p->closed = true;
	for (int i = ARG_HISTORY; i < argc; i++) {
		struct log_history *h = &p->history[p->n_history++];
		char *colon;

		h->timeline = p->timeline = (uint32_t)strtoul(argv[i], &colon, 10);
		if (*colon != ':' || !walrange_parse_lsn(colon + 1, &h->from))
			return false;
	}
	return walrange_parse_lsn(argv[8], &p->from) && walrange_parse_lsn(argv[9], &p->to);
}

int
main(int argc, char **argv)
{
	static struct log_point range;
	static struct log_stage stage;
	struct progress progress = {0};
	struct store *store = NULL;
	struct repo *repo = NULL;
	struct error err = ERROR_INIT;
	struct log_stored stored;
	char id[2 * OBJECT_ID_SIZE + 1];

	if (argc <= ARG_HISTORY || !read_range(argc, argv, &range))
		return 2;
	(void)snprintf(stage.dir, sizeof(stage.dir), "%s", argv[5]);
	struct log_store_order order = {
		.group = argv[4],
		.stage = &stage,
		.logs = &range,
		.start_ns = clock_wall_ns(),
		.progress = &progress,
	};
	int rc = open_repo(argv, &store, &repo, &err);
	order.repo = repo;
	if (rc == OK)
		rc = log_store(&order, &stored, &err);
	if (rc == OK)
		(void)puts(hex_encode(stored.id.b, sizeof(stored.id.b), id));
	else
		(void)fprintf(stderr, "%s\n", err.msg);
	repo_close(repo);
	store_close(store);
	return rc == OK ? 0 : 1;
}
