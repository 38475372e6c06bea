/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What belongs to a backup beside the copied files: the logs from its start to its stop, the label
 * and the tablespace map. Checks that every log is there before anybody relies on it.
 */
#ifndef HF_POSTGRESQL_WALTAIL_H
#define HF_POSTGRESQL_WALTAIL_H

#include <jansson.h>

#include "base/base.h"
#include "base/error.h"
#include "postgresql/walrange.h"
#include "writer/postgresql/cluster.h"

struct waltail {
	const struct cluster *cluster;
	uint32_t timeline;
	uint64_t start_lsn, stop_lsn;
	uint64_t start_time_ns, stop_time_ns; /* the server's clock, before and after */
	struct slice label; /* backup_label and tablespace_map, as the server gave them */
	struct slice map;
};

/* The object "tail": new reference. */
CHECKED int waltail_make(const struct waltail *t, json_t **ret, struct error *err);

#endif
