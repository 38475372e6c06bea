/* SPDX-License-Identifier: Apache-2.0 */

/* One small file for each peer; its name is the fingerprint, so that the look-up during a handshake is one
 * open(). */
#include "agent/peers.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"
#include "crypto/crypto.h"

enum { FILE_MAX = 64 * 1024, PREFIX_MIN = 8, HEX = 2 * TLS_FINGERPRINT_SIZE };

static void
dir_done(DIR **d)
{
	if (*d != NULL)
		(void)closedir(*d);
}

static int
open_dir(const char *state_dir, int *ret, struct error *err)
{
	CLEAN(free_ptr) char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/tls/peers", state_dir) < 0) {
		path = NULL;
		return error_no_memory(err);
	}
	if (fs_mkdirs(AT_FDCWD, path, 0700, err) < 0)
		return err != NULL ? err->code : ERR_IO;
	path[strlen(path) - strlen("/peers")] = '\0';
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, ERR_IO, "open '%s'", path);
	*ret = fd;
	return OK;
}

/* ---- our own --------------------------------------------------------------------------------- */

static int
make_identity(int dir, struct tls_identity **ret, struct error *err)
{
	CLEAN(tls_identity_freep) struct tls_identity *id = NULL;
	CLEAN(crypto_buf_done) struct buf pem = BUF_INIT(FILE_MAX);
	char host[256] = "";

	(void)gethostname(host, sizeof(host) - 1);
	/* At its full size at once, so that no half-grown copy of the key is left in freed memory. */
	if (buf_reserve(&pem, 8192, err) < 0 || tls_identity_make(host, &id, err) < 0 ||
	    tls_identity_write(id, &pem, err) < 0 ||
	    fs_write_file(dir, "own.pem", buf_slice(&pem), 0600, err) < 0)
		return err->code;
	*ret = STEAL_PTR(id);
	return OK;
}

int
peers_identity(const char *state_dir, struct tls_identity **ret, struct error *err)
{
	CLEAN(fd_close) int dir = -1;
	CLEAN(crypto_buf_done) struct buf pem = BUF_INIT(FILE_MAX);
	struct error none = ERROR_INIT;
	int r;

	if (open_dir(state_dir, &dir, err) < 0)
		return err->code;
	/* Two programs at their first start: one makes it. */
	if (flock(dir, LOCK_EX) < 0)
		return error_sys(err, ERR_IO, "lock '%s/tls'", state_dir);
	if (buf_reserve(&pem, 8192, err) < 0)
		return err->code;
	r = fs_read_file(dir, "own.pem", &pem, &none);
	if (r == ERR_NOT_FOUND)
		return make_identity(dir, ret, err);
	if (r < 0) {
		*err = none;
		return r;
	}
	r = tls_identity_read(buf_slice(&pem), ret, err);
	return r < 0 ? error_prefix(err, "'%s/tls/own.pem'", state_dir) : OK;
}

/* ---- files ----------------------------------------------------------------------------------- */

static void
file_name(const uint8_t fingerprint[TLS_FINGERPRINT_SIZE], char name[HEX + 16])
{
	char hex[HEX + 1];

	(void)text_printf(name, HEX + 16, "peers/%s.json",
			  hex_encode(fingerprint, TLS_FINGERPRINT_SIZE, hex));
}

static int
parse(struct slice text, struct peer *ret, struct error *err)
{
	CLEAN(json_done) json_t *j = NULL;
	struct peer peer = {.name = ""};
	const char *name, *host;
	bool requester, agent;

	if (json_parse(text, "a known peer", &j, err) < 0 ||
	    json_get_str(j, "name", &name, err) < 0 ||
	    json_opt_str(j, "host", "", &host, err) < 0 ||
	    json_opt_bool(j, "requester", false, &requester, err) < 0 ||
	    json_opt_bool(j, "agent", false, &agent, err) < 0 ||
	    json_opt_u64(j, "since_ns", 0, &peer.since_ns, err) < 0)
		return err->code;
	(void)text_printf(peer.name, sizeof(peer.name), "%s", name);
	(void)text_printf(peer.host, sizeof(peer.host), "%s", host);
	peer.requester = requester;
	peer.agent = agent;
	*ret = peer;
	return OK;
}

static int
read_peer(int dir, const uint8_t fingerprint[TLS_FINGERPRINT_SIZE], struct peer *ret,
	  struct error *err)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(FILE_MAX);
	struct error own = ERROR_INIT;
	char name[HEX + 16];
	int r;

	file_name(fingerprint, name);
	r = fs_read_file(dir, name, &text, &own);
	if (r == ERR_NOT_FOUND)
		return 0;
	if (r == OK)
		r = parse(buf_slice(&text), ret, &own);
	if (r < 0) {
		if (err != NULL)
			*err = own;
		return r;
	}
	memcpy(ret->fingerprint, fingerprint, TLS_FINGERPRINT_SIZE);
	return 1;
}

