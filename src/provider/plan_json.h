/* SPDX-License-Identifier: Apache-2.0 */

/* A plan as JSON, for programs and for other hosts: doc/json.md, "plan". */
#ifndef HF_PROVIDER_PLAN_JSON_H
#define HF_PROVIDER_PLAN_JSON_H

#include <jansson.h>

#include "provider/plan.h"

/* One object each; NULL when out of memory. */
json_t *plan_json_path(const struct plan *p, size_t n);
json_t *plan_json_crossing(const struct plan *p, size_t n);
json_t *plan_json_member(const struct plan *p, size_t n);

#endif
