#!/usr/bin/env bash
# alerts.sh DIRSYNC ROGUE_SITE FAULT_PRELOAD: a real Prometheus scrapes a broker that serves real agents; for every
# alert of deploy/prometheus/alerts.yml its fault is made, the alert fires in /api/v1/alerts, the
# fault is cured, the alert clears.
#
# The rules are the real ones with shorter times: `for:`, ranges, ages and the forecast are divided by
# DIRSYNC_ALERTS_FACTOR (240), and stay above what one scrape a second can tell (see `shorten`).
# With another factor it is the same test and takes longer: 40 three minutes, 10 ten.
set -euo pipefail
dirsync=$1 rogue=$2 preload=$3
rules=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../deploy/prometheus" && pwd)
factor=${DIRSYNC_ALERTS_FACTOR:-240}
patience=$((60 + 2 * 3600 / factor))
for program in prometheus promtool curl; do
  command -v "$program" >/dev/null || { echo "not run: $program is not installed"; exit 77; }
done
top=$(mktemp -d)
declare -A process
disk=
cleanup() {
  [ $? = 0 ] || tail -n 5 "$top/said.log" 2>/dev/null
  for pid in "${process[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  cd /
  [ -z "$disk" ] || umount "$disk" || umount -l "$disk"
  rm -rf "$top" || true
}
trap cleanup EXIT
cd "$top"

wrong() {
  echo "WRONG: $*"
  tail -n 15 "$top"/*.log
  all_firing || :
  at disk/broker status || :
  exit 1
}
until_true() {  # until_true WHAT COMMAND...
  local what=$1 end=$((SECONDS + patience)); shift
  until "$@"; do [ "$SECONDS" -lt "$end" ] || wrong "$what: not in time"; read -rt 0.1 <> <(:) || :; done
}
at() { local store=$1; shift; "$dirsync" --store "$store" "$@" 2>>"$top/said.log"; }
quiet() { at "$@" >/dev/null; }
knows() { at "$1" list | grep -q "^$2 "; }
end() { # end NAME SIGNAL
  kill "-$2" "${process[$1]}"
  wait "${process[$1]}" 2>/dev/null || [ "$2" = KILL ] || wrong "$1 ended with $?"
  unset "process[$1]"
}

# The rules with their times divided: no `for` below a second but 0, no range below 5 s (five
# samples), no age of a canary below 20 s (agents report every 5 s), none of the stats below 8 s.
shorten() {
  awk -v factor="$factor" '
    function seconds(text,  unit) {
      unit = substr(text, length(text))
      return (text + 0) * (unit == "h" ? 3600 : unit == "m" ? 60 : 1)
    }
    function shorter(value, least) {
      value /= factor
      return value < least ? least : value
    }
    / for: / && $2 != "0m" { sub($2 "$", int(1000 * shorter(seconds($2), 1)) "ms") }
    / expr: / {
      if (match($0, /\[[0-9]+[smh]\]/))
        $0 = substr($0, 1, RSTART) \
          int(1000 * shorter(seconds(substr($0, RSTART + 1, RLENGTH - 2)), 5)) "ms" \
          substr($0, RSTART + RLENGTH - 1)
      if (match($0, /, [0-9]+\)/))
        $0 = substr($0, 1, RSTART + 1) shorter(substr($0, RSTART + 2, RLENGTH - 3), 60) \
          substr($0, RSTART + RLENGTH - 1)
      if (/time\(\)/ && match($0, /> [0-9]+$/))
        $0 = substr($0, 1, RSTART + 1) shorter(substr($0, RSTART + 2), /canary/ ? 20 : 8)
    }
    { print }' "$rules/alerts.yml"
}

# A quarter of the log is Site1's, which is to be more than one reader may hold of it.
log_limit=800 reader_limit=192  # KiB
write_broker_toml() { # write_broker_toml DISK_FREE
  cat >broker.toml <<EOF
store = "$top/disk/broker"
listen = "tcp://127.0.0.1:${ports:-*}"
join_listen = "tcp://127.0.0.1:${door:-*}"
[page]
port = "${page:-0}"
[limits]
reader = "${reader_limit}KiB"
log = "${log_limit}KiB"
disk_free = "$1"
EOF
}
start_broker() {
  write_broker_toml 16MiB
  LD_PRELOAD=$preload DIRSYNC_SYNC_STUCK=$top/stuck ASAN_OPTIONS=verify_asan_link_order=0 \
    "$dirsync" broker run --config broker.toml >broker.out 2>>broker.log </dev/null &
  process[broker]=$!
  until_true "the broker serves" grep -q '^listening' broker.out
  ports=$(sed 's/.*listening on [^,]*:\([0-9]*\),.*/\1/' broker.out)
  door=$(sed 's/.*joins on [^,]*:\([0-9]*\),.*/\1/' broker.out)
  page=$(sed 's/.*page at http:[^:]*:\([0-9]*\).*/\1/' broker.out)
}
start_agent() { # start_agent NAME [STORE]
  "$dirsync" --store "${2:-site$1}" agent run >>"agent$1.log" 2>&1 </dev/null &
  process[agent$1]=$!
}
agent_serves() { until_true "agent $1 serves" [ -S "site$1/control.sock" ]; }
join_site() { # join_site N: asks; who approves is told by `approve`
  quiet "site$1" init --organization Testorg --site "Site$1" --server "Server$1" --address-type SMTP --domain "site$1.test"
  start_agent "$1"
  agent_serves "$1"
  quiet "site$1" join "$(at disk/broker broker invite)"
}
approve() {
  quiet disk/broker sites approve "Site$1"
  until_true "Site$1 hears that it is in" joined "$1"
}
joined() { quiet "site$1" join "$(at disk/broker broker invite)" --wait 5; }

