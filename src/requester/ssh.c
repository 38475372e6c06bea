/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Order of things: a private folder here, the master connection (kept by a thread of its own), then
 * one command through it that unpacks the programs and starts the agent. The guest's folder has a
 * random name which we choose, so that the forwarding can be set up before there is anything there,
 * and what we remove is ours.
 */
#include "requester/ssh.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/spawn.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "requester/ssh_dir.h"
#include "requester/ssh_run.h"
#include "requester/ssh_url.h"

enum { ID_SIZE = 12, ARGS_MAX = 32, SCRIPT_MAX = 8192 };

#define STOP_LIMIT_NS (30 * NS_PER_S)
#define LOOK_AGAIN_NS (50 * NS_PER_MS)
#define RECONNECT_NS NS_PER_S

struct ssh_guest {
	struct ssh_options options;
	struct ssh_url url;
	char id[2 * ID_SIZE + 1];
	struct ssh_dir dir;
	char control[128], local[128];
	char forward[256]; /* LOCAL:REMOTE */
	char destination[330];
	pthread_t keeper;
	bool keeping;
	int stop_fd; /* written to: the keeper ends */
	pthread_mutex_t lock;
	char said[SSH_SAID_MAX]; /* by the master, while it failed */
	unsigned ended; /* how often the master ended */
};

/* ---- the commands -----------------------------------------------------------------------------*/

/*
 * Run by the guest's shell; the number and the id are all that varies. The programs go where they may
 * be executed, the socket where its path is short. The shell that waits for the agent removes both
 * folders: not we, who may be gone, nor the agent, which may be killed. If the agent ends before it ever
 * answered, what it said stays for a moment longer, for us to read. Its state is kept where the next
 * agent finds it as long as the guard has anything left to undo.
 */
static const char start_script[] =
	"set -eu; umask 077; s=/tmp/holdfast-%1$s; mkdir \"$s\"\n"
	"d=\n"
	"for b in /var/tmp /tmp \"${HOME:-/root}\" /var/lib; do\n"
	"  t=$b/.holdfast-guest-%1$s\n"
	"  mkdir \"$t\" 2>/dev/null || continue\n"
	"  if cp /bin/sh \"$t/sh\" 2>/dev/null && \"$t/sh\" -c : 2>/dev/null; then\n"
	"    rm \"$t/sh\"; d=$t; break\n"
	"  fi\n"
	"  rm -rf \"$t\"\n"
	"done\n"
	"if [ -z \"$d\" ]; then rm -rf \"$s\"; echo 'no folder allows programs to be run' >&2; exit 1; fi\n"
	"fail() { rm -rf \"$d\" \"$s\"; exit 1; }\n"
	"tar -xzf - -C \"$d\" || fail\n"
	"own=; [ -e /var/lib/holdfast ] || own=yes\n"
	"export d s own HOLDFAST_WRITER_DIR=\"$d/bin\"\n"
	"setsid sh -c '\"$d/bin/holdfast\" agent --listen \"unix:$s/agent.sock\" --exit-idle %2$" PRIu64
	"s >\"$s/log\" 2>&1 & p=$!; echo $p >\"$s/pid\"; wait $p; cd /; rm -rf \"$d\"; "
	"[ -z \"$own\" ] || [ -n \"$(ls /var/lib/holdfast/guard 2>/dev/null)\" ] || "
	"rm -rf --one-file-system /var/lib/holdfast; "
	"[ -e \"$s/ok\" ] || sleep 5; rm -rf \"$s\"'"
	" </dev/null >/dev/null 2>&1 &\n"
	"n=0\n"
	"while [ ! -S \"$s/agent.sock\" ]; do\n"
	"  n=$((n + 1))\n"
	"  if [ $n -gt 150 ] || { [ $n -gt 5 ] && [ ! -d \"$d\" ]; }; then\n"
	"    [ -e \"$s/log\" ] && tail -n 5 \"$s/log\" >&2; echo 'the agent did not start' >&2; fail\n"
	"  fi\n"
	"  sleep 0.1\n"
	"done\n"
	": >\"$s/ok\"\n";

static const char stop_script[] =
	"s=/tmp/holdfast-%1$s; p=$(cat \"$s/pid\" 2>/dev/null) && kill -TERM \"$p\" 2>/dev/null\n"
	"n=0\n"
	"while [ -d \"$s\" ] && [ $n -lt 200 ]; do n=$((n + 1)); sleep 0.1; done\n"
	"[ ! -d \"$s\" ]\n";

/* sh reads the script as an argument: standard input is for the programs. It has no single quotes that
 * are not doubled up here. */
static int
remote_command(const char *script, struct buf *ret, struct error *err)
{
	if (buf_printf(ret, err, "sh -c '") < 0)
		return err->code;
	for (const char *p = script; *p != '\0'; p++) {
		int r = *p == '\'' ? buf_append(ret, "'\\''", 4, err) : buf_append(ret, p, 1, err);

		if (r < 0)
			return r;
	}
	return buf_append(ret, "'", sizeof("'"), err);
}

