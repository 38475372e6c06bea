/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which provider reads what, and why: for each path the one that promises the best consistency, the
 * earlier in the list where two promise the same. A pure function of the volume and of whether a
 * writer vouches for the path.
 */
#ifndef HF_PROVIDER_PLAN_H
#define HF_PROVIDER_PLAN_H

#include <stdbool.h>

#include "base/base.h"
#include "provider/provider.h"

struct plan_choice {
	const struct provider_ops *provider;
	enum consistency expected;
	const char *why;
};

struct plan_choice plan_choose(const struct volume *volume,
			       const struct provider_settings *settings, bool hot);

#endif