# A canary comes once a minute, which is too seldom for shortened ages: every stream tells of a
# change twelve times in such an age, while its agent is meant to run.
tick() {
  local n=0 pause=$((900 / factor / 12))
  while [ -d "$top" ]; do
    n=$((n + 1))
    for site in 1 2 3 4; do
      touch "ticks/busy$site"
      [ ! -e "ticks/$site" ] || quiet "site$site" mailbox set "Anna$site" --display-name "Anna $n" || :
      rm "ticks/busy$site"
    done
    read -rt "$((pause > 1 ? pause : 1))" <> <(:) || :
  done
}
still() { # still N: no command of `tick` has the store of Site N, or will
  rm "ticks/$1"
  until_true "Site$1 is still" [ ! -e "ticks/busy$1" ]
}

start_prometheus() {
  mkdir prometheus
  shorten >prometheus/alerts.yml
  promtool check rules prometheus/alerts.yml >/dev/null || wrong "the shortened rules"
  sed -e 's/15s/1s/' -e "s/127.0.0.1:7680/127.0.0.1:$page/" "$rules/scrape.yml" >prometheus/scrape.yml
  local port tries
  for tries in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 12000))
    prometheus --config.file=prometheus/scrape.yml --storage.tsdb.path=prometheus/data \
      --web.listen-address="127.0.0.1:$port" --log.level=warn >>prometheus.log 2>&1 </dev/null &
    process[prometheus]=$!
    asked=http://127.0.0.1:$port
    until_true "Prometheus is ready, or has ended" ready_or_ended
    kill -0 "${process[prometheus]}" 2>/dev/null && return
  done
  wrong "no port for Prometheus after $tries tries"
}
ready_or_ended() { curl -sf "$asked/-/ready" >/dev/null || ! kill -0 "${process[prometheus]}" 2>/dev/null; }
scraped() { curl -sf "$asked/api/v1/query?query=up" | grep -q '"1"\]'; }

# A line for each alert that fires.
all_firing() {
  curl -sf "$asked/api/v1/alerts" | sed 's/{"labels"/\n&/g' | grep -F '"state":"firing"'
}
is_firing() { all_firing | grep -qF "\"alertname\":\"Dirsync$1\""; }
is_clear() { scraped && ! is_firing "$1"; }
none_fires() { scraped && ! all_firing >/dev/null; }
declare -A fired=() cleared=() since=()
fault() { # fault ALERT...: theirs is made next
  for alert in "$@"; do
    ! is_firing "$alert" || wrong "Dirsync$alert fires before its fault"
    since[$alert]=$SECONDS
  done
}
fires() {
  for alert in "$@"; do
    until_true "Dirsync$alert fires" is_firing "$alert"
    fired[$alert]=$((SECONDS - since[$alert]))
  done
}
clears() {
  for alert in "$@"; do
    until_true "Dirsync$alert clears" is_clear "$alert"
    cleared[$alert]=1
    echo "Dirsync$alert was seen ${fired[$alert]} s after its fault, and cleared"
  done
}

