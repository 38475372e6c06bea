/* SPDX-License-Identifier: Apache-2.0 */

/* A short list is all: there are never more peers than connections. */
#include "agent/service_limits.h"

#include <string.h>

#include "base/text.h"

struct peer_count {
	char peer[80];
	unsigned n; /* 0: free */
};

struct limits {
	struct limits_options most;
	unsigned all, strangers;
	struct peer_count peers[];
};

int
service_limits_new(const struct limits_options *options, struct limits **ret, struct error *err)
{
	struct limits *l = calloc(1, sizeof(*l) + options->all * sizeof(l->peers[0]));

	if (l == NULL)
		return error_no_memory(err);
	l->most = *options;
	*ret = l;
	return OK;
}

void
service_limits_free(struct limits *l)
{
	free(l);
}

bool
service_limits_enter(struct limits *l)
{
	if (l->all >= l->most.all || l->strangers >= l->most.strangers)
		return false;
	l->all++;
	l->strangers++;
	return true;
}

static struct peer_count *
find(struct limits *l, const char *peer, struct peer_count **ret_free)
{
	for (unsigned i = 0; i < l->most.all; i++) {
		if (l->peers[i].n > 0 && strcmp(l->peers[i].peer, peer) == 0)
			return &l->peers[i];
		if (l->peers[i].n == 0 && ret_free != NULL && *ret_free == NULL)
			*ret_free = &l->peers[i];
	}
	return NULL;
}

bool
service_limits_know(struct limits *l, const char *peer)
{
	struct peer_count *space = NULL;
	struct peer_count *p = find(l, peer, &space);

	if (p == NULL) {
		p = space;
		if (p == NULL)
			return false;
		(void)text_printf(p->peer, sizeof(p->peer), "%s", peer);
	}
	if (p->n >= l->most.peer)
		return false;
	p->n++;
	l->strangers--;
	return true;
}

void
service_limits_leave(struct limits *l, const char *peer)
{
	l->all--;
	if (peer == NULL) {
		l->strangers--;
		return;
	}
	struct peer_count *p = find(l, peer, NULL);
	if (p != NULL)
		p->n--;
}

unsigned
service_limits_open(const struct limits *l)
{
	return l->all;
}
