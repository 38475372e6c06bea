/* SPDX-License-Identifier: Apache-2.0 */

/* A hash table with open addressing, at most half full; removing shifts later entries back, so that
 * there are no tombstones to clean up. */
#include "mover/restore_links.h"

#include <string.h>

enum { SLOTS_FIRST = 1024, SLOTS_MAX = 2 * RESTORE_LINKS_MAX };

struct link {
	uint64_t dev, ino;
	uint64_t content; /* hash of what the node says of its content */
	uint64_t left; /* names still to come */
	struct restore_item *item; /* NULL: an empty slot */
};

struct restore_links {
	size_t n, slots; /* slots: a power of two */
	struct link *table;
};

int
restore_links_new(struct restore_links **ret, struct error *err)
{
	struct restore_links *links = calloc(1, sizeof(*links));

	if (links == NULL)
		return error_no_memory(err);
	links->slots = SLOTS_FIRST;
	links->table = calloc(links->slots, sizeof(*links->table));
	if (links->table == NULL) {
		free(links);
		return error_no_memory(err);
	}
	*ret = links;
	return OK;
}

void
restore_links_free(struct restore_links *links)
{
	if (links == NULL)
		return;
	for (size_t i = 0; i < links->slots; i++)
		restore_item_unref(links->table[i].item);
	free(links->table);
	free(links);
}

/* FNV-1a. It has no enemy: who controls the nodes could as well store them equal. */
static uint64_t
hash_bytes(uint64_t h, const void *p, size_t n)
{
	const uint8_t *bytes = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
	return h;
}

static uint64_t
hash_content(const struct node *node)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	h = hash_bytes(h, &node->type, sizeof(node->type));
	h = hash_bytes(h, &node->size, sizeof(node->size));
	h = hash_bytes(h, &node->rdev, sizeof(node->rdev));
	h = hash_bytes(h, node->target.p, node->target.n);
	return hash_bytes(h, node->content.p, node->content.n);
}

static size_t
home_of(const struct restore_links *links, uint64_t dev, uint64_t ino)
{
	uint64_t h = (ino ^ (dev << 32 | dev >> 32)) * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)(h >> 32) & (links->slots - 1);
}

/* The slot of the inode, or the empty one where it would go. */
static struct link *
find_slot(const struct restore_links *links, uint64_t dev, uint64_t ino)
{
	size_t i = home_of(links, dev, ino);

	while (links->table[i].item != NULL &&
	       (links->table[i].dev != dev || links->table[i].ino != ino))
		i = (i + 1) & (links->slots - 1);
	return &links->table[i];
}

struct restore_item *
restore_links_find(struct restore_links *links, const struct node *node, bool *ret_differs)
{
	const struct link *l = find_slot(links, node->dev, node->ino);

	if (l->item == NULL)
		return NULL;
	if (l->content != hash_content(node)) {
		*ret_differs = true;
		return NULL;
	}
	return l->item;
}

static int
grow(struct restore_links *links, struct error *err)
{
	struct restore_links larger = {.n = links->n, .slots = links->slots * 2};

	larger.table = calloc(larger.slots, sizeof(*larger.table));
	if (larger.table == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < links->slots; i++) {
		const struct link *l = &links->table[i];

		if (l->item != NULL)
			*find_slot(&larger, l->dev, l->ino) = *l;
	}
	free(links->table);
	*links = larger;
	return OK;
}

int
restore_links_add(struct restore_links *links, const struct node *node, struct restore_item *item,
		  struct error *err)
{
	if (links->n * 2 >= links->slots) {
		if (links->slots >= SLOTS_MAX)
			return error_set(err, ERR_LIMIT,
					 "more than %d files with several names at once: some are "
					 "restored as files of their own",
					 (int)RESTORE_LINKS_MAX);
		int rc = grow(links, err);
		if (rc < 0)
			return rc;
	}
	struct link *l = find_slot(links, node->dev, node->ino);
	if (l->item != NULL)
		return OK;
	restore_item_ref(item);
	*l = (struct link){
		.dev = node->dev,
		.ino = node->ino,
		.content = hash_content(node),
		.left = node->nlink - 1,
		.item = item,
	};
	links->n++;
	return OK;
}

void
restore_links_used(struct restore_links *links, const struct node *node)
{
	struct link *l = find_slot(links, node->dev, node->ino);

	if (l->item != NULL && --l->left == 0)
		restore_links_drop(links, node);
}

void
restore_links_drop(struct restore_links *links, const struct node *node)
{
	size_t mask = links->slots - 1;
	struct link *l = find_slot(links, node->dev, node->ino);

	if (l->item == NULL)
		return;
	restore_item_unref(l->item);
	links->n--;

	/* Close the gap: move back every later entry that may live here. */
	size_t gap = (size_t)(l - links->table);
	for (size_t i = (gap + 1) & mask; links->table[i].item != NULL; i = (i + 1) & mask) {
		size_t home = home_of(links, links->table[i].dev, links->table[i].ino);

		if (((i - home) & mask) >= ((i - gap) & mask)) {
			links->table[gap] = links->table[i];
			gap = i;
		}
	}
	links->table[gap] = (struct link){.item = NULL};
}
