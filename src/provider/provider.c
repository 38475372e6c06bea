/* SPDX-License-Identifier: Apache-2.0 */

/* The list of providers, in order of preference where two promise the same. */
#include "provider/provider.h"

#include <string.h>

#include "base/clock.h"
#include "provider/btrfs.h"
#include "provider/direct.h"
#include "provider/external.h"
#include "provider/lvm.h"
#include "provider/reflink.h"

static const struct provider_ops *const providers[] = {&btrfs_ops, &lvm_ops, &external_ops,
						       &reflink_ops, &direct_ops};

const struct provider_ops *
provider_at(size_t n)
{
	return n < ARRAY_SIZE(providers) ? providers[n] : NULL;
}

const struct provider_ops *
provider_find_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(providers); i++)
		if (strcmp(providers[i]->name, name) == 0)
			return providers[i];
	return NULL;
}

bool
provider_freezes(const struct provider_ops *ops, const struct provider_settings *settings)
{
	return ops->freezes && settings->external.freeze;
}

void
provider_settings_init(struct provider_settings *ret)
{
	*ret = (struct provider_settings){
		.external = {.timeout_ns = 60 * NS_PER_S, .freeze = true}};
}
