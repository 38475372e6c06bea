#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The backup of a group by provider btrfs.
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck disable=SC2034 # for the scenario
GROUP_FS=btrfs provider=btrfs
. "$here/support/group_snapshot.sh"
