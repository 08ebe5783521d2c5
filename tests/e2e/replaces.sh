#!/usr/bin/env bash
# replaces.sh DIRSYNC: the server of one of three sites is lost with its keys. Its people are loaded
# anew without their ids, and `join --replaces` and one approval put the new server in the place of
# the old one, while another site goes on changing people. Then the old server comes back.
set -euo pipefail
dirsync=$1
source "$(dirname "$0")/running_sites.sh"
trap 'rm -f "$top/going"; wait ${writer:-} 2>/dev/null || :; leave' EXIT

fact() { echo "shown: $*"; }
people_of() { at "$1" --json list | grep -o '"dn":"[^"]*"' | sed 's/.*cn=//; s/"$//' | sort; }
same_people() {
  local site
  people_of site1 >people1
  for site in 2 3; do
    people_of "site$site" >"people$site"
    diff people1 "people$site" >differences.log || return 1
  done
}
change_people() {
  local i=0
  while [ -e going ]; do
    i=$((i + 1))
    at site2 mailbox add "Live-$i" >/dev/null && echo "Live-$i" >>live
  done
}

at broker organization init Testorg >/dev/null
: >broker.toml
start_broker
for n in 1 2 3; do
  add_site "$n"
  at "site$n" instance set PEOPLE --export >/dev/null
done
for i in $(seq 1 40); do at site1 mailbox add "Person-$i" >/dev/null; done
until_true "Site2 knows Site1's people" knows site2 Person-40
until_true "Site3 knows Site1's people" knows site3 Person-40
until_true "all have the same people" same_people

# The server is lost: what is left is a list of its people, without ids. The old disk turns up later.
at site1 dump people.ldif >/dev/null || wrong "people are not dumped"
sed -i '/^entryUUID:/Id; /EntryId:/Id' people.ldif
end agent1 KILL
mv site1 old-server
: >live
: >agent-old.log
: >going
change_people & writer=$!

at site1 init --organization Testorg --site Site1 --server Server1-new --address-type SMTP \
  --domain site1.test >/dev/null
at site1 load people.ldif >load.out || wrong "people are not loaded: $(cat load.out)"
invitation=$(at broker broker invite)
if at site1 join "$invitation" >join.out; then wrong "a site with other keys was taken without --replaces"; fi
grep -q -- "--replaces" said.log || wrong "nothing names join --replaces"
fact "another server of a site's name is refused, and told of --replaces"
"$dirsync" --store site1 join "$invitation" --replaces >join.out 2>&1 || wrong "the request is not taken"
asked=$(sed -n "s/.*this site's key //p" join.out)
[ -n "$asked" ] || wrong "join prints no fingerprint: $(cat join.out)"
at broker sites pending | grep -F "$asked" >/dev/null || wrong "the fingerprint at the broker is another"
fact "both ends show the same fingerprint: $asked"
at broker sites approve Site1 >/dev/null
at site1 join "$invitation" --replaces >/dev/null
start_agent 1
# Its export comes only later: what the lost server told is still in the broker's log.
until_true "the new server reads the others" sh -c "'$dirsync' --store site1 list | grep -q Live-1"
at site1 instance set PEOPLE --export >/dev/null

at site1 mailbox add Newcomer >/dev/null
until_true "Site2 hears the new server" knows site2 Newcomer
until_true "Site3 hears the new server" knows site3 Newcomer
fact "both other sites hear the new server"
rm going
wait "$writer"
until_true "all have the same people" same_people
[ -z "$(uniq -d people2)" ] || wrong "doubled: $(uniq -d people2)"
fact "the three sites have the same $(wc -l <people2) people, $(wc -l <live) of them added meanwhile"
# The ids of before are gone: their deletes wait for a person, and take nobody along who is there.
until_true "what is held is said" grep -q '[0-9]* deletes held' agent2.log
held=$(grep -o '[0-9]* deletes held' agent2.log | tail -1)
[ "$held" = "40 deletes held" ] || wrong "after a new epoch not every delete is held: $held"
for n in 2 3; do at "site$n" held approve --all --yes >/dev/null || wrong "Site$n approves nothing"; done
same_people || wrong "an approved delete took a person along"
at site1 mailbox set Person-1 --attribute Title=Chief >/dev/null
until_true "a person who was matched is changed" sh -c "'$dirsync' --store site2 --json show Person-1 | grep -q Chief"
fact "40 deletes of old ids were held; approved, they took nobody along, and changes go on"

# The old server comes back, with people that nobody else knows.
at old-server mailbox add Ghost >/dev/null
"$dirsync" --store old-server agent run >>agent-old.log 2>&1 </dev/null &
process[old]=$!
until_true "the old server is refused" grep -q 'NOT_PERMITTED\|FENCED' agent-old.log
until_true "its status says so" sh -c "'$dirsync' --store old-server status 2>&1 | grep -q 'another server took its place'"
at site2 mailbox add After-return >/dev/null
until_true "Site1 hears Site2" knows site1 After-return
knows_not old-server After-return || wrong "the old server reads"
for n in 1 2 3; do knows_not "site$n" Ghost || wrong "the old server was heard at Site$n"; done
fact "the old server is refused, reads nothing, and nothing of it arrives"
for name in old agent1 agent2 agent3 broker; do end "$name"; done
