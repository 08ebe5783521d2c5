#!/usr/bin/env bash
# resync.sh DIRSYNC [PEOPLE]: an admin site has another site take a third one's people whole, beside
# live changes; the reader, the source, the broker and the asker are killed on the way: the copy goes
# on where it stood, and ends with equal sums. Who is no admin asks for itself only. An agent that
# waits goes on with all else.
set -euo pipefail
dirsync=$1
people=${2:-60000}
source "$(dirname "$0")/running_sites.sh"

in_the_middle() { at site2 --json resync status | grep '"copying":true,"done":[1-9]' >/dev/null; }
went_on() { grep 'a full copy goes on' agent2.log >/dev/null; }
entries_at() { at "$1" --json list Recipients | grep -o '"dn"' | wc -l; }
holds() { [ "$(entries_at "$1")" -eq "$2" ]; }
equal_since() {  # equal_since TIME: of Site2's copy, ended
  at site2 --json resync status >status.out && ! grep '"copying":true' status.out >/dev/null &&
    [[ $(sed 's/.*"sums_equal_at":"\([^"]*\)".*/\1/' status.out) > $1 ]]
}

at broker organization init Testorg >/dev/null
: >broker.toml
start_broker
add_site 1
add_site 2
add_site 3 --admin
for n in $(seq "$people"); do
  printf 'dn: cn=P%s,cn=Recipients,ou=Site1,o=Testorg\nobjectClass: person\ndescription: %0200d\n\n' "$n" "$n"
done >people.ldif
at site1 load people.ldif >/dev/null
at site1 instance set PEOPLE --export >/dev/null
until_true "Site2 has all of Site1" holds site2 "$people"
until_true "Site3 has all of Site1" holds site3 "$people"

refused=0
"$dirsync" --store site2 resync run --site Site1 --full --yes >refused.out 2>&1 || refused=$?
[ "$refused" -ne 0 ] && grep -q NOT_PERMITTED refused.out || wrong "a site that is no admin asked for another: $(cat refused.out)"
echo "Site2, no admin, may not ask for Site1"

resync() { at site3 --json resync run --site Site1 --full --to Site2 --yes; }
resync >resync.out || wrong "the resync ended with $?: $(cat resync.out)"
grep -q '"reader":"Site2".*"equal":true' resync.out || wrong "not equal: $(cat resync.out)"
echo "Site3, an admin, had Site2 take Site1's people: $(sed 's/.*"text":"\([^"]*\)".*/\1/' resync.out)"

# Neither a question that waits for its answer nor a resync that waits for a site holds up others.
mkfifo answers
script -qec "'$dirsync' --store site2 resync run --site Site2 --full" /dev/null <answers >screen 2>&1 &
typing=$!
exec 9>answers
asked() { grep -q '(y/n)' screen; }
until_true "the question stands" asked
at site1 mailbox add BesideAQuestion >/dev/null
people=$((people + 1))
until_true "Site2 takes a change, and lists it, while it asks" knows site2 BesideAQuestion
echo n >&9
exec 9>&-
wait "$typing" || :
grep -q 'not confirmed' screen || wrong "it was answered with no: $(cat screen)"
echo "a question holds up neither the session nor other commands"

revive() {
  case $1 in
    broker) start_broker ;;
    *) start_agent "${1#agent}" ;;
  esac
}
# Has Site2 take the copy, and freezes the source in the middle of it. Sets asked: who waits for it.
cut_off() {
  for _ in $(seq 20); do
    resync >resync.out & asked=$!
    until in_the_middle; do kill -0 "$asked" 2>/dev/null || continue 2; done
    kill -STOP "${process[agent1]}"
    in_the_middle && return
    kill -CONT "${process[agent1]}"
    wait "$asked" || wrong "the resync ended with $?: $(cat resync.out)"
  done
  wrong "no copy of $people entries was met in its middle"
}
dies() {  # dies PROCESS: in the middle of a copy
  local asked since
  since=$(date -u +%Y-%m-%dT%H:%M:%S)
  cut_off
  timeout 20 "$dirsync" --store site3 status >/dev/null || wrong "Site3 waits, and says nothing"
  end "$1" KILL
  [ "$1" = agent1 ] || kill -CONT "${process[agent1]}"
  revive "$1"
  at site1 mailbox add "Beside-$1" >/dev/null
  if [ "$1" = agent3 ]; then
    wait "$asked" || :  # its agent is gone: the reader goes on by itself
    until_true "Site2's copy ends" equal_since "$since"
  else
    wait "$asked" || wrong "the resync ended with $?: $(cat resync.out)"
    grep -q '"equal":true' resync.out || wrong "not equal: $(cat resync.out)"
  fi
  until_true "the change beside it arrives" knows site2 "Beside-$1"
  people=$((people + 1))
  holds site2 "$people" || wrong "Site2 has $(entries_at site2) entries of $people"
  echo "$1 killed on the way: Site2 has all $people entries, sums equal"
}
for victim in agent2 agent1 broker agent3; do dies "$victim"; done
went_on || wrong "each copy began anew"
echo "a copy that was cut off went on where it stood"
held=$(at site2 held list | grep -c PEOPLE || :)
[ "$held" -eq 0 ] || wrong "$held deletes were asked for"
for name in agent1 agent2 agent3 broker; do end "$name"; done
