#!/usr/bin/env bash
# rolling.sh DIRSYNC [ROUNDS]: a broker and three agents, restarted in turn while two sites go on
# changing people; then the broker's store is lost and put back from a copy of the first minute.
# Nothing is lost, nothing comes twice, no delete is asked for. Prints how long a change waited.
set -euo pipefail
dirsync=$1
rounds=${2:-2}
source "$(dirname "$0")/running_sites.sh"

# A person, changed, renamed, or deleted, for as long as `going` is there. A command that was cut off
# is given again; what it did the first time is then refused as done.
change_people() {  # change_people N
  local n=$1 i=0 name
  while [ -e going ]; do
    i=$((i + 1)) name=L$n-$i
    must "$n" mailbox add "$name"
    case $((i % 20)) in  # one delete in twenty: the gate has nothing to hold
      1 | 5 | 9) must "$n" mailbox set "$name" --attribute "Title=Chief $i" ;;
      2 | 6 | 10) must "$n" mailbox rename "$name" "R$n-$i" && name=R$n-$i ;;
      3) must "$n" mailbox delete "$name" && continue ;;
    esac
    echo "$name" >>"told$n"
  done
  echo "$i" >"changed$n"
}
must() {  # must N COMMAND...: until it is acknowledged
  local n=$1 said end=$((SECONDS + 60))
  shift
  until said=$("$dirsync" --store "site$n" "$@" 2>&1); do
    case $said in *EXISTS* | *NOT_FOUND*) return ;; esac
    [ "$SECONDS" -lt "$end" ] || { echo "$*: $said" >>refused; return; }
    read -rt 0.1 <> <(:) || :
  done
}
now_ms() { echo $(($(date +%s%N) / 1000000)); }
longest=0
crosses() {  # crosses NAME: a change made at Site1 now is at Site3
  local began waited
  must 1 mailbox add "$1"
  echo "$1" >>told1
  began=$(now_ms)
  until_true "$1 crosses" knows site3 "$1"
  waited=$(($(now_ms) - began))
  [ "$waited" -le "$longest" ] || longest=$waited
}
people_of() { at "$1" --json list | grep -o '"dn":"[^"]*"' | sed 's/.*cn=//; s/"$//' | grep -E '^([LR][12]|M)-' | sort; }
same_everywhere() {
  local site
  sort told1 told2 >expected
  for site in 1 2 3; do
    people_of "site$site" >"people$site"
    diff expected "people$site" >differences.log || return 1
  done
}

at broker organization init Testorg >/dev/null
: >broker.toml
start_broker
for n in 1 2 3; do
  add_site "$n"
  at "site$n" instance set PEOPLE --export >/dev/null
done
: >told1
: >told2
: >going
crosses M-first
end broker
cp -a broker first-minute
start_broker
(change_people 1) & writers=$!
(change_people 2) & writers+=" $!"
restarts=0
for round in $(seq "$rounds"); do
  for name in agent1 agent2 agent3 broker; do
    end "$name"
    if [ "$name" = broker ]; then start_broker; else start_agent "${name#agent}"; fi
    restarts=$((restarts + 1))
    crosses "M-$round-$name"
  done
done
rolled=$longest longest=0
end broker
rm -rf broker
mv first-minute broker
start_broker
crosses M-second-life
rm going
for writer in $writers; do wait "$writer"; done
[ ! -e refused ] || wrong "commands were refused: $(cat refused)"
until_true "all three sites have the same people" same_everywhere
for n in 1 2 3; do
  [ "$(at "site$n" --json held list)" = '[]' ] || wrong "deletes are held at Site$n"
  ! grep -E 'diverged|FORK|CONFLICT' "agent$n.log" || wrong "Site$n complains"
done
echo "$restarts restarts in turn beside $(($(cat changed1) + $(cat changed2))) people changed: $(wc -l <expected) people at each site, lost 0, twice 0, deletes held 0; a change waited $rolled ms at most"
echo "the broker's store lost, and put back from a copy of before all that: a change waited $longest ms"
for name in agent1 agent2 agent3 broker; do end "$name"; done
