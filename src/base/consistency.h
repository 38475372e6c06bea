/* SPDX-License-Identifier: Apache-2.0 */

/* How much a copy is worth: one word for writers, providers, plans and restore points. */
#ifndef HF_BASE_CONSISTENCY_H
#define HF_BASE_CONSISTENCY_H

/* What was achieved, proven; never what was asked. Source: design, "Words". */
enum consistency {
	CONSISTENCY_NONE = 1,
	CONSISTENCY_CRASH,
	CONSISTENCY_APPLICATION,
};

#endif
