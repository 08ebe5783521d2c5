#!/usr/bin/env bash
# disk_full.sh DIRSYNC: a store on a small tmpfs meets a full disk in load, export and import; what
# was acknowledged stays, nothing half done is left, and with room again the same commands finish.
# Nearly full, nothing new is told; full, a reserve is given up so that acks can still be taken.
# Needs to mount: as another user than root it says so and exits 77.
set -euo pipefail
dirsync=$1
[ "$(id -u)" = 0 ] || { echo "not run: mounting a tmpfs needs root"; exit 77; }
disk=$(mktemp -d)
mount -t tmpfs -o size=20m tmpfs "$disk" 2>/dev/null || { rmdir "$disk"; echo "not run: no tmpfs may be mounted here"; exit 77; }
trap 'umount "$disk"; rmdir "$disk"; rm -f "$ldif"' EXIT
ldif=$(mktemp)
awk 'BEGIN { for (i = 0; i < 60000; ++i) { printf "dn: cn=p%d,cn=Recipients\nobjectClass: inetOrgPerson\ncn: p%d\ndisplayName: person %d\ninfo: ", i, i, i
  for (j = 0; j < 40; ++j) printf "%08x", int(rand() * 4294967295); print "\n" } }' >"$ldif"

expect() {  # expect STATUS TEXT COMMAND...: the command ends with the status and says the text
  local status=$1 text=$2 said got=0; shift 2
  said=$("$@" 2>&1) || got=$?
  [ "$got" = "$status" ] || { echo "WRONG: $* ended with $got, not $status: $said"; exit 1; }
  case $said in *"$text"*) ;; *) echo "WRONG: $* said: $said"; exit 1 ;; esac
}
people() { "$dirsync" --store "$1" list --json | grep -c '"class": *"mailbox"' || true; }

one=$disk/one
two=$disk/two
"$dirsync" --store "$one" init --organization Testorg --site Site1 --server S1 --domain Site1.Testorg.com >/dev/null
"$dirsync" --store "$one" mailbox add First >/dev/null
expect 5 READ_ONLY "$dirsync" --store "$one" load "$ldif"
before=$(people "$one")
[ "$before" -ge 1 ] || { echo "WRONG: what was acknowledged is gone"; exit 1; }
echo "disk nearly full in load: READ_ONLY, $before people kept"
mount -o remount,size=400m "$disk"
expect 0 "" "$dirsync" --store "$one" load "$ldif"
[ "$(people "$one")" = 60001 ] || { echo "WRONG: $(people "$one") people after room came"; exit 1; }
echo "room again: load went on to 60000"

"$dirsync" --store "$one" instance set OUT --export --export-file "$disk/SYNC" >/dev/null
dd if=/dev/zero of="$disk/filler" bs=1M status=none 2>/dev/null || true
truncate -s -4M "$disk/filler"
expect 5 READ_ONLY "$dirsync" --store "$one" run OUT
[ ! -e "$disk/SYNC" ] || { echo "WRONG: half a file is there"; exit 1; }
rm "$disk/filler"
expect 0 "60,001" "$dirsync" --store "$one" run OUT
expect 0 "" "$dirsync" file verify "$disk/SYNC"
echo "disk nearly full in export: READ_ONLY, no file; room again: whole file"

"$dirsync" --store "$two" init --organization Testorg --site Site2 --server S2 --domain Site2.Testorg.com >/dev/null
"$dirsync" --store "$two" instance set IN --import --import-file "$disk/SYNC" >/dev/null
dd if=/dev/zero of="$disk/filler" bs=1M status=none 2>/dev/null || true
truncate -s -30M "$disk/filler"
expect 5 DISK_FULL "$dirsync" --store "$two" run IN
rm "$disk/filler"
expect 0 "" "$dirsync" --store "$two" run IN
got=$("$dirsync" --store "$two" list --json | grep -c '"class": *"custom-recipient"')
[ "$got" = 60001 ] || { echo "WRONG: the reader has $got of 60001"; exit 1; }
echo "full disk in import: DISK_FULL; room again: 60001 custom recipients"

mount -o remount,size=900m "$disk"
"$dirsync" --store "$one" mailbox add Second >/dev/null
expect 0 "1 added" "$dirsync" --store "$one" run OUT
[ "$(stat -c %s "$one/reserve")" = $((64 << 20)) ] || { echo "WRONG: no reserve was taken"; exit 1; }
ack=$("$dirsync" --store "$two" ack IN)
dd if=/dev/zero of="$disk/filler" bs=1M status=none 2>/dev/null || true
sed 's/cn=p/cn=q/; s/^cn: p/cn: q/' "$ldif" >"$ldif.more"
expect 5 READ_ONLY "$dirsync" --store "$one" load "$ldif.more"
rm "$ldif.more"
[ ! -e "$one/reserve" ] || { echo "WRONG: the reserve is still there"; exit 1; }
expect 0 "" "$dirsync" --store "$one" ack --from Site2 "$ack"
expect 0 "" "$dirsync" --store "$one" mailbox add Third
expect 5 READ_ONLY "$dirsync" --store "$one" run OUT
rm "$disk/filler"
expect 0 "added" "$dirsync" --store "$one" run OUT
[ -e "$one/reserve" ] || { echo "WRONG: the reserve was not taken again"; exit 1; }
echo "full disk: the reserve was given up, an ack was taken, nothing told; room again: all as before"
