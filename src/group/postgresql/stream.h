/* SPDX-License-Identifier: Apache-2.0 */

/* PostgreSQL's log as a source of logs: group/log_source.h says what it does. */
#ifndef HF_GROUP_POSTGRESQL_STREAM_H
#define HF_GROUP_POSTGRESQL_STREAM_H

#include "group/log_source.h"

extern const struct log_source_ops log_source_postgresql;

#endif
