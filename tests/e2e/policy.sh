#!/usr/bin/env bash
# policy.sh DIRSYNC: three sites that read each other; one of them limits what the others may have
# and change there. What passes a limit waits, and is said at both ends; the rest goes on.
set -euo pipefail
dirsync=$1
source "$(dirname "$0")/running_sites.sh"

fact() { echo "shown: $*"; }
says() { at "$1" status 2>&1 | grep -F "$2" >/dev/null; }
event() { at broker events --json | grep -F "$1" >/dev/null; }
has_title() { "$dirsync" --store "$1" --json show "$2" 2>/dev/null | grep -F "\"$3\"" >/dev/null; }
objects_of() { at "$1" --json sites policy "$2" | sed -n 's/.*"objects":\([0-9]*\).*/\1/p'; }
people() {
  seq 1 "$2" | sed "s/.*/dn: cn=$1-&,cn=Recipients\nobjectClass: inetOrgPerson\ntelephoneNumber: +49 &\n/"
}

at broker organization init Testorg >/dev/null
: >broker.toml
start_broker
for n in 1 2 3; do
  add_site "$n"
  at "site$n" instance set PEOPLE --export >/dev/null
done

# ---- objects

at site2 sites policy Site1 --max-objects 200 >/dev/null
people Person 300 >people.ldif
at site1 load people.ldif >/dev/null
until_true "Site3 has Site1's people" knows site3 Person-300
until_true "Site2's status says why they wait" says site2 OVER_LIMIT
knows_not site2 Person-1 || wrong "a batch over the limit was applied in part"
[ "$(objects_of site2 Site1)" = 0 ] || wrong "Site1 has objects at Site2"
says site2 "would have 300 objects" || wrong "the status does not say how many"
says site2 "dirsync sites policy Site1 --max-objects 300" || wrong "the status does not say what raises it"
until_true "the broker's events say so too" event OVER_LIMIT
until_true "the agent's log says it" grep -q 'stopped Site1.PEOPLE: .*OVER_LIMIT' agent2.log
at site3 mailbox add Stranger >/dev/null
until_true "others' people come on" knows site2 Stranger
fact "300 people over a limit of 200 wait whole, both ends say why, others come on"

at site2 sites policy Site1 --max-objects 5000 >/dev/null
until_true "with a higher limit they arrive" knows site2 Person-300
[ "$(objects_of site2 Site1)" = 300 ] || wrong "not all of Site1's people are counted"
until_true "the status is clear again" sh -c "! '$dirsync' --store site2 status 2>&1 | grep -q OVER_LIMIT"
fact "with the limit raised they arrive at once, nothing lost"

at site2 sites policy Site1 --max-objects 100 2>note >/dev/null
at site1 mailbox set Person-1 --attribute Title=Chief >/dev/null
until_true "above the limit, changes come" has_title site2 Person-1 Chief
at site1 mailbox delete Person-2 >/dev/null
until_true "and deletes" knows_not site2 Person-2
at site2 sites policy Site1 --reset >/dev/null
fact "above a limit that was lowered, changes and deletes come on"

# ---- rate

at site2 sites policy Site3 --max-changes-per-hour 50 >/dev/null
for n in $(seq 1 60); do at site3 mailbox add "Crowd-$n" >/dev/null; done
until_true "Site1 has Site3's people" knows site1 Crowd-60
until_true "Site2's status says that they wait" says site2 OVER_LIMIT
says site2 "goes on by itself at" || wrong "the status does not say until when"
knows site2 Crowd-40 || wrong "less than the limit was applied"
knows_not site2 Crowd-60 || wrong "more than the limit was applied"
at site1 mailbox add Newcomer >/dev/null
until_true "others' people come on" knows site2 Newcomer
fact "of 60 changes those over 50 an hour wait, with the time when they go on; others come on"

end agent2
start_agent 2
until_true "a start does not begin the hour anew" says site2 OVER_LIMIT
knows_not site2 Crowd-60 || wrong "a start began the hour anew"
at site2 sites policy Site3 --max-changes-per-hour unlimited >/dev/null
until_true "without the limit they arrive" knows site2 Crowd-60
fact "a start does not begin the hour anew; without the limit they arrive"

# ---- attributes

phone() { "$dirsync" --store "$1" --json show Person-7 2>/dev/null | grep -o '"Telephone-Office":\["[^"]*"' || :; }
has_phone() { [ "$(phone site2)" = '"Telephone-Office":["'"$1"'"' ]; }
has_no_phone() { [ -z "$(phone site2)" ]; }
copies() { grep -c 'full-copy-done Site1.PEOPLE' agent2.log || :; }
copied() { [ "$(copies)" -gt "$1" ]; }
has_phone "+49 7" || wrong "the phone did not come"
before=$(copies)
at site2 sites policy Site1 --attributes Display-Name,Title >/dev/null
until_true "what came before is taken away" has_no_phone
until_true "the copy ends" copied "$before"
at site1 mailbox set Person-7 --attribute 'Telephone-Office=+49 77' --attribute Title=Chief >/dev/null
until_true "what is taken comes on" has_title site2 Person-7 Chief
has_no_phone || wrong "a phone came that is not taken"
grep -q 'full-copy-done Site1.PEOPLE: .*sums equal' agent2.log || wrong "the sums are not equal"
fact "an attribute that is no longer taken goes, and does not come again; sums stay equal"
end agent2
at site2 sites policy Site1 --attributes all 2>note >/dev/null
start_agent 2
until_true "what is taken again comes by itself" has_phone "+49 77"
fact "an attribute that is taken again comes by a full copy, which the next start of the agent fetches"

# ---- by files in a folder

at far init --organization Testorg --site Site8 --server Server8 --domain site8.test >/dev/null
at near init --organization Testorg --site Site9 --server Server9 --domain site9.test >/dev/null
at far instance set OUT --export --export-file SYNC8 --transport file >/dev/null
at near instance set IN --import --transport file >/dev/null
at near sites policy Site8 --max-objects 2 >/dev/null
"$dirsync" --store near agent run --in in >>near.log 2>&1 </dev/null &
process[near]=$!
until_true "the agent with a folder serves" [ -S near/control.sock ]
for n in 1 2 3; do at far mailbox add "Far-$n" >/dev/null; done
at far run OUT >/dev/null
mv SYNC8 in/
until_true "the file waits" grep -q 'waiting: .*OVER_LIMIT' near.log
[ -e in/waiting/SYNC8 ] || wrong "the file is not kept"
knows_not near Far-1 || wrong "a file over the limit was applied in part"
at near sites policy Site8 --max-objects 3 >/dev/null
until_true "with a higher limit the file is taken" knows near Far-3
until_true "and is done with" [ -e in/done/SYNC8 ]
[ "$(grep -c 'waiting: .*OVER_LIMIT' near.log)" = 1 ] || wrong "the same was said again and again"
fact "a file over the limit waits in its folder, said once, and is taken once the limit is raised"

for name in agent1 agent2 agent3 near broker; do end "$name"; done