/* Arguments common to all: which host, and through which control socket. */
struct args {
	size_t n;
	char *argv[ARGS_MAX];
};

static void
add(struct args *a, const char *word)
{
	a->argv[a->n++] = (char *)(uintptr_t)word; /* execve does not write to them */
}

static void
base_args(const struct ssh_guest *g, struct args *a)
{
	*a = (struct args){0};
	add(a, g->options.program);
	if (g->options.config != NULL) {
		add(a, "-F");
		add(a, g->options.config);
	}
	add(a, "-S");
	add(a, g->control);
	if (g->url.port[0] != '\0') {
		add(a, "-p");
		add(a, g->url.port);
	}
	add(a, "-T");
	add(a, "-oForwardX11=no");
	add(a, "-oForwardAgent=no");
	add(a, "-oClearAllForwardings=no");
}

static int
run_there(const struct ssh_guest *g, const char *script, int input, uint64_t deadline_ns,
	  struct ssh_run *ret, struct error *err)
{
	CLEAN(buf_done) struct buf command = BUF_INIT(2 * SCRIPT_MAX);
	struct args a;

	if (remote_command(script, &command, err) < 0)
		return err->code;
	base_args(g, &a);
	add(&a, "-oControlMaster=no");
	add(&a, "-oBatchMode=yes"); /* if the master is gone, fail instead of asking anew */
	add(&a, "--");
	add(&a, g->destination);
	add(&a, (const char *)command.p);
	return ssh_run(a.argv, input, deadline_ns, ret, err);
}

/* ---- the master connection, and its keeper ----------------------------------------------------*/

static int
start_master(const struct ssh_guest *g, struct child *ret, struct error *err)
{
	struct args a;

	base_args(g, &a);
	add(&a, "-M");
	add(&a, "-N");
	add(&a, "-oControlPersist=no");
	add(&a, "-oExitOnForwardFailure=yes");
	add(&a, "-oStreamLocalBindUnlink=yes");
	add(&a, "-oStreamLocalBindMask=0177");
	/* A dead link is noticed in fifteen seconds. */
	add(&a, "-oServerAliveInterval=5");
	add(&a, "-oServerAliveCountMax=3");
	add(&a, "-L");
	add(&a, g->forward);
	add(&a, "--");
	add(&a, g->destination);
	return child_start(a.argv, NULL, ret, err);
}

static void
note(const struct ssh_guest *g, const char *what)
{
	char text[400];

	if (g->options.note == NULL)
		return;
	(void)text_printf(text, sizeof(text), "%s: %s", g->url.host, what);
	g->options.note(g->options.note_arg, text);
}

/* Until the master ends (true) or we are to stop (false). */
static bool
watch_master(struct ssh_guest *g, struct child *c)
{
	char said[SSH_SAID_MAX] = "";

	for (;;) {
		struct pollfd p[] = {
			{.fd = g->stop_fd, .events = POLLIN},
			{.fd = c->errout, .events = POLLIN},
			{.fd = c->pidfd, .events = POLLIN},
		};

		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return false;
		if (p[0].revents != 0)
			return false;
		if (p[1].revents != 0) {
			if (ssh_run_listen(c->errout, said))
				continue;
			fd_close(&c->errout);
			c->errout = -1;
		}
		if (p[2].revents != 0)
			break;
	}
	(void)pthread_mutex_lock(&g->lock);
	memcpy(g->said, said, sizeof(said));
	g->ended++;
	(void)pthread_mutex_unlock(&g->lock);
	return true;
}

static bool
told_to_stop(const struct ssh_guest *g, uint64_t within_ns)
{
	struct pollfd p = {.fd = g->stop_fd, .events = POLLIN};

	return poll(&p, 1, (int)(within_ns / NS_PER_MS)) != 0;
}

/* Children die with the thread that started them, so the master belongs to this one. */
static void *
keep(void *arg)
{
	struct ssh_guest *g = arg;
	bool lost = false;

	do {
		CLEAN(child_kill) struct child c = CHILD_INIT;
		struct error err = ERROR_INIT;

		if (start_master(g, &c, &err) < 0) {
			(void)pthread_mutex_lock(&g->lock);
			(void)text_printf(g->said, sizeof(g->said), "%s", err.msg);
			g->ended++;
			(void)pthread_mutex_unlock(&g->lock);
		} else if (!watch_master(g, &c)) {
			return NULL;
		}
		if (!lost)
			note(g, "the ssh connection is lost; opening it again");
		lost = true;
	} while (!told_to_stop(g, RECONNECT_NS));
	return NULL;
}

/* The control socket answers once the login is done. */
static bool
master_answers(const struct ssh_guest *g)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	CLEAN(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(a.sun_path, g->control, MIN(sizeof(a.sun_path) - 1, strlen(g->control)));
	return fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0;
}