# ---- a deployment, and Prometheus

mkdir disk ticks
if mount -t tmpfs -o size=128m tmpfs disk 2>/dev/null; then disk=$top/disk; fi
quiet disk/broker organization init Testorg
start_broker
people() { # people N: forty of them, as LDIF
  local n
  for n in $(seq 101 140); do
    printf 'dn: cn=M%sx%s,cn=Recipients,ou=Site%s,o=Testorg\nobjectClass: inetOrgPerson\n\n' "$1" "$n" "$1"
  done
}
for n in 1 2 3; do
  join_site "$n"
  approve "$n"
  people "$n" >people.ldif
  quiet "site$n" load people.ldif
  quiet "site$n" mailbox add "Anna$n"
  quiet "site$n" instance set PEOPLE --export --attributes '*'
done
for n in 1 2 3; do for other in 1 2 3; do until_true "Site$other knows Anna$n" knows "site$other" "Anna$n"; done; done
# A backup, and a session since: who is put back from it is known by that.
quiet site2 backup backup2
end agent2 TERM
start_agent 2
agent_serves 2
touch ticks/1 ticks/2 ticks/3
tick & process[tick]=$!
start_prometheus
until_true "a scrape" scraped
curl -sf "http://127.0.0.1:$page/metrics" | promtool check metrics || wrong "promtool check metrics"
until_true "no alert fires" none_fires
echo "three sites, a broker, Prometheus: no alert fires; metrics are as promtool wants them"

# ---- a site goes away and holds the log; another asks to join

fault ReaderOffline CanaryLate
still 3
end agent3 KILL
link13() { at disk/broker broker readers --json | grep -F '"stream":"Testorg/Site1/PEOPLE","from":"Site1","reader":"Site3"'; }
lags() { [ "$(link13 | sed 's/.*"bytes_waiting":\([0-9]*\).*/\1/')" -gt $((reader_limit * 1024 * $1 / 100)) ]; }
grow() { # grow WHAT COMMAND...: Site1 tells of 9 KiB that do not compress, until COMMAND
  local what=$1 end=$((SECONDS + patience)); shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || wrong "$what: not in time"
    quiet site1 mailbox set Anna1 --attribute "Comment=$(head -c 9000 /dev/urandom | base64 -w 0)"
  done
}
fault PendingJoin
join_site 4
fault ReaderHoldsLog LogFullSoon
grow "the log fills" lags 85
fires ReaderHoldsLog LogFullSoon
needs_ranges() { link13 | grep -q '"needs_ranges":true'; }
fault NeedsRanges
grow "Site3 loses its place in the log" needs_ranges

# ---- a member that tells two histories, and sums that are not those of its entries

quiet disk/broker sites add Rogue $("$rogue" keys) --domain rogue.test
mkfifo rogue.pipe
"$rogue" speak "tcp://127.0.0.1:$ports" disk/broker/keys/transport.key <rogue.pipe >rogue.out 2>&1 & process[rogue]=$!
exec 8>rogue.pipe
answers=0
rogue_says() { # rogue_says LINE OUTCOME
  echo "$1" >&8
  answers=$((answers + 1))
  until_true "Rogue is answered" rogue_heard
  [ "$(tail -n 1 rogue.out)" = "$2" ] || wrong "the broker answered: $(cat rogue.out)"
}
rogue_heard() { [ "$(grep -c '^[A-Z]' rogue.out)" = "$answers" ]; }
reads_rogue() { at "site$1" instance show Rogue.PEOPLE --json | grep -q '"sequence":1'; }
until_true "Rogue speaks" grep -qs speaks rogue.out
rogue_says begin STORED
for n in 1 2; do until_true "Site$n reads Rogue" reads_rogue "$n"; done
fault Integrity Diverged
rogue_says lie STORED
rogue_says fork CONFLICT
fires Integrity Diverged
rogue_says tell STORED
clears Diverged Integrity
quiet disk/broker sites remove Rogue --contacts delete
exec 8>&-
wait "${process[rogue]}" || wrong "rogue_site ended with $?"
unset "process[rogue]"

# ---- a revoked site, whose store somebody runs three times

