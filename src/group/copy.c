/* SPDX-License-Identifier: Apache-2.0 */

/* What the states and roles of a copy are called. */
#include "group/status.h"

const char *
copy_status_name(enum copy_status s)
{
	switch (s) {
	case COPY_MOUNTED:
		return "Mounted";
	case COPY_DISMOUNTED:
		return "Dismounted";
	case COPY_HEALTHY:
		return "Healthy";
	case COPY_SUSPENDED:
		return "Suspended";
	case COPY_DISCONNECTED_AND_HEALTHY:
		return "DisconnectedAndHealthy";
	case COPY_DISCONNECTED_AND_RESYNCHRONIZING:
		return "DisconnectedAndResynchronizing";
	case COPY_RESYNCHRONIZING:
		return "Resynchronizing";
	case COPY_DISCONNECTED:
		return "Disconnected";
	case COPY_INITIALIZING:
		return "Initializing";
	case COPY_FAILED:
		return "Failed";
	case COPY_SERVICE_DOWN:
		return "ServiceDown";
	}
	return "Unknown";
}

const char *
copy_role_name(enum copy_role r)
{
	switch (r) {
	case COPY_ROLE_ACTIVE:
		return "active";
	case COPY_ROLE_PASSIVE:
		return "passive";
	case COPY_ROLE_UNKNOWN:
		break;
	}
	return "unknown";
}
