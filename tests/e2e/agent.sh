#!/usr/bin/env bash
# agent.sh DIRSYNC: a process that has the store open answers commands: output, exit status,
# questions, Ctrl-C, a client that dies, an agent that is killed, SIGTERM.
set -euo pipefail
dirsync=$1
top=$(mktemp -d)
agent=
trap '[ -z "$agent" ] || kill -9 "$agent" 2>/dev/null || true; rm -rf "$top"' EXIT
cd "$top"
export DIRSYNC_STORE=store

wrong() { echo "WRONG: $*"; cat "$top"/agent.log 2>/dev/null || true; exit 1; }
expect() {  # expect STATUS TEXT COMMAND...
  local status=$1 text=$2 said got=0; shift 2
  said=$("$@" 2>&1) || got=$?
  [ "$got" = "$status" ] || wrong "$* ended with $got, not $status: $said"
  case $said in *"$text"*) ;; *) wrong "$* said: $said" ;; esac
}
until_true() {  # until_true WHAT COMMAND...: polls for 90 seconds
  local what=$1 end=$((SECONDS + 90)); shift
  until "$@"; do [ "$SECONDS" -lt "$end" ] || wrong "$what: not in time"; read -rt 0.02 <> <(:) || :; done
}
start() {
  "$dirsync" agent run 2>>"$top/agent.log" & agent=$!
  until_true "the agent serves" [ -S store/control.sock ]
}
served() { [ "$(grep -c "\"text\":\"serving " agent.log)" -ge "$1" ]; }
begun_or_over() { [ -e "$2" ] || [ ! -e "/proc/$1/exe" ]; }
connected() { ls -l "/proc/$1/fd" 2>/dev/null | grep -q socket:; }

"$dirsync" init --organization Testorg --site Site1 --server Server1 >/dev/null 2>&1
start
expect 0 "added" "$dirsync" mailbox add Mailbox1
expect 1 NOT_FOUND "$dirsync" show Nobody
expect 0 "Mailbox1" "$dirsync" list
expect 11 "process $agent" "$dirsync" agent run
echo "commands are answered: output and exit status are the command's"

awk 'BEGIN { for (i = 0; i < 100000; ++i) printf "dn: cn=P%d,cn=Recipients\nobjectClass: person\ndescription: %0200d\n\n", i, i }' >many.ldif
"$dirsync" load many.ldif >load.out 2>load.err & client=$!
until_true "the client is connected" connected "$client"
kill -INT "$client"
status=0; wait "$client" || status=$?
[ "$status" = 130 ] || wrong "load ended with $status: $(cat load.out load.err)"
grep -q INTERRUPTED load.err || wrong "load said: $(cat load.err)"
"$dirsync" load many.ldif >load.out 2>load.err & client=$!
until_true "the client is connected" connected "$client"
kill -9 "$client"; wait "$client" 2>/dev/null || true
expect 0 "skipped" "$dirsync" load many.ldif
[ "$("$dirsync" list | grep -c '^P[0-9]* ')" = 100000 ] || wrong "people are missing"
echo "Ctrl-C and a client that died stopped the load between two commits; it went on"

expect 0 "dumped" "$dirsync" dump whole.ldif
for ((i = 0; i < 20; ++i)); do  # one may be done before it is met
  echo old >dumped.ldif
  "$dirsync" dump dumped.ldif >dump.out 2>dump.err & client=$!
  until_true "the dump begins" begun_or_over "$client" dumped.ldif.tmp
  kill -INT "$client" 2>/dev/null || true
  status=0; wait "$client" || status=$?
  case $status in 0 | 130) ;; *) wrong "dump ended with $status: $(cat dump.out dump.err)" ;; esac
  [ ! -e dumped.ldif.tmp ] || wrong "dump after Ctrl-C left dumped.ldif.tmp"
  [ "$(head -c 4 dumped.ldif)" != old ] || break
  cmp -s dumped.ldif whole.ldif || wrong "dump after Ctrl-C left half a file"
done
[ "$status:$(head -c 4 dumped.ldif)" = 130:old ] || wrong "none of $i dumps was stopped"
echo "Ctrl-C stopped a dump, and what it had written is gone"

mkdir other
"$dirsync" --store other/store init --organization Testorg --site Site2 --server Server2 >/dev/null 2>&1
(cd other && "$dirsync" mailbox add Mailbox21 && "$dirsync" instance set OUT --export --export-file "$top/SYNC2" && "$dirsync" run OUT) >/dev/null 2>&1
"$dirsync" instance set IN --import --import-file SYNC2 >/dev/null 2>&1
answer() { printf '%s\n' "$1" | script -qec "'$dirsync' run IN" /dev/null 2>&1; }
case $(answer n) in *"trust this key"*) ;; *) wrong "no question was asked" ;; esac
case $("$dirsync" list) in *Mailbox21*) wrong "imported against the answer" ;; esac
case $(answer y) in *"1 added"*) ;; *) wrong "not imported with the answer yes" ;; esac
echo "questions are answered at the client's terminal"

kill -9 "$agent"; wait "$agent" 2>/dev/null || true
[ -S store/control.sock ] || wrong "the killed agent left no socket"
expect 0 "added" "$dirsync" mailbox add Mailbox2
start
expect 0 "added" "$dirsync" mailbox add Mailbox3
echo "a killed agent's socket is in nobody's way"

# The file of the killed agent's socket says nothing: the second agent's log does.
until_true "the second agent serves" served 2
kill -STOP "$agent"
expect 4 "kill -CONT $agent" "$dirsync" mailbox add Frozen
kill -CONT "$agent"
expect 1 NOT_FOUND "$dirsync" show Frozen
expect 0 "added" "$dirsync" mailbox add Frozen
echo "an agent that was stopped is named; what was given up is not done later"

kill -TERM "$agent"; status=0; wait "$agent" || status=$?
[ "$status" = 0 ] || wrong "the agent ended with $status"
[ ! -e store/control.sock ] || wrong "the agent left its socket"
agent=
expect 0 "Mailbox3" "$dirsync" show Mailbox3
echo "SIGTERM ends it cleanly"

mkfifo unread
exec 9<>unread
dd if=/dev/zero of=unread bs=4096 count=1000 oflag=nonblock status=none 2>/dev/null && wrong "a pipe took it all"
"$dirsync" agent run 2>&9 & agent=$!
until_true "the agent serves" [ -S store/control.sock ]
expect 0 "added" timeout 60 "$dirsync" mailbox add Mailbox4
kill -TERM "$agent"
until_true "the agent ended" eval '! kill -0 "$agent" 2>/dev/null'
status=0; wait "$agent" || status=$?
[ "$status" = 0 ] || wrong "the agent ended with $status"
agent=
echo "a log that nobody reads stops neither the agent nor its end"

# Killed once all is written: FILE is not there, FILE.tmp is, and the next dump takes its place.
mkdir dumps
status=0; (DIRSYNC_KILL_AT=dumped:1 "$dirsync" dump dumps/people.ldif) >/dev/null 2>&1 || status=$?
[ "$status" = 137 ] || wrong "dump ended with $status, and should have been killed"
[ "$(ls dumps)" = people.ldif.tmp ] || wrong "the killed dump left: $(ls dumps)"
expect 0 "dumped" "$dirsync" dump dumps/people.ldif
[ "$(ls dumps)" = people.ldif ] || wrong "the dump left: $(ls dumps)"
grep -q Mailbox4 dumps/people.ldif || wrong "the dump is not whole"
echo "a killed dump leaves nothing behind the next one"
