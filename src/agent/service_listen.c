/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where callers come in. Of a unix socket the kernel says who is at the other end; of a TLS connection its
 * certificate does, during the handshake. Nobody gets further unknown.
 */
#include <event2/listener.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/listen_address.h"
#include "agent/peers.h"
#include "agent/service_internal.h"
#include "base/clock.h"
#include "base/eventlog.h"
#include "base/hex.h"
#include "base/text.h"

enum {
	BACKLOG = 256,
	REFUSALS_MAX = 10, /* events in a minute */
};

void
service_refused(struct service *s, const char *who, const char *why)
{
	uint64_t now = clock_boot_ns();

	service_log(s, LOG_LEVEL_WARN, "Refused: %s: %s", who, why);
	if (now - s->refusals_since_ns >= 60 * NS_PER_S) {
		s->refusals_since_ns = now;
		s->refusals = 0;
	}
	if (s->refusals++ >= REFUSALS_MAX)
		return;
	eventlog_add(s->options->session.events, EVENT_REQUESTER_REFUSED, NULL,
		     "peer=%s error=%s%s", who, why,
		     s->refusals == REFUSALS_MAX ? "; others within a minute are not told" : "");
}

/* ---- who is it? ------------------------------------------------------------------------------ */

/* Is this user a member of the group, by /etc/group or as his own? */
static bool
in_group(uid_t uid, gid_t primary, const char *group)
{
	char buffer[16 * 1024];
	struct group g, *found = NULL;
	struct passwd pw, *user = NULL;
	char user_buffer[1024];

	if (group == NULL || group[0] == '\0' ||
	    getgrnam_r(group, &g, buffer, sizeof(buffer), &found) != 0 || found == NULL)
		return false;
	if (g.gr_gid == primary)
		return true;
	if (getpwuid_r(uid, &pw, user_buffer, sizeof(user_buffer), &user) != 0 || user == NULL)
		return false;
	for (char **name = g.gr_mem; *name != NULL; name++)
		if (strcmp(*name, pw.pw_name) == 0)
			return true;
	return false;
}

static bool
peer_of_unix(const struct service *s, int fd, struct service_peer *ret)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
		return false;
	*ret = (struct service_peer){.kind = PEER_UNIX};
	(void)text_printf(ret->key, sizeof(ret->key), "uid:%u", who.uid);
	(void)text_printf(ret->name, sizeof(ret->name), "uid %u, pid %d", who.uid, who.pid);
	return who.uid == 0 || who.uid == geteuid() ||
	       in_group(who.uid, who.gid, s->options->group);
}

static bool
admit(void *arg, const uint8_t fingerprint[TLS_FINGERPRINT_SIZE])
{
	const struct service *s = arg;
	struct peer peer;

	return peers_find(s->options->state_dir, fingerprint, &peer, NULL) > 0 && peer.requester;
}

/* ---- accepting ------------------------------------------------------------------------------- */

