# Sourced with $dirsync set: a broker, and agents of sites that read each other, as processes of a
# folder of their own, which is the current one afterwards. All end with the script.
top=$(mktemp -d)
declare -A process
leave() {
  for pid in "${process[@]}"; do kill -CONT "$pid" 2>/dev/null; kill -9 "$pid" 2>/dev/null; done || true
  rm -rf "$top"
}
trap leave EXIT
cd "$top"

wrong() { echo "WRONG: $*"; tail -n 20 "$top"/*.log; exit 1; }
until_true() {  # until_true WHAT COMMAND...: polls for 300 seconds
  local what=$1 end=$((SECONDS + 300)); shift
  until "$@"; do [ "$SECONDS" -lt "$end" ] || wrong "$what: not in time"; read -rt 0.1 <> <(:) || :; done
}
at() { local store=$1; shift; "$dirsync" --store "$store" "$@" 2>>"$top/said.log"; }
# To the end: whoever stops reading early ends the command that writes.
knows() { at "$1" list | grep "^$2 " >/dev/null; }
knows_not() { ! knows "$@"; }

ports='*' door='*' page=0
configure_broker() {  # configure_broker LINE...: of [limits]; a broker that runs reads it at once
  printf '%s\n' '[limits]' "$@" >broker.toml
  [ -z "${process[broker]:-}" ] || kill -HUP "${process[broker]}"
}
start_broker() {
  : >broker.out
  "$dirsync" --store broker broker run --config broker.toml --listen "tcp://127.0.0.1:$ports" \
    --join-listen "tcp://127.0.0.1:$door" --page "$page" >broker.out 2>>broker.log </dev/null &
  process[broker]=$!
  until_true "the broker serves" grep -q '^listening' broker.out
  ports=$(sed 's/.*listening on [^,]*:\([0-9]*\),.*/\1/' broker.out)
  door=$(sed 's/.*joins on [^,]*:\([0-9]*\).*/\1/' broker.out)
  page=$(sed -n 's/.*page[^0-9]*http:..127.0.0.1:\([0-9]*\).*/\1/p' broker.out)
}
start_agent() {  # start_agent N
  rm -f "site$1/control.sock"  # of one that was killed
  "$dirsync" --store "site$1" agent run >>"agent$1.log" 2>&1 </dev/null &
  process[agent$1]=$!
  until_true "agent $1 serves" [ -S "site$1/control.sock" ]
  until_true "agent $1 serves" at "site$1" version >/dev/null
}
end() {  # end NAME [SIGNAL]
  kill "-${2:-TERM}" "${process[$1]}"
  wait "${process[$1]}" 2>/dev/null || [ "${2:-}" = KILL ] || wrong "$1 ended with $?"
  unset "process[$1]"
}
add_site() {  # add_site N [--admin]: its store, joined, its agent running
  local invitation
  invitation=$(at broker broker invite)
  at "site$1" init --organization Testorg --site "Site$1" --server "Server$1" --address-type SMTP \
    --domain "site$1.test" >/dev/null
  at "site$1" join "$invitation" >/dev/null
  at broker sites approve "Site$1" "${@:2}" >/dev/null
  at "site$1" join "$invitation" >/dev/null
  start_agent "$1"
}
