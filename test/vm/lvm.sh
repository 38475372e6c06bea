#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# lvm.sh: the provider contract on LVM volumes, thin and classic, with the program that TEST_PROVIDER
# names; for tools/vm, as the volume group is made of memory here.
set -eu
export DM_DISABLE_UDEV=1 LVM_SUPPRESS_FD_WARNINGS=1
disk=$(mktemp -d /tmp/lvm.XXXXXX)
mount -t tmpfs -o size=1300m tmpfs "$disk"
truncate -s 1200M "$disk/pv"
device=$(losetup -f --show "$disk/pv")
pvcreate -q -y "$device" >/dev/null
vgcreate -q hf-test "$device" >/dev/null
lvcreate -q -y -L 450M -T hf-test/pool >/dev/null
lvcreate -q -y -V 320M -T hf-test/pool -n thin-one >/dev/null
lvcreate -q -y -L 320M -n classic hf-test >/dev/null
HOLDFAST_TEST_LVM_THIN=/dev/hf-test/thin-one HOLDFAST_TEST_LVM_CLASSIC=/dev/hf-test/classic \
	"$TEST_PROVIDER" lvm
echo "left behind: $(lvs --noheadings -S lv_tags=holdfast | wc -l) volumes"
[ "$(lvs --noheadings -S lv_tags=holdfast | wc -l)" -eq 0 ]