static int
await_master(struct ssh_guest *g, uint64_t deadline_ns, struct error *err)
{
	struct timespec pause = {.tv_nsec = (long)LOOK_AGAIN_NS};

	while (!master_answers(g)) {
		char said[SSH_SAID_MAX];

		(void)pthread_mutex_lock(&g->lock);
		bool ended = g->ended > 0;
		memcpy(said, g->said, sizeof(said));
		(void)pthread_mutex_unlock(&g->lock);
		if (ended)
			return error_set(err, ERR_SSH, "log in to '%s' by ssh: %s", g->destination,
					 said[0] != '\0' ? said : "it ended");
		if (clock_boot_ns() >= deadline_ns)
			return error_set(err, ERR_TIMEOUT,
					 "log in to '%s' by ssh: no answer in time",
					 g->destination);
		(void)nanosleep(&pause, NULL);
	}
	return OK;
}

/* ---- start and stop ---------------------------------------------------------------------------*/

static int
make_dir(struct ssh_guest *g, struct error *err)
{
	if (ssh_dir_make(&g->dir, err) < 0)
		return err->code;
	(void)text_printf(g->control, sizeof(g->control), "%s/control", g->dir.path);
	(void)text_printf(g->local, sizeof(g->local), "%s/agent.sock", g->dir.path);
	(void)text_printf(g->forward, sizeof(g->forward), "%s:/tmp/holdfast-%s/agent.sock",
			  g->local, g->id);
	return OK;
}

static int
guest_new(const struct ssh_options *options, struct ssh_guest **ret, struct error *err)
{
	struct ssh_guest *g = calloc(1, sizeof(*g));
	uint8_t id[ID_SIZE];

	if (g == NULL)
		return error_no_memory(err);
	*ret = g; /* also on failure: the caller stops it */
	g->options = *options;
	g->dir.fd = -1;
	g->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	(void)pthread_mutex_init(&g->lock, NULL);
	if (g->stop_fd < 0)
		return error_sys(err, ERR_IO, "make an eventfd");
	if (ssh_url_parse(options->url, &g->url, err) < 0 || crypto_random(id, sizeof(id), err) < 0)
		return err->code;
	hex_encode(id, sizeof(id), g->id);
	(void)text_printf(g->destination, sizeof(g->destination), "%s%s%s", g->url.user,
			  g->url.user[0] != '\0' ? "@" : "", g->url.host);
	return make_dir(g, err);
}

static void
guest_free(struct ssh_guest *g)
{
	uint64_t one = 1;

	if (g->keeping) {
		ssize_t n = write(g->stop_fd, &one, sizeof(one));

		(void)n; /* an eventfd takes one */
		(void)pthread_join(g->keeper, NULL);
	}
	ssh_dir_remove(&g->dir);
	(void)pthread_mutex_destroy(&g->lock);
	fd_close(&g->stop_fd);
	free(g);
}

static int
send_and_start(struct ssh_guest *g, uint64_t deadline_ns, struct error *err)
{
	CLEAN(fd_close) int bundle = open(g->options.bundle, O_RDONLY | O_CLOEXEC);
	struct ssh_run run;
	char script[SCRIPT_MAX];

	if (bundle < 0)
		return error_sys(err, ERR_SOURCE, "open '%s', the programs for guests",
				 g->options.bundle);
	if (!text_printf(script, sizeof(script), start_script, g->id, g->options.idle_s))
		return error_set(err, ERR_INTERNAL, "the script is too long");
	note(g, "sending the programs");
	if (run_there(g, script, bundle, deadline_ns, &run, err) < 0)
		return error_prefix(err, "start the agent on '%s'", g->destination);
	if (run.status != 0)
		return error_set(err, ERR_SSH, "start the agent on '%s': %s", g->destination,
				 run.said[0] != '\0' ? run.said : "ssh failed");
	return OK;
}

int
ssh_guest_start(const struct ssh_options *options, struct ssh_guest **ret, struct error *err)
{
	uint64_t deadline_ns = clock_boot_ns() + options->timeout_ns;
	struct ssh_guest *g = NULL;
	int r = guest_new(options, &g, err);

	if (r == OK && pthread_create(&g->keeper, NULL, keep, g) != 0)
		r = error_set(err, ERR_NO_MEMORY, "start a thread");
	else if (r == OK)
		g->keeping = true;
	if (r == OK)
		r = await_master(g, deadline_ns, err);
	if (r == OK)
		r = send_and_start(g, deadline_ns, err);
	if (r < 0) {
		if (g != NULL)
			guest_free(g);
		return r;
	}
	*ret = g;
	return OK;
}

const char *
ssh_guest_socket(const struct ssh_guest *g)
{
	return g->local;
}

int
ssh_guest_stop(struct ssh_guest *g, struct error *err)
{
	struct ssh_run run = {0};
	char script[SCRIPT_MAX];
	int r;

	if (g == NULL)
		return OK;
	(void)text_printf(script, sizeof(script), stop_script, g->id);
	r = run_there(g, script, -1, clock_boot_ns() + STOP_LIMIT_NS, &run, err);
	if (r == OK && run.status != 0)
		r = error_set(err, ERR_SSH, "remove the programs from '%s': %s", g->destination,
			      run.said);
	if (r < 0)
		error_hint(err,
			   "the guest removes them by itself when nobody has talked to the agent "
			   "for %" PRIu64 " s",
			   g->options.idle_s);
	guest_free(g);
	return r;
}
