/* SPDX-License-Identifier: Apache-2.0 */

/* The list of providers, in order of preference where two promise the same. */
#include "provider/provider.h"

#include "provider/direct.h"

static const struct provider_ops *const providers[] = {&direct_ops};

const struct provider_ops *
provider_at(size_t n)
{
	return n < ARRAY_SIZE(providers) ? providers[n] : NULL;
}

void
provider_endp(struct provider **p)
{
	if (*p != NULL)
		(*p)->ops->end(*p);
}
