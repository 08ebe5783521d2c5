#!/usr/bin/env bash
# sites.sh DIRSYNC: three sites that read each other; a fourth one joins the running organisation
# by two commands and has everybody's people; one is revoked; one leaves, and its contacts go at
# one moment, through the gate.
set -euo pipefail
dirsync=$1
top=$(mktemp -d)
declare -A process
trap 'for pid in "${process[@]}"; do kill -9 "$pid" 2>/dev/null || true; done; rm -rf "$top"' EXIT
cd "$top"

wrong() { echo "WRONG: $*"; tail -n 30 "$top"/*.log; exit 1; }
until_true() {  # until_true WHAT COMMAND...: polls for 60 seconds
  local what=$1 end=$((SECONDS + 60)); shift
  until "$@"; do [ "$SECONDS" -lt "$end" ] || wrong "$what: not in time"; read -rt 0.05 <> <(:) || :; done
}
at() { local store=$1; shift; "$dirsync" --store "$store" "$@" 2>>"$top/said.log"; }
knows() { at "$1" list | grep -q "^$2 "; }
knows_not() { ! knows "$@"; }
both_know() { knows site1 "$1" && knows site2 "$1"; }
ports='*' door='*'
start_broker() {
  "$dirsync" --store broker broker run --listen "tcp://127.0.0.1:$ports" --join-listen "tcp://127.0.0.1:$door" \
    --page off >broker.out 2>>broker.log </dev/null &
  process[broker]=$!
  until_true "the broker serves" grep -q '^listening' broker.out
  ports=$(sed 's/.*listening on [^,]*:\([0-9]*\),.*/\1/' broker.out)
  door=$(sed 's/.*joins on .*:\([0-9]*\).*/\1/' broker.out)
}
start_agent() {
  rm -f "site$1/control.sock"  # of one that was killed
  "$dirsync" --store "site$1" agent run >>"agent$1.log" 2>&1 </dev/null &
  process[agent$1]=$!
  until_true "agent $1 serves" at "site$1" version
  until_true "agent $1 serves" [ -S "site$1/control.sock" ]
}
end() { # end NAME SIGNAL
  kill "-$2" "${process[$1]}"
  wait "${process[$1]}" 2>/dev/null || [ "$2" = KILL ] || wrong "$1 ended with $?"
  unset "process[$1]"
}
connected() { [ "$(grep -c 'connected: a session' "agent$1.log")" -gt "$2" ]; }


join_site() { # join_site N: init and agent first; then the two commands
  at "site$1" init --organization Testorg --site "Site$1" --server "Server$1" --address-type SMTP --domain "site$1.test" >/dev/null
  start_agent "$1"
  at "site$1" instance set PEOPLE --export >/dev/null
  at "site$1" mailbox add "Anna$1" >/dev/null
  at "site$1" mailbox add "Ben$1" >/dev/null
  local invitation
  invitation=$(at broker broker invite)
  at "site$1" join "$invitation" --wait 30 >"join$1.out" &
  until_true "Site$1 asks to join" asks "Site$1"
  at broker sites approve "Site$1" >/dev/null
  wait $! || wrong "the join of Site$1 ended with $?"
}
import_ended() { ! at site1 instance list | grep -q "^$1 "; }
asks() { at broker sites pending | grep -q "^$1 "; }
all_know() { # all_know NAME SITES...
  local name=$1 site
  shift
  for site in "$@"; do knows "site$site" "$name" || return 1; done
}
all_forgot() {
  local name=$1 site
  shift
  for site in "$@"; do knows_not "site$site" "$name" || return 1; done
}

at broker organization init Testorg >/dev/null
start_broker
for n in 1 2 3; do join_site "$n"; done
for n in 1 2 3; do until_true "Anna$n is known to all" all_know "Anna$n" 1 2 3; done
echo "three sites know each other's people"

join_site 4
for n in 1 2 3 4; do until_true "Anna$n is known to all four" all_know "Anna$n" 1 2 3 4; done
echo "a fourth site joined by two commands (join, approve), and knows everybody"

at broker sites revoke Site4 >/dev/null
at site4 mailbox add Carl4 >/dev/null
until_true "the revoked site is refused" grep -q 'NOT_PERMITTED' agent4.log
knows_not site1 Carl4 || wrong "a revoked site was heard"
knows site1 Anna4 || wrong "what a revoked site had told is gone"
echo "a revoked site's next message is refused; what it told stays"

at broker sites remove Site3 --contacts delete >/dev/null
until_true "Site3's people are gone" all_forgot Anna3 1 2
knows site1 Anna2 || wrong "more than Site3's people went"
knows site3 Anna3 || wrong "a site that left lost its own people"
echo "a site that left: its contacts are gone at the others, and nobody else's"

# More than the gate lets pass at a time: they stay, and go once a person says so.
for n in $(seq 30); do at site2 mailbox add "Crowd$n" >/dev/null; done
until_true "Crowd30 is known" knows site1 Crowd30
at broker sites remove Site2 --contacts delete >/dev/null
until_true "the gate keeps them" grep -q 'the gate keeps its contacts' agent1.log
knows site1 Crowd30 || wrong "the gate did not keep the contacts of a site that left"
at site1 instance set Site2.PEOPLE --max-deletes 100% >/dev/null
until_true "they go" all_forgot Crowd30 1
knows site1 Anna1 || wrong "more than Site2's people went"
echo "a site that left with more contacts than the gate lets pass: kept, and let go by one command"

join_site 5
until_true "Anna5 is known" knows site1 Anna5
at broker sites remove Site5 --contacts keep >/dev/null
until_true "Site5's import ends" import_ended Site5.PEOPLE
knows site1 Anna5 || wrong "a contact that was to be kept is gone"
at site1 recipient delete Anna5 >/dev/null || wrong "a contact that was kept is not this site's own"
echo "a site that left: its contacts are kept at the others, as their own"

for name in agent1 agent2 agent3 agent4 agent5 broker; do end "$name" TERM; done
