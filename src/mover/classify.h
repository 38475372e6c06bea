/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which files are kept as pages rather than as content-defined chunks: large ones that change in
 * place, such as databases and disk images, where a changed page should cost that page. A wrong
 * answer costs space, never correctness. Pure.
 */
#ifndef HF_MOVER_CLASSIFY_H
#define HF_MOVER_CLASSIFY_H

#include <stdbool.h>

#include "base/base.h"

enum {
	CLASSIFY_MIN = 16 << 20, /* smaller files are chunks: little to gain */
	CLASSIFY_HEAD = 512, /* bytes of the file's beginning that tell its kind */
};

/* What the previous restore point knows of the file of that name. */
struct classify_past {
	bool known; /* it was there, a file with content */
	bool paged; /* and was kept as pages */
	bool same_file; /* same inode and size, other times: it changed in place */
};

/* 0: chunks; else the page size, a power of two from 4096 to 65536. `head` may be shorter than
 * CLASSIFY_HEAD, or empty. */
uint32_t classify_page_size(struct slice name, uint64_t size, struct slice head,
			    const struct classify_past *past);

#endif
