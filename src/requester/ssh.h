/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A guest that has nothing of ours, reached by ssh: the programs are sent over, run for this backup
 * behind a forwarded socket, and removed, whatever happens.
 *
 *	here				     the guest
 *	LOCAL.sock  --- ssh -L --->  DIR/agent.sock  <- holdfast agent (from the bundle)
 *
 * One connection ("master") carries everything, so whoever must type a password types it once. A thread
 * watches it and opens it anew when it breaks: the agent goes on meanwhile, as does its lease, and the
 * requester finds it behind the same local socket.
 *
 * What removes the programs from the guest: ssh_guest_stop(); or, when it cannot reach the guest any
 * more, the guest itself: the agent ends when nobody has talked to it for a while and no lease is
 * held, and the shell that started it then removes the folder. That shell outlives the connection, and
 * a kill of the agent.
 */
#ifndef HF_REQUESTER_SSH_H
#define HF_REQUESTER_SSH_H

#include "base/base.h"
#include "base/error.h"

/* What happens to the connection, for people: "the connection to HOST is lost ...". From any thread. */
typedef void ssh_note_fn(void *arg, const char *text);

/* Everything is borrowed until ssh_guest_stop(). */
struct ssh_options {
	const char *url;
	const char *program; /* "ssh", or a path */
	const char *config; /* its configuration file, or NULL for its own */
	const char *bundle; /* path of holdfast-guest.tar.gz */
	uint64_t idle_s; /* after which a lonely agent ends */
	uint64_t timeout_ns; /* for connecting, sending and starting together */
	ssh_note_fn *note; /* may be NULL */
	void *note_arg;
};

struct ssh_guest;

/* ERR_SPAWN, ERR_SOURCE (no bundle), ERR_TIMEOUT, or ERR_CONNECT with what ssh or the guest said. On
 * failure nothing is left on the guest, as far as it can be reached. */
CHECKED int ssh_guest_start(const struct ssh_options *options, struct ssh_guest **ret,
			    struct error *err);
/* Where the agent answers, on this machine. */
const char *ssh_guest_socket(const struct ssh_guest *g);
/* End the agent, remove everything there and here. ERR_CONNECT: the guest could not be reached; it
 * will do so itself. NULL is fine. Frees in every case. */
CHECKED int ssh_guest_stop(struct ssh_guest *g, struct error *err);

#endif