static void
on_accept(struct evconnlistener *ev, evutil_socket_t fd, struct sockaddr *from, int from_n,
	  void *arg)
{
	struct listener *l = arg;
	struct service *s = l->service;
	struct service_peer peer = {.kind = PEER_TLS};
	struct ssl_st *tls = NULL;
	struct error err = ERROR_INIT;
	char host[64], port[8];
	int on = 1;

	(void)ev;
	if (!service_limits_enter(s->limits)) {
		(void)close(fd);
		return;
	}
	if (l->kind == PEER_UNIX) {
		if (!peer_of_unix(s, fd, &peer)) {
			service_refused(s, peer.name[0] != '\0' ? peer.name : l->path,
					"neither root, nor the agent's user, nor in agent.group");
			goto refuse;
		}
		service_conn_new(s, fd, NULL, &peer);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (getnameinfo(from, (socklen_t)from_n, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		(void)text_printf(peer.name, sizeof(peer.name), "%s:%s", host, port);
	if (tls_session_new(s->tls, &tls, &err) < 0) {
		service_log(s, LOG_LEVEL_ERROR, "%s", err.msg);
		goto refuse;
	}
	service_conn_new(s, fd, tls, &peer);
	return;
refuse:
	service_limits_leave(s->limits, NULL);
	(void)close(fd);
}

static void
accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)fd, (void)what;
	(void)evconnlistener_enable(l->ev);
}

/* Out of descriptors, most likely: without a rest the loop would spin. */
static void
on_accept_error(struct evconnlistener *ev, void *arg)
{
	struct listener *l = arg;
	const struct timeval rest = {.tv_usec = 100000};

	service_log(l->service, LOG_LEVEL_WARN, "Accept failed: %s", strerrordesc_np(errno));
	(void)evconnlistener_disable(ev);
	if (evtimer_add(l->again, &rest) < 0)
		(void)evconnlistener_enable(ev);
}

/* ---- listening ------------------------------------------------------------------------------- */

static int
open_unix(const struct service *s, const struct listen_address *a, int *ret, struct error *err)
{
	CLEAN(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	bool grouped = s->options->group != NULL && s->options->group[0] != '\0';
	struct group *group = NULL;
	struct stat st;
	int probe;

	if (fd < 0)
		return error_sys(err, ERR_IO, "open a socket");
	if (strlen(a->path) >= sizeof(address.sun_path))
		return error_set(err, ERR_USAGE, "'%s' is too long for a socket's path", a->path);
	(void)text_printf(address.sun_path, sizeof(address.sun_path), "%s", a->path);
	/* One left by an agent that was killed, which nobody answers, goes; anything else stays. */
	if (lstat(a->path, &st) == 0 && S_ISSOCK(st.st_mode)) {
		probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (probe >= 0 &&
		    connect(probe, (struct sockaddr *)&address, sizeof(address)) < 0 &&
		    errno == ECONNREFUSED)
			(void)unlink(a->path);
		if (probe >= 0)
			(void)close(probe);
	}
	if (grouped && (group = getgrnam(s->options->group)) == NULL)
		return error_set(err, ERR_CONFIG, "there is no group '%s'", s->options->group);
	/* Closed to everybody until its mode is set. */
	mode_t before = umask(0177);
	int r = bind(fd, (struct sockaddr *)&address, sizeof(address));
	(void)umask(before);
	if (r < 0)
		return error_sys(err, ERR_IO, "listen on '%s'", a->path);
	if (group != NULL &&
	    (chown(a->path, (uid_t)-1, group->gr_gid) < 0 || chmod(a->path, 0660) < 0)) {
		(void)error_sys(err, ERR_PERMISSION, "give '%s' to group '%s'", a->path,
				s->options->group);
		(void)unlink(a->path);
		return ERR_PERMISSION;
	}
	*ret = STEAL_FD(fd);
	return OK;
}

static int
open_tls(const struct listen_address *a, int *ret, struct error *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *list = NULL;
	CLEAN(fd_close) int fd = -1;
	int on = 1;
	int r = getaddrinfo(a->host[0] != '\0' ? a->host : NULL, a->port, &hints, &list);

	if (r != 0)
		return error_set(err, ERR_USAGE, "'%s': %s", a->host, gai_strerror(r));
	fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, list->ai_addr, list->ai_addrlen) < 0;
	freeaddrinfo(list);
	if (r != 0)
		return error_sys(err, ERR_IO, "listen on %s port %s", a->host, a->port);
	*ret = STEAL_FD(fd);
	return OK;
}

static int
prepare_tls(struct service *s, struct error *err)
{
	if (s->tls != NULL)
		return OK;
	if (peers_identity(s->options->state_dir, &s->identity, err) < 0)
		return err->code;
	return tls_context_new(s->identity, TLS_SERVER, admit, s, &s->tls, err);
}

int
service_listen(struct service *s, const char *where, struct error *err)
{
	struct listen_address a;
	struct listener *l;
	int fd = -1;
	int r;

	if (listen_address_parse(where, &a, err) < 0)
		return err->code;
	r = a.path[0] != '\0' ? open_unix(s, &a, &fd, err) : OK;
	if (a.path[0] == '\0')
		r = prepare_tls(s, err) < 0 ? err->code : open_tls(&a, &fd, err);
	if (r < 0)
		return r;
	l = calloc(1, sizeof(*l));
	if (l == NULL) {
		(void)close(fd);
		return error_no_memory(err);
	}
	l->service = s;
	l->kind = a.path[0] != '\0' ? PEER_UNIX : PEER_TLS;
	(void)text_printf(l->path, sizeof(l->path), "%s", a.path);
	TAILQ_INSERT_TAIL(&s->listeners, l, next);
	l->again = evtimer_new(s->base, accept_again, l);
	l->ev = evconnlistener_new(s->base, on_accept, l,
				   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
	if (l->ev == NULL || l->again == NULL) {
		if (l->ev == NULL)
			(void)close(fd);
		return error_sys(err, ERR_IO, "listen on '%s'", where);
	}
	evconnlistener_set_error_cb(l->ev, on_accept_error);
	service_log(s, LOG_LEVEL_INFO, "Listening on %s", where);
	return OK;
}

void
service_listen_stop(struct service *s)
{
	struct listener *l;

	while ((l = TAILQ_FIRST(&s->listeners)) != NULL) {
		TAILQ_REMOVE(&s->listeners, l, next);
		if (l->ev != NULL)
			evconnlistener_free(l->ev);
		if (l->again != NULL)
			event_free(l->again);
		if (l->path[0] != '\0')
			(void)unlink(l->path);
		free(l);
	}
}
