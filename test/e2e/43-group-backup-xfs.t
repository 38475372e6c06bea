#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The backup of a group by provider reflink.
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck disable=SC2034 # for the scenario
GROUP_FS=xfs provider=reflink
. "$here/support/group_snapshot.sh"
