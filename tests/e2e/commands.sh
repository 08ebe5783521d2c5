#!/usr/bin/env bash
# commands.sh DIRSYNC: every command of the table, on a broker, two agents and stores of its own:
# --json and its documented keys, exit status, no keyboard, NO_COLOR, pipe and terminal, Ctrl-C.
# commands.txt says what is typed; a command that it does not name is an error.
set -euo pipefail
dirsync=$(realpath "$1")
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
top=$(mktemp -d)
declare -A process
trap 'for pid in "${process[@]}"; do kill -9 "$pid" 2>/dev/null || true; done; rm -rf "$top"' EXIT
cd "$top"
unset NO_COLOR DIRSYNC_STORE
export TERM=xterm

wrong() { echo "WRONG: $*"; tail -n 5 "$top"/*.log 2>/dev/null || :; exit 1; }
until_true() {  # until_true WHAT COMMAND...: polls for 60 seconds
  local what=$1 end=$((SECONDS + 60)); shift
  until "$@"; do [ "$SECONDS" -lt "$end" ] || wrong "$what: not in time"; read -rt 0.05 <> <(:) || :; done
}
source "$here/output_checks.sh"
at() { local store=$1; shift; "$dirsync" --store "$store" "$@" 2>>said.log; }
knows() { at "$1" list | grep -q "^$2 "; }
public_key() { at "$2" keys show | sed -n "s/^$1 \([0-9a-f]*\).*/\1/p"; }

# ---- the deployment ----

start_agent() {
  "$dirsync" --store "site$1" agent run >>"agent$1.log" 2>&1 </dev/null &
  process[agent$1]=$!
  until_true "agent $1 serves" [ -S "site$1/control.sock" ]
}
deploy() {
  local n
  at broker organization init Testorg >/dev/null
  "$dirsync" --store broker broker run --listen 'tcp://127.0.0.1:*' --join-listen 'tcp://127.0.0.1:*' \
    --page 0 --json >broker.out 2>broker.log </dev/null &
  process[broker]=$!
  until_true "the broker serves" [ -s broker.out ]
  invitation=$(at broker broker invite)
  for n in 1 2; do
    at "site$n" init --organization Testorg --site "Site$n" --server "Server$n" --domain "site$n.test" >/dev/null
    start_agent "$n"
    at "site$n" join "$invitation" >/dev/null
    at broker sites approve "Site$n" >/dev/null
    at "site$n" join "$invitation" --wait 60 >/dev/null
  done
  at site1 container add Other >/dev/null
  at site1 instance set PEOPLE --export --container Other >/dev/null
  for n in Anna Ben; do
    at site1 mailbox add "$n" --container Other >/dev/null
    until_true "$n is known" knows site2 "$n"
  done
}
# A stream by file: at Site2 one change is quarantined, and 40 deletes are held.
exchange_files() {
  seq -f 'dn: cn=M%g,cn=Recipients
objectClass: inetOrgPerson
' 1 60 >people.ldif
  at site1 load people.ldif >/dev/null
  at site1 instance set OUT --export --container Recipients --export-file SYNC1 --transport file >/dev/null
  at site2 mailbox add Old1 --address EDK:M1@site1.test >/dev/null
  at site2 instance set IN --import --import-file SYNC1 --transport file >/dev/null
  at site1 run OUT >/dev/null
  at site2 run IN --yes >/dev/null
  # shellcheck disable=SC2046
  at site1 mailbox delete $(seq -f M%g 10 49) >/dev/null
  at site1 run OUT >/dev/null
  at site2 run IN >/dev/null
}
write_files() {
  echo 'listen = "tcp://127.0.0.1:*"' >broker.toml
  echo 'listne = 1' >wrong.toml
  printf 'A Foreign\n- Display-Name:A\n' >foreign.txt
  printf 'A Foreign\n- Display-Name:A\nno line of a record\n' >worse.txt
  head -c -20 SYNC1 >broken.sync
}

# ---- one command ----

declare -A documented exit_of coloured tried
read_documents() {
  local word code
  # In backticks, or in a block of three.
  for word in $(cd -- "$here/../.." && awk 'BEGIN { RS = "`" } NR % 2 == 0' cli/JSON.md | grep -oE '[A-Za-z_]+'); do
    documented[$word]=1
  done
  while read -r code word; do exit_of[$code]=$word; done < <(
    cd -- "$here/../.." && sed -nE 's/^\| `([A-Z_]+)` \| ([0-9]+) \|.*/\1 \2/p' deploy/README.md)
  [ "${exit_of[USAGE]}" = 2 ] || wrong "deploy/README.md has no table of codes"
}

# Without a terminal anywhere; at most a minute. `status` is set.
bare() {
  status=0
  setsid -w timeout -k 5 60 "$dirsync" "$@" >out 2>err || status=$?
}
# The same at a terminal of its own, which has nothing to say.
at_terminal() {
  local line
  printf -v line '%q ' "$dirsync" "$@"
  status=0
  timeout -k 5 60 script -qec "$line" /dev/null >out 2>&1 </dev/null || status=$?
}
was() {  # was STATUS[|STATUS] WHAT
  case "|$1|" in *"|$status|"*) return 0 ;; esac
  wrong "$2 ended with $status, not $1: $(head -c 2000 out) $(head -c 2000 err)"
}

