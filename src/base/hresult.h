/* SPDX-License-Identifier: Apache-2.0 */

/* The names of VSS's codes, from base/hresults.def. Which of our errors has which: base/errors.def. */
#ifndef HF_BASE_HRESULT_H
#define HF_BASE_HRESULT_H

#include <stdbool.h>

#include "base/base.h"

enum { HRESULT_TEXT_MAX = 64 };

/* "VSS_E_WRITERERROR_RETRYABLE"; NULL for codes that are not in the table. */
const char *hresult_name(uint32_t code);
const char *hresult_meaning(uint32_t code);
const char *hresult_advice(uint32_t code); /* "" none in general */
bool hresult_retryable(uint32_t code);
/* 0 if there is none of this name; case does not matter, and "VSS_E_" may be left out. */
uint32_t hresult_find(const char *name);
/* Walk the table: the n-th code from 0; 0 past its end. */
uint32_t hresult_at(size_t n);

/* As administrators know it: "0x800423f3 - VSS_E_WRITERERROR_RETRYABLE", "0x00000000" for 0. Returns
 * text. */
char *hresult_text(uint32_t code, char text[HRESULT_TEXT_MAX]);

#endif
