/* SPDX-License-Identifier: Apache-2.0 */

/* The table of VSS's codes. */
#include "base/hresult.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

struct hresult_fact {
	uint32_t code;
	bool retry;
	const char *name;
	const char *meaning;
	const char *advice;
};

static const struct hresult_fact facts[] = {
#define HRESULT(name, number, retry, meaning, advice)                                              \
	{UINT32_C(number), (retry) != 0, #name, meaning, advice},
#include "base/hresults.def"
#undef HRESULT
};

static const struct hresult_fact *
fact_of(uint32_t code)
{
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		if (facts[i].code == code)
			return &facts[i];
	return NULL;
}

const char *
hresult_name(uint32_t code)
{
	const struct hresult_fact *fact = fact_of(code);

	return fact != NULL ? fact->name : NULL;
}

const char *
hresult_meaning(uint32_t code)
{
	const struct hresult_fact *fact = fact_of(code);

	return fact != NULL ? fact->meaning : NULL;
}

const char *
hresult_advice(uint32_t code)
{
	const struct hresult_fact *fact = fact_of(code);

	return fact != NULL ? fact->advice : NULL;
}

bool
hresult_retryable(uint32_t code)
{
	const struct hresult_fact *fact = fact_of(code);

	return fact != NULL && fact->retry;
}

uint32_t
hresult_find(const char *name)
{
	static const char prefix[] = "VSS_E_";

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		const char *known = facts[i].name;

		if (strcasecmp(known, name) == 0)
			return facts[i].code;
		if (strncmp(known, prefix, sizeof(prefix) - 1) == 0 &&
		    strcasecmp(known + sizeof(prefix) - 1, name) == 0)
			return facts[i].code;
	}
	return 0;
}

uint32_t
hresult_at(size_t n)
{
	return n < ARRAY_SIZE(facts) ? facts[n].code : 0;
}

char *
hresult_text(uint32_t code, char text[HRESULT_TEXT_MAX])
{
	const char *name = hresult_name(code);

	(void)text_printf(text, HRESULT_TEXT_MAX, "0x%08" PRIx32 "%s%s", code,
			  name != NULL ? " - " : "", name != NULL ? name : "");
	return text;
}