messages_are_json() {  # messages_are_json WHAT STATUS: and the code belongs to the status
  [ -s err ] || return 0
  keys_of err >keys 2>&1 || wrong "$1: on stderr is no JSON: $(cat keys err)"
  [ "$2" != 0 ] || return 0
  local code
  [[ $(<err) =~ \{\"code\":\"([A-Z_]+)\" ]] || return 0
  code=${BASH_REMATCH[1]}
  [ "${exit_of[$code]:-none}" = "$2" ] || wrong "$1: $code ended with $2; deploy/README.md says ${exit_of[$code]:-nothing}"
}
keys_are() {  # keys_are WHAT KEY...: these are printed, and all that are printed are documented
  local what=$1 printed key
  shift
  printed=$(keys_of out 2>keys.err) || wrong "$what: no JSON: $(cat keys.err)"
  for key in "$@"; do
    case " $printed" in *" $key "*) ;; *) wrong "$what: no $key: $(head -c 2000 out)" ;; esac
  done
  for key in $printed; do
    [ -n "${documented[$key]:-}" ] || wrong "$what: cli/JSON.md does not name $key"
  done
}

usage_is_refused() {
  local command=$1
  shift
  bare "$@" --no-such-option --json <&-
  was 2 "$command --no-such-option"
  [ ! -s out ] || wrong "$command --no-such-option printed data"
  [[ $(<err) == '{"code":"USAGE",'* ]] || wrong "$command --no-such-option said: $(cat err)"
  messages_are_json "$command --no-such-option" 2
}
as_text() {  # into pipes, with a keyboard that never says anything; then at a terminal
  local command=$1 wanted=$2
  shift 2
  bare "$@" <&9
  was "$wanted" "$command"
  neutral "$command" out
  neutral "$command" err
  NO_COLOR=1 at_terminal "$@" --yes
  was "$wanted" "$command at a terminal"
  [[ $(<out) != *$'\x1b'* ]] || wrong "$command with NO_COLOR: $(cat -v out)"
  at_terminal "$@" --yes
  was "$wanted" "$command at a terminal"
  [[ $(<out) != *$'\x1b'* ]] || coloured[$command]=1
  neutral_on_terminal "$command" out
}
as_json() {
  local command=$1 wanted=$2 keys=$3
  shift 3
  bare "$@" --json <&-
  was "$wanted" "$command --json"
  neutral "$command --json" out
  neutral "$command --json" err
  messages_are_json "$command" "$wanted"
  case $keys in
    -) [ ! -s out ] || wrong "$command --json printed: $(head -c 500 out)" ;;
    text) [ -s out ] || wrong "$command printed nothing" ;;
    *) keys_are "$command --json" $keys ;;
  esac
  local first
  read -r first <out || :
  [[ ! $first =~ ^\{\"id\":\"([0-9a-f]{16})\", ]] || last_id=${BASH_REMATCH[1]}
  [[ ! $first =~ ^\{\"invitation\":\"([^\"]*)\" ]] || invitation=${BASH_REMATCH[1]}
  [[ ! $first =~ ^\{\"ack\":\"([^\"]*)\"\}$ ]] || last_ack=${BASH_REMATCH[1]}
}

dry_as_json() {  # nothing at all, or JSON
  local command=$1 wanted=$2
  shift 2
  bare "$@" --dry-run --json <&-
  was "$wanted" "$command --dry-run --json"
  messages_are_json "$command --dry-run" "$status"
  [ ! -s out ] || keys_are "$command --dry-run --json"
}
row() {  # row COMMAND STORE STATUS KEYS ARGUMENTS
  local command=$1 store=$2 wanted=${3% once} words=() arguments=()
  [ "$command" = "(overview)" ] || read -ra words <<<"$command"
  if [ -z "${tried[$command]:-}" ] && [ "$command" != "(overview)" ]; then usage_is_refused "$command" "${words[@]}"; fi
  tried[$command]=1
  [ "$store" = - ] || words+=(--store "$store")
  set -f
  eval "arguments=($5)"
  set +f
  words+=("${arguments[@]}")
  # What changes something does so once, with --json; before that it only says what it would do.
  # As text, once for each store and status.
  if [ "$3" != "$wanted" ] || [ -n "${tried[$command $store $wanted]:-}" ]; then :
  elif [ -n "${changes[$command]:-}" ]; then
    as_text "$command" "0|$wanted" "${words[@]}" --dry-run
    dry_as_json "$command" "0|$wanted" "${words[@]}"
  else as_text "$command" "$wanted" "${words[@]}"; fi
  tried[$command $store $wanted]=1
  as_json "$command" "$wanted" "$4" "${words[@]}"
}
walk() {
  local command store wanted keys arguments word words
  while IFS='|' read -r command store wanted keys arguments; do
    case $command in '#'* | '') continue ;; esac
    for word in store wanted keys; do  # without the blanks around
      read -ra words <<<"${!word}"
      printf -v "$word" %s "${words[*]}"
    done
    row "${command% }" "$store" "$wanted" "$keys" "$arguments"
  done <"$here/commands.txt"
}
declare -A changes
read_table() {
  local line command
  "$dirsync" help --json >table.json
  keys_of table.json >/dev/null || wrong "help --json is no JSON"
  while read -r line; do
    command=$(sed -nE 's/^\{"command":"([^"]*)".*/\1/p' <<<"$line")
    [ -n "$command" ] || continue
    echo "$command"
    case $line in *'"changes":true'*) changes[$command]=1 ;; esac
  done <table.json >table
  [ "$(wc -l <table)" -gt 50 ] || wrong "help --json names too few commands: $(wc -l <table)"
  awk -F' [|] ' '!/^#/ && $1 != "(overview)" { print $1 }' "$here/commands.txt" | sort -u >said_commands
  sort table | diff - said_commands >differences ||
    wrong "commands.txt and the table of commands differ: $(grep '^[<>]' differences)"
}

# ---- Ctrl-C ----

opened() { readlink "/proc/$1"/fd/* 2>/dev/null | grep -q "$2"; }
begun_or_over() { opened "$1" "$2" || [ ! -e "/proc/$1/exe" ]; }
# interrupted NAME SIGN AGAIN ARGUMENTS...: SIGINT once the file SIGN is open. Done before that, it
# is tried again after AGAIN, which takes away what was made.
interrupted() {
  local name=$1 sign=$2 again=$3 i pid end=$((SECONDS + 60))
  shift 3
  for ((i = 0; i < 40; i++)); do
    "$dirsync" "$@" >out 2>err </dev/null &
    pid=$!
    # Without a pause: some are done in a few milliseconds.
    until begun_or_over "$pid" "$sign"; do [ "$SECONDS" -lt "$end" ] || wrong "$name does not begin"; done
    kill -INT "$pid" 2>/dev/null || :
    status=0
    wait "$pid" || status=$?
    was "0|130" "$name after Ctrl-C"
    if [ "$status" = 130 ]; then
      grep -q INTERRUPTED err || wrong "$name after Ctrl-C said: $(cat err)"
      $again # Ctrl-C may come between the last rename and the end
      return 0
    fi
    $again
  done
  wrong "$name: was done before each of $i Ctrl-C"
}
# interrupted_dump SIGNAL: it comes while the file is being written, which is as it was afterwards.
interrupted_dump() {
  local i pid
  for ((i = 0; i < 40; i++)); do
    echo old >dumped.ldif
    "$dirsync" dump dumped.ldif --store big >out 2>err </dev/null &
    pid=$!
    until begun_or_over "$pid" dumped.ldif.tmp; do :; done
    kill -STOP "$pid" 2>/dev/null || :
    [ ! -e dumped.ldif.tmp ] || kill "-$1" "$pid"
    kill -CONT "$pid" 2>/dev/null || :
    status=0
    wait "$pid" || status=$?
    was "0|130" "dump after SIG$1"
    [ ! -e dumped.ldif.tmp ] || wrong "dump after SIG$1 left dumped.ldif.tmp"
    if [ "$status" = 130 ]; then
      grep -q INTERRUPTED err || wrong "dump after SIG$1 said: $(cat err)"
      [ "$(cat dumped.ldif)" = old ] || wrong "dump after SIG$1 replaced the file"
      return 0
    fi
    cmp -s dumped.ldif whole.ldif || wrong "dump that was not stopped is not whole"
  done
  wrong "dump: was done before each of $i SIG$1"
}
must() { "$dirsync" "$@" >out 2>err </dev/null || wrong "$* ended with $?: $(cat out err)"; }
interrupt_commands() {
  awk 'BEGIN { for (i = 0; i < 40000; ++i)
    printf "dn: cn=P%d,cn=Recipients\nobjectClass: person\ndescription: %0200d\n\n", i, i }' >many.ldif
  must init --store big --organization Testorg --site Big --server Server5
  interrupted load big/db/LOCK : load many.ldif --store big
  must load many.ldif --store big
  [ "$(at big list | grep -c '^P[0-9]* ')" = 40000 ] || wrong "load after Ctrl-C: people are missing"
  must instance set OUT --export --export-file BIG --store big
  interrupted run big/db/LOCK : run OUT --full --store big
  must run OUT --full --store big
  interrupted "file verify" BIG : file verify BIG
  interrupted plan big/db/LOCK : plan OUT --full --store big
  must dump whole.ldif --store big
  interrupted_dump INT
  interrupted_dump TERM
  interrupted backup big/db/LOCK 'rm -rf bigger' backup bigger --store big
  must backup bigger --store big
  interrupted restore big2.part 'rm -rf big2' restore bigger --store big2
  must restore bigger --store big2
  must init --store reader --organization Testorg --site Reader --server Server6
  must instance set IN --import --import-file BIG --store reader
  interrupted "run (import)" reader/db/LOCK : run IN --yes --store reader
  must run IN --yes --store reader
  [ "$(at reader list | grep -c '^P[0-9]* ')" = 40000 ] || wrong "import after Ctrl-C: people are missing"
}
interrupt_served_commands() {
  local command pid
  for command in "status --store site2" "status --store broker" "broker stats --store broker"; do
    : >out
    # shellcheck disable=SC2086
    "$dirsync" $command --watch >out 2>err </dev/null &
    pid=$!
    until_true "$command --watch says something" [ -s out ]
    kill -INT "$pid" || wrong "$command --watch ended by itself: $(cat out err)"
    status=0
    wait "$pid" || status=$?
    was 130 "$command --watch after Ctrl-C"
  done
  # The other site does not answer, so that these wait.
  kill -STOP "${process[agent1]}"
  interrupted "resync run" socket: : resync run --full --yes --store site2
  kill -CONT "${process[agent1]}"
  must resync run --full --yes --store site2
  must init --store site6 --organization Testorg --site Site6 --server Server6
  invitation=$(at broker broker invite)
  interrupted "join --wait" site6/db/LOCK : join "$invitation" --wait 600 --store site6
  must version --store site6
}
end() {  # end NAME SIGNAL
  kill "-$2" "${process[$1]}"
  status=0
  wait "${process[$1]}" || status=$?
  unset "process[$1]"
  was 0 "$1 after $2"
}

mkfifo silent
exec 9<>silent
read_documents
read_table
echo "$(wc -l <table) commands, each named by commands.txt"
deploy
exchange_files
write_files
cp broker.out out
keys_are "broker run --json" listen join page
walk
for command in help list status runs "held list" "sites list" "broker readers" "instance list"; do
  [ -n "${coloured[$command]:-}" ] || wrong "$command has no colours at a terminal"
done
echo "all of them: JSON and its keys, status, no keyboard, NO_COLOR, pipe, terminal"

interrupt_commands
interrupt_served_commands
for name in agent1 agent2 broker; do
  end "$name" INT
  # A log that is no terminal's is JSON lines.
  keys_of "$name.log" >/dev/null || wrong "$name.log holds what is no JSON"
  neutral "$name.log" "$name.log"
done
must list --store site1
must sites list --store broker
echo "Ctrl-C ends each of the long ones, and the next command works"