join_site 5
approve 5
end agent5 TERM
quiet disk/broker sites revoke Site5
fault Refusals
for n in 1 2 3; do cp -r site5 "copy$n"; done
# All at once: the alert counts what is refused within a few seconds.
for n in 1 2 3; do start_agent "5copy$n" "copy$n"; done
fires Refusals
for n in 1 2 3; do end "agent5copy$n" TERM; done

# ---- what waits for a person at Site1 and Site2, and an export that is refused at Site4

fires PendingJoin
approve 4
clears PendingJoin Refusals
quiet site4 mailbox add Anna4
quiet site4 instance set PEOPLE --export --attributes '*'
touch ticks/4
for n in 1 2; do until_true "Site$n knows Anna4" knows "site$n" Anna4; done
fault LinkRefused
quiet site4 container add Elsewhere
quiet site4 instance set PEOPLE --container Elsewhere
quiet site4 container delete Elsewhere

fault Quarantine
# In a container that is not told: Site1 must not know whose the address is.
quiet site2 container add Elsewhere
quiet site2 mailbox add Old --address SMTP:Newcomer@site1.test --container Elsewhere
quiet site1 mailbox add Newcomer
fault DeletesHeld
quiet site1 mailbox delete $(seq -f 'M1x%g' 101 130)
fault SuspectRun
quiet site2 pause PEOPLE
for n in $(seq 101 130); do quiet site2 mailbox set "M2x$n" --address "SMTP:wrong$n@elsewhere.test"; done
quiet site2 resume PEOPLE
fires DeletesHeld Quarantine SuspectRun LinkRefused
quiet site2 mailbox delete Old
quiet site2 quarantine retry --all
# Whether Site4 had to ask too depends on how far it was when it joined.
approve_held() { # approve_held N
  quiet "site$1" held approve --all || :
  quiet "site$1" held approve Site2.PEOPLE || :
}
held_answered() {
  for n in 1 2 4; do approve_held "$n"; done
  is_clear DeletesHeld && is_clear SuspectRun
}
until_true "what is held is answered" held_answered
quiet site4 instance set PEOPLE --container Recipients
clears DeletesHeld Quarantine SuspectRun LinkRefused

# ---- while one site is away, another is put back from a copy; then the first comes back

fault Restored
still 2
end agent2 TERM
rm -rf site2
quiet site2 restore backup2
start_agent 2
agent_serves 2
touch ticks/2
fires Restored CanaryLate NeedsRanges ReaderOffline
start_agent 3
agent_serves 3
touch ticks/3
# Both are told now of the deletes and of the suspect run, and ask too. Site2, put back, gives its
# people the addresses that they had before: everybody asks about that.
persons_answer() {
  for n in 1 2 3 4; do approve_held "$n"; done
  is_clear DeletesHeld && is_clear SuspectRun && is_clear CanaryLate
}
until_true "all are answered" persons_answer
clears ReaderOffline CanaryLate ReaderHoldsLog LogFullSoon NeedsRanges Restored

# ---- the broker itself: its disk, its loop, its process

fault ReadOnly
if [ -n "$disk" ]; then
  dd if=/dev/zero of=disk/filler bs=1M 2>/dev/null || :
else
  echo "no tmpfs may be mounted here: instead of a full disk, a bound above what is free"
  write_broker_toml 1000000GiB
  kill -HUP "${process[broker]}"
fi
fires ReadOnly
rm -f disk/filler
write_broker_toml 16MiB
kill -HUP "${process[broker]}"
clears ReadOnly

# Its disk answers no more: the next sync waits, and the loop with it.
fault BrokerSilent
: >stuck
fires BrokerSilent
rm stuck
clears BrokerSilent

fault BrokerDown
end broker KILL
fires BrokerDown
start_broker
clears BrokerDown

until_true "no alert fires" none_fires
for alert in $(sed -n 's/.*- alert: Dirsync//p' "$rules/alerts.yml"); do
  [ -n "${cleared[$alert]:-}" ] || wrong "no fault was made for Dirsync$alert"
done
echo "${#cleared[@]} alerts fired and cleared in $SECONDS s; none fires at the end"
for n in 1 2 3 4; do still "$n"; done
kill "${process[tick]}"
for name in agent1 agent2 agent3 agent4 broker; do end "$name" TERM; done
