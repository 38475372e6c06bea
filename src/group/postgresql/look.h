/* SPDX-License-Identifier: Apache-2.0 */

/* What a PostgreSQL server says of itself as a copy of a group. */
#ifndef HF_GROUP_POSTGRESQL_LOOK_H
#define HF_GROUP_POSTGRESQL_LOOK_H

#include "group/engine.h"

/* engine->look: a session of its own, three short statements, gone again by the deadline. */
int look_copy(const struct group *g, const struct group_copy *c, uint64_t deadline_ns,
	      struct copy_facts *ret, struct error *err);

#endif
