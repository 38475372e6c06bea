/* SPDX-License-Identifier: Apache-2.0 */

/* Tell systemd how a service is (Type=notify), where one listens; nothing happens otherwise. */
#ifndef HF_CLI_NOTIFY_H
#define HF_CLI_NOTIFY_H

void notify_systemd(const char *state); /* "READY=1" */

#endif
