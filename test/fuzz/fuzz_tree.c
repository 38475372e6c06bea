/* SPDX-License-Identifier: Apache-2.0 */

/* Pages of folders, with the extended attributes of what is in them. */
#include <string.h>

#include "repo/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
see(void *arg, const struct node *node, struct error *err)
{
	struct slice list = node->xattrs, name, value;
	size_t *n = arg;

	if (node->name.n == 0 || node->name.n > NODE_NAME_MAX ||
	    memchr(node->name.p, '/', node->name.n) != NULL ||
	    memchr(node->name.p, 0, node->name.n) != NULL || node->mode > 07777 ||
	    node->content.n > NODE_CONTENT_MAX || node->size > INT64_MAX)
		abort();
	if (node->type == NODE_SYMLINK && (node->target.n == 0 || node->target.n > NODE_TARGET_MAX))
		abort();
	while (tree_xattr_next(&list, &name, &value, err) == 1)
		if (name.n == 0 || list.n > node->xattrs.n)
			abort();
	(*n)++;
	return OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice list = SLICE(data, size), name, value;
	struct error err = ERROR_INIT;
	size_t n = 0;

	int rc = tree_page_parse(SLICE(data, size), see, &n, &err);
	if (rc != OK && rc != ERR_CORRUPT)
		abort();
	if (n > TREE_PAGE_NODES)
		abort();
	while (tree_xattr_next(&list, &name, &value, &err) == 1)
		;
	return 0;
}
