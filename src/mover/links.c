/* SPDX-License-Identifier: Apache-2.0 */

/* A hash table of fixed size with chains, under one mutex. */
#include "mover/links.h"

#include <pthread.h>
#include <string.h>

enum { N_CHAINS = 4096, LINKS_MAX = 32768, CONTENT_TOTAL_MAX = 4 << 20 };

struct link {
	struct link *next;
	uint64_t dev, ino, size;
	int64_t mtime_ns, ctime_ns;
	uint64_t left; /* names not met yet */
	uint8_t flags;
	uint16_t n;
	uint8_t content[];
};

struct links {
	pthread_mutex_t lock;
	size_t n, bytes;
	struct link *chains[N_CHAINS];
};

int
links_new(struct links **ret, struct error *err)
{
	struct links *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return error_no_memory(err);
	(void)pthread_mutex_init(&l->lock, NULL);
	*ret = l;
	return OK;
}

void
links_free(struct links *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < N_CHAINS; i++) {
		while (l->chains[i] != NULL) {
			struct link *gone = l->chains[i];

			l->chains[i] = gone->next;
			free(gone);
		}
	}
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
}

/* Where the inode's link is, or would be appended. */
static struct link **
place(struct links *l, const struct node *node)
{
	uint64_t h = (node->ino ^ node->dev << 48) * UINT64_C(0x9e3779b97f4a7c15);
	struct link **at = &l->chains[h >> 52];

	_Static_assert(N_CHAINS == 1 << 12, "the hash is cut to the table");
	while (*at != NULL && ((*at)->ino != node->ino || (*at)->dev != node->dev))
		at = &(*at)->next;
	return at;
}

static void
forget(struct links *l, struct link **at)
{
	struct link *gone = *at;

	*at = gone->next;
	l->n--;
	l->bytes -= gone->n;
	free(gone);
}

int
links_find(struct links *l, const struct node *node, struct slice *ret_content, uint8_t *ret_flags,
	   struct error *err)
{
	uint8_t *copy = NULL;
	int found = 0;

	(void)pthread_mutex_lock(&l->lock);
	struct link **at = place(l, node);
	struct link *link = *at;

	if (link != NULL && link->size == node->size && link->mtime_ns == node->mtime_ns &&
	    link->ctime_ns == node->ctime_ns) {
		copy = malloc(MAX((size_t)link->n, (size_t)1));
		if (copy == NULL) {
			found = error_no_memory(err);
		} else {
			memcpy(copy, link->content, link->n);
			*ret_content = SLICE(copy, link->n);
			*ret_flags = link->flags;
			found = 1;
			if (--link->left == 0)
				forget(l, at);
		}
	}
	(void)pthread_mutex_unlock(&l->lock);
	return found;
}

void
links_remember(struct links *l, const struct node *node)
{
	struct link *link;

	if (node->nlink < 2 || node->content.n > NODE_CONTENT_MAX)
		return;
	(void)pthread_mutex_lock(&l->lock);
	struct link **at = place(l, node);

	if (*at != NULL)
		forget(l, at);
	if (l->n < LINKS_MAX && l->bytes + node->content.n <= CONTENT_TOTAL_MAX &&
	    (link = malloc(sizeof(*link) + node->content.n)) != NULL) {
		*link = (struct link){
			.next = *at,
			.dev = node->dev,
			.ino = node->ino,
			.size = node->size,
			.mtime_ns = node->mtime_ns,
			.ctime_ns = node->ctime_ns,
			.left = node->nlink - 1,
			.flags = node->flags,
			.n = (uint16_t)node->content.n,
		};
		if (node->content.n > 0)
			memcpy(link->content, node->content.p, node->content.n);
		*at = link;
		l->n++;
		l->bytes += link->n;
	}
	(void)pthread_mutex_unlock(&l->lock);
}
