/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A guest by where its agent is:
 *
 *	unix:PATH		an agent on this machine, or one whose socket is forwarded
 *	tls://HOST:PORT		one that this machine is enrolled with
 *	ssh://[USER@]HOST	none: the programs are sent over for this backup (requester/ssh.h)
 */
#ifndef HF_REQUESTER_GUEST_URL_H
#define HF_REQUESTER_GUEST_URL_H

#include "base/base.h"
#include "base/error.h"
#include "requester/guest.h"
#include "requester/ssh.h"

struct guest_url_options {
	const char *state_dir; /* of this machine: its certificate, and whom it knows */
	const char *store, *key_file; /* as in guest_remote.h */
	struct ssh_options ssh; /* its url is set here */
	void (*note)(void *arg, const char *text); /* as in guest_remote.h */
	void *note_arg;
	uint64_t hello_ns; /* as in guest_remote.h */
	struct eventlog *events; /* of this machine, may be NULL; outlives the guest */
};

enum { GUEST_URL_PORT = 7410 }; /* if there is none in the URL */

/* ERR_USAGE if it is none of these; else what became of the attempt to say hello. */
CHECKED int guest_url_open(const char *url, const struct guest_url_options *options,
			   struct guest **ret, struct error *err);

#endif
