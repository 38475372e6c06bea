/* SPDX-License-Identifier: Apache-2.0 */

/* The choice of a provider. */
#include "provider/plan.h"

struct plan_choice
plan_choose(const struct volume *volume, const struct provider_settings *settings, bool hot)
{
	struct plan_choice best = {0};
	const struct provider_ops *ops;

	for (size_t i = 0; (ops = provider_at(i)) != NULL; i++) {
		const char *why = "";
		enum consistency expected = ops->promise(volume, settings, hot, &why);

		if (best.provider == NULL || expected > best.expected)
			best = (struct plan_choice){ops, expected, why};
	}
	return best;
}
