#!/usr/bin/env bash
# broker_disk.sh TEST: runs broker_disk_e2e on a small tmpfs. Needs to mount: as another user than
# root it says so and exits 77.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "not run: mounting a tmpfs needs root"; exit 77; }
disk=$(mktemp -d)
mount -t tmpfs -o size=400m tmpfs "$disk" 2>/dev/null || { rmdir "$disk"; echo "not run: no tmpfs may be mounted here"; exit 77; }
trap 'umount "$disk"; rmdir "$disk"' EXIT
TMPDIR=$disk "$1"
