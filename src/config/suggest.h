/* SPDX-License-Identifier: Apache-2.0 */

/* "Did you mean ...?": the nearest of the known words, if one is near enough to be meant. */
#ifndef HF_CONFIG_SUGGEST_H
#define HF_CONFIG_SUGGEST_H

#include "base/base.h"

struct suggest {
	const char *word; /* what was typed */
	const char *best; /* NULL: nothing near enough so far */
	unsigned distance;
};

struct suggest suggest_begin(const char *word);
/* Offer a candidate; it must outlive the suggestion. */
void suggest_offer(struct suggest *s, const char *candidate);

/* Letters to insert, remove, replace or swap with their neighbour. Words of up to 63 bytes. */
unsigned suggest_distance(const char *a, const char *b);

#endif
