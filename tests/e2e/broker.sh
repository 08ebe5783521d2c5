#!/usr/bin/env bash
# broker.sh DIRSYNC: a broker and two agents on loopback: join, changes that cross, pause, a broker
# that is killed, a batch by file meanwhile, a killed agent, a lost server that is healed.
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
  "$dirsync" --store "site$1" agent run --in "in$1" --out "out$1" >>"agent$1.log" 2>&1 </dev/null &
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

at broker organization init Testorg >/dev/null
start_broker
invitation=$(at broker broker invite)
for n in 1 2; do
  at "site$n" init --organization Testorg --site "Site$n" --server "Server$n" --address-type SMTP --domain "site$n.test" >/dev/null
  mkdir "out$n"
  start_agent "$n"
  at "site$n" join "$invitation" >/dev/null
  at broker sites approve "Site$n" >/dev/null
  at "site$n" join "$invitation" --wait 20 >/dev/null
done
at site1 instance set INSTANCE1 --export >/dev/null
at site2 instance set INSTANCE3 --export >/dev/null
at site1 mailbox add Mailbox11 >/dev/null
at site2 mailbox add Mailbox21 >/dev/null
until_true "Mailbox11 is known" both_know Mailbox11
until_true "Mailbox21 is known" both_know Mailbox21
at site1 mailbox set Mailbox11 --display-name "Mailbox Eleven" >/dev/null
at site1 mailbox add Mailbox12 >/dev/null
until_true "Mailbox12 is known" both_know Mailbox12
at site2 show Mailbox11 | grep -q "Mailbox Eleven" || wrong "the display name did not cross"
echo "two sites joined, and changes cross by the broker"

at site1 pause INSTANCE1 >/dev/null
at site1 mailbox add Mailbox13 >/dev/null
knows_not site2 Mailbox13 || wrong "a paused instance told"
at site1 resume INSTANCE1 >/dev/null
until_true "Mailbox13 is known" both_know Mailbox13
echo "a paused instance waited, and went on"

end broker KILL
at site1 mailbox add Mailbox14 >/dev/null
by_file() {  # whole files only, as a carrier does
  local file
  for file in out1/*; do case $file in *.part | *'*') ;; *) mv "$file" in2/ ;; esac; done
  knows site2 Mailbox14
}
until_true "Mailbox14 comes by file" by_file
start_broker
at site1 mailbox add Mailbox15 >/dev/null
until_true "Mailbox15 is known" both_know Mailbox15
at site2 runs --count 1 >/dev/null
echo "the broker was killed, a batch went by file, and the broker goes on"

end agent2 KILL
at site1 mailbox add Mailbox16 >/dev/null
at site1 mailbox delete Mailbox12 >/dev/null
start_agent 2
until_true "Mailbox16 is known" both_know Mailbox16
until_true "Mailbox12 is gone" knows_not site2 Mailbox12
echo "a killed agent caught up"

at site1 backup backup1 >/dev/null
at site1 mailbox add Mailbox17 >/dev/null
until_true "Mailbox17 is known" both_know Mailbox17
end agent1 TERM
rm -rf site1
at site1 restore backup1 >/dev/null
start_agent 1
healed=$(at site1 resync run --site Site1 --full --yes) || wrong "resync ended with $?: $healed"
echo "$healed"
knows site1 Mailbox21 || wrong "the restored site does not know Mailbox21"
knows site2 Mailbox17 || wrong "a delete that only the store's age implies was made"
at site1 mailbox add Mailbox18 >/dev/null
until_true "Mailbox18 is known" both_know Mailbox18
echo "a lost server was restored and healed by one command"

for name in agent1 agent2 broker; do end "$name" TERM; done