int
peers_find(const char *state_dir, const uint8_t fingerprint[TLS_FINGERPRINT_SIZE], struct peer *ret,
	   struct error *err)
{
	CLEAN(fd_close) int dir = -1;
	int r = open_dir(state_dir, &dir, err);

	return r < 0 ? r : read_peer(dir, fingerprint, ret, err);
}

int
peers_add(const char *state_dir, const struct peer *peer, struct error *err)
{
	CLEAN(fd_close) int dir = -1;
	CLEAN(json_done) json_t *j = NULL;
	CLEAN(buf_done) struct buf text = BUF_INIT(FILE_MAX);
	struct peer known = {.name = ""};
	char name[HEX + 16];

	if (open_dir(state_dir, &dir, err) < 0)
		return err->code;
	if (flock(dir, LOCK_EX) < 0)
		return error_sys(err, ERR_IO, "lock '%s/tls'", state_dir);
	if (read_peer(dir, peer->fingerprint, &known, err) < 0)
		return err->code;
	j = json_pack("{s:s, s:s, s:b, s:b, s:I}", "name", peer->name, "host",
		      peer->agent ? peer->host : known.host, "requester",
		      peer->requester || known.requester, "agent", peer->agent || known.agent,
		      "since_ns", (json_int_t)clock_wall_ns());
	if (j == NULL)
		return error_set(err, ERR_PROTOCOL, "the name of a peer is not UTF-8");
	file_name(peer->fingerprint, name);
	if (json_write(j, &text, err) < 0 || buf_u8(&text, '\n', err) < 0)
		return err->code;
	return fs_write_file(dir, name, buf_slice(&text), 0600, err);
}

int
peers_each(const char *state_dir, peers_each_fn *each, void *arg, struct error *err)
{
	CLEAN(fd_close) int dir = -1;
	CLEAN(dir_done) DIR *list = NULL;
	struct dirent *entry;
	int fd;

	if (open_dir(state_dir, &dir, err) < 0)
		return err->code;
	fd = openat(dir, "peers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	list = fd >= 0 ? fdopendir(fd) : NULL;
	if (list == NULL) {
		(void)error_sys(err, ERR_IO, "list '%s/tls/peers'", state_dir);
		if (fd >= 0)
			(void)close(fd);
		return err->code;
	}
	while ((entry = readdir(list)) != NULL) {
		uint8_t fingerprint[TLS_FINGERPRINT_SIZE];
		struct peer peer = {.name = ""};
		int r;

		if (strlen(entry->d_name) != HEX + strlen(".json") ||
		    strcmp(entry->d_name + HEX, ".json") != 0 ||
		    !hex_decode(entry->d_name, HEX, fingerprint, sizeof(fingerprint)))
			continue;
		r = read_peer(dir, fingerprint, &peer, err);
		if (r > 0)
			r = each(arg, &peer, err);
		if (r < 0)
			return r;
	}
	return OK;
}

/* ---- by name --------------------------------------------------------------------------------- */

struct search {
	const char *wanted;
	struct peer *found;
	int n;
	int dir;
};

static int
is_agent(void *arg, const struct peer *peer, struct error *err)
{
	struct search *s = arg;

	(void)err;
	if (peer->agent && strcasecmp(peer->host, s->wanted) == 0 &&
	    (s->n == 0 || peer->since_ns >= s->found->since_ns)) {
		*s->found = *peer;
		s->n = 1;
	}
	return OK;
}

int
peers_find_agent(const char *state_dir, const char *host, struct peer *ret, struct error *err)
{
	struct peer peer = {.name = ""};
	struct search s = {.wanted = host, .found = &peer};
	int r = peers_each(state_dir, is_agent, &s, err);

	if (r < 0)
		return r;
	if (s.n > 0)
		*ret = peer;
	return s.n;
}

static int
remove_named(void *arg, const struct peer *peer, struct error *err)
{
	struct search *s = arg;
	char hex[HEX + 1], name[HEX + 16];
	size_t n = strlen(s->wanted);

	(void)hex_encode(peer->fingerprint, TLS_FINGERPRINT_SIZE, hex);
	if (strcasecmp(peer->name, s->wanted) != 0 &&
	    (peer->host[0] == '\0' || strcasecmp(peer->host, s->wanted) != 0) &&
	    (n < PREFIX_MIN || strncasecmp(hex, s->wanted, n) != 0))
		return OK;
	file_name(peer->fingerprint, name);
	if (unlinkat(s->dir, name, 0) < 0 && errno != ENOENT)
		return error_sys(err, ERR_IO, "remove '%s'", name);
	s->n++;
	return fs_sync_parent(s->dir, name, err);
}

int
peers_remove(const char *state_dir, const char *name, size_t *ret_n, struct error *err)
{
	CLEAN(fd_close) int dir = -1;
	struct search s = {.wanted = name};
	int r;

	if (open_dir(state_dir, &dir, err) < 0)
		return err->code;
	s.dir = dir;
	r = peers_each(state_dir, remove_named, &s, err);
	if (r < 0)
		return r;
	*ret_n = (size_t)s.n;
	return OK;
}
