#!/usr/bin/env bash
# states.sh DIRSYNC LOST_WRITE [STATE...]: a broker and three agents, and the link from Site1 to
# Site2 in each of its states, by a cause of its own. Each time `status` and `check`, at the broker
# and at the site, as text and as JSON, say one word, a reason and the next command; that command,
# or what it leads to, is run as it was printed, and ends the state. Site3, which reads the same
# stream, stays in sync. DIRSYNC_PICTURES: a command that is run in each state, with the page's
# address and the state's name.
set -euo pipefail
dirsync=$(realpath "$1") lost_write=$(realpath "$2") pictures=${DIRSYNC_PICTURES:-}
shift 2
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=running_sites.sh
. "$here/running_sites.sh"

# ---- what is said of the link ----

reader=Site2 bystander=Site3
# Sets `link`: the one of Site1 and $reader, as the store's `status --json` has it; fails if it does
# not have exactly one.
look() {
  link=$(at "$1" status --json |
    grep -o "{\"stream\":\"Testorg/Site1/OUT\",\"from\":\"Site1\",\"reader\":\"$reader\"[^}]*}")
  [ "$(grep -c . <<<"$link")" = 1 ] && [ "$(grep -o '"state":' <<<"$link" | grep -c .)" = 1 ]
}
field() { sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/" <<<"$link"; }
stands() { look "$1" && [ "$(field state)" = "$2" ]; }  # stands STORE STATE

beside() {  # beside STORE: the other link, which the broker sees too, is in sync
  [ "$1" != broker ] || [ -z "$bystander" ] ||
    reader=$bystander until_true "$bystander is in sync" stands broker in-sync
}

declare -A code=([fine]=0 [notice]=0 [warning]=1 [critical]=2)
declare -A word=([fine]=OK [notice]=OK [warning]=WARNING [critical]=CRITICAL)
# Of says: the state in every form. Leaves in `why` what was not so.
unsaid() { why=$*; return 1; }
looks() {
  local status=0 said part
  "$dirsync" --store "$store" status >text 2>notes || unsaid "status failed" || return
  grep -Eq "^Site1 to $reader +$state +" text || unsaid "the table lacks $state: $(cat text)" || return
  if [ -n "$command" ]; then
    grep -qF "next: $next" notes || unsaid "the text does not say $next: $(cat notes)" || return
  fi
  said=$(at "$store" check --json) || status=$?
  [ "$status" = "${code[$severity]}" ] || unsaid "check ended with $status: $said" || return
  for part in "\"status\":\"${word[$severity]}\"" "\"state\":\"$state\"" "\"command\":\"$command\"" \
    "\"at\":\"$where\"" "\"alternative\":\"$other\""; do
    grep -qF "$part" <<<"$said" || unsaid "check lacks $part: $said" || return
  done
  said=$(at "$store" check) || true
  if [ "$severity" = fine ]; then
    grep -q "^OK - .*in sync" <<<"$said" || unsaid "check says $said" || return
  else
    grep -q "^${word[$severity]} - Site1 to $reader is $state: " <<<"$said" || unsaid "check says $said" || return
  fi
  [ -z "$command" ] || grep -qF "; next: $next" <<<"$said" || unsaid "check says no $next: $said"
}
# says STORE STATE SEVERITY [COMMAND AT [ALTERNATIVE]]: waits for the state, then asks in every way.
says() {
  local store=$1 state=$2 severity=$3 command=${4:-} where=${5:-} other=${6:-} next why end
  beside "$store"
  until_true "$store says $state" stands "$store" "$state"
  [ "$(field severity)" = "$severity" ] || wrong "$store: severity is $(field severity): $link"
  [[ $(field reason) == *' '*' '* ]] || wrong "$store: no reason: $link"
  [ "$(field command)" = "$command" ] || wrong "$store: the command is $(field command), not $command"
  [ "$(field at)" = "$where" ] || wrong "$store: it runs at $(field at), not at $where"
  [ "$(field alternative)" = "$other" ] || wrong "$store: the other choice is $(field alternative)"
  next="$command${other:+, or $other}"
  end=$((SECONDS + 60))
  # Each look is a moment of its own: a canary under way makes any of them another state's.
  until looks; do
    [ "$SECONDS" -lt "$end" ] || wrong "$store: $why"
    read -rt 0.1 <> <(:) || :
  done
  if [ "$store" = broker ]; then
    beside broker
    look broker
    [ -z "$pictures" ] || $pictures "http://127.0.0.1:$page/" "$state"
  fi
}
# Runs a command as it was printed, at the place that was named.
run_printed() {  # run_printed COMMAND WHERE
  local store=${2,,}
  [ "$2" != "the broker" ] || store=broker
  case $1 in
    "dirsync agent run") start_agent "${2#Site}" ;;
    "dirsync broker run") start_broker ;;
    *)
      eval "set -- $1"
      shift
      at "$store" "$@" >printed.out || wrong "$store: $* ended with $?: $(cat printed.out) $(tail -n 3 said.log)"
      ;;
  esac
}
# Of the last look.
run_command() { run_printed "$(field command)" "$(field at)"; }
run_alternative() { run_printed "$(field alternative)" "$(field at)"; }
over() {  # over STATE: the link is in sync again
  until_true "$1 is over" stands broker in-sync
  until_true "$1 is over at the reader" stands site2 in-sync
  echo "$1: said, and ended by what was said"
}
people() {  # people COUNT PREFIX: LDIF that does not compress well
  local n
  for ((n = 1; n <= $1; ++n)); do
    printf 'dn: cn=%s%s,cn=Recipients,ou=Site1,o=Testorg\nobjectClass: inetOrgPerson\n' "$2" "$n"
    printf 'displayName: %s %s\n\n' "$2" "$(head -c 120 /dev/urandom | base64 -w 0)"
  done
}

# ---- the deployment ----

configure_broker
at broker organization init Testorg >/dev/null
start_broker
for n in 1 2 3; do add_site "$n"; done
people 600 Person >people.ldif
at site1 load people.ldif >/dev/null
at site1 instance set OUT --export >/dev/null
until_true "Site2 knows all" knows site2 Person600
until_true "Site3 knows all" knows site3 Person600
at site3 instance set Site1.OUT --max-deletes 100% >/dev/null
# ---- each state ----

in_sync() {
  says broker in-sync fine
  says site2 in-sync fine
  over in-sync
}

# A reader that does not get on: nothing to do yet; late, it is to be looked at.
catching_up() {
  kill -STOP "${process[agent2]}"
  at site1 mailbox add Slow >/dev/null
  says broker catching-up notice
  until_true "it is late" late
  [[ $late == *'"state":"catching-up","command":"dirsync doctor","at":"Site2"'* ]] || wrong "late: $late"
  kill -CONT "${process[agent2]}"
  run_printed "dirsync doctor" Site2
  over catching-up
}
late() {
  late=$(at broker check Site2 --late-warning 1 --json) || true
  [[ $late == *'"code":1,'* ]]
}

# A broker whose disk is nearly full: its own trouble is said first, and the link says who waits.
read_only() {
  configure_broker 'disk_free = "900TiB"'
  until_true "the broker takes nothing" broker_takes_nothing
  at site1 mailbox add Waits >/dev/null
  until_true "Site1 waits" site1_waits
  [ "$(field severity)" = warning ] || wrong "a site that waits is $(field severity)"
  run_command
  grep -q READ_ONLY printed.out || wrong "doctor does not find it: $(cat printed.out)"
  run_printed "dirsync broker stats" "the broker"
  grep -q "takes no changes" printed.out || wrong "broker stats does not say it: $(cat printed.out)"
  configure_broker
  until_true "what waited arrives" knows site2 Waits
  over catching-up
}
broker_takes_nothing() {
  [[ $(at broker check --json) == *'"code":2,"text":"the broker takes no changes'* ]]
}
site1_waits() { stands broker catching-up && [[ $(field reason) == "Site1 says READ_ONLY"* ]]; }

paused() {
  at site2 pause Site1.OUT >/dev/null
  says site2 paused notice "dirsync resume Site1.OUT" Site2
  says broker paused notice "dirsync resume Site1.OUT" Site2
  run_command
  over paused
}

offline() {
  end agent2
  says broker offline notice "dirsync agent run" Site2
  says site2 offline warning "dirsync agent run" Site2
  run_command
  over offline
  end broker
  says site2 offline warning "dirsync broker run" "the broker"
  run_command
  over offline
}

# Somebody at Site2 has the address of whom Site1 hires.
quarantined() {
  local list="dirsync quarantine list --instance Site1.OUT" retry
  at site2 mailbox add Holder --address SMTP:Hired@site1.test >/dev/null
  at site1 mailbox add Hired >/dev/null
  says site2 quarantined warning "$list" Site2
  says broker quarantined warning "$list" Site2
  run_command
  grep -q "ADDRESS_TAKEN .*Hired .*cn=Holder" printed.out || wrong "no holder: $(cat printed.out)"
  retry=$(grep -o 'dirsync quarantine retry [^,]*' said.log | tail -n 1)
  at site2 mailbox delete Holder >/dev/null
  run_printed "$retry" Site2
  over quarantined
}

# 120 of 600 deletes in one run are approved, 80 of the others rejected.
held() {
  local approve="dirsync held approve --all --instance Site1.OUT"
  local reject="dirsync held reject --all --instance Site1.OUT"
  delete_at_once 1 120
  says site2 held critical "$approve" Site2 "$reject"
  says broker held critical "$approve" Site2 "$reject"
  [ "$(field reason)" = "120 deletes wait for a person at Site2" ] || wrong "it says $(field reason)"
  knows site2 Person1 || wrong "a held delete was made"
  run_command
  over held
  knows_not site2 Person1 || wrong "an approved delete was not made"
  delete_at_once 121 200
  says broker held critical "$approve" Site2 "$reject"
  run_alternative
  over held
  knows site2 Person121 || wrong "a rejected delete was made"
}
delete_at_once() {  # delete_at_once FIRST LAST: in one run
  at site1 pause OUT >/dev/null
  at site1 mailbox delete $(seq -f Person%g "$1" "$2") >/dev/null
  at site1 resume OUT >/dev/null
}

# A run that gives too many another address at once: the stream stops before it.
suspect() {
  local n
  for n in $(seq 401 490); do
    printf 'dn: cn=Person%s,cn=Recipients,ou=Site1,o=Testorg\nobjectClass: inetOrgPerson\n' "$n"
    printf 'proxyAddresses: SMTP:moved%s@site1.test\n\n' "$n"
  done >moved.ldif
  at site1 pause OUT >/dev/null
  at site1 load --replace moved.ldif >/dev/null
  at site1 resume OUT >/dev/null
  says broker held critical "dirsync held approve Site1.OUT" Site2 "dirsync held reject Site1.OUT"
  run_command
  over held
  shows Person490 moved490 || wrong "the approved run was not applied"
}

# The log keeps less for a reader than it misses.
needs_ranges() {
  configure_broker 'reader = "64KiB"'
  end agent2
  people 600 Newcomer >people.ldif
  at site1 load people.ldif >/dev/null
  says broker needs-ranges warning "dirsync agent run" Site2
  run_command
  until_true "Site2 knows all" knows site2 Newcomer600
  over needs-ranges
  configure_broker
}

# A disk at Site2 that lost a write: found at the next change of that entry, when Site1 is away.
diverged() {
  end agent2
  cp -r site2 older2
  start_agent 2
  at site1 mailbox set Person300 --display-name First >/dev/null
  until_true "it arrives" shows Person300 First
  end agent2
  [ "$("$lost_write" older2 site2)" = 1 ] || wrong "not one write was lost"
  at site1 mailbox set Person300 --display-name Second >/dev/null
  until_true "it is told" told_one
  end agent1
  start_agent 2
  bystander=
  says broker diverged critical "dirsync agent run" Site1
  bystander=Site3
  run_command
  over diverged
  shows Person300 Second || wrong "it is not as Site1 has it"
}
shows() { at site2 show "$1" | grep "$2" >/dev/null; }
told_one() { stands broker offline && [[ $link == *'"batches_waiting":1,'* ]]; }

# Site2 from a copy of its store that knows of no newer session. Site1 is paused, so that no canary
# of its finds both sides equal before anybody looks.
restored() {
  local resync="dirsync resync run --site Site1 --full --to Site2"
  end agent2
  cp -r site2 copy
  start_agent 2
  until_true "Site2 is back" stands broker in-sync
  at site1 pause OUT >/dev/null
  put_back 2
  bystander=
  says broker restored warning "$resync" Site1
  bystander=Site3
  at site1 resume OUT >/dev/null
  run_command
  grep -q "^Site2: Testorg/Site1/OUT: .* entries equal" printed.out || wrong "resync says: $(cat printed.out)"
  over restored
}
put_back() {  # put_back N: the agent's store, from the copy
  end "agent$1"
  rm -rf "site$1"
  mv copy "site$1"
  start_agent "$1"
}

# Site1 from a copy, when Site2 is away; what the copy does not know is held there, and kept.
producer_restored() {
  end agent1
  cp -r site1 copy
  start_agent 1
  at site1 mailbox add Late >/dev/null
  until_true "Site2 knows who came late" knows site2 Late
  end agent2
  end agent3
  put_back 1
  bystander=
  says broker restored warning "dirsync agent run" Site2
  run_command
  says broker held critical "dirsync held approve --all --instance Site1.OUT" Site2 \
    "dirsync held reject --all --instance Site1.OUT"
  run_alternative
  bystander=Site3
  start_agent 3
  reader=Site3 until_true "Site3 holds it too" stands broker held
  at site3 held reject --all >/dev/null
  over restored
  knows site2 Late || wrong "who was kept is gone"
}

# A site that was revoked is nobody's trouble at the broker; it asks again, with an invitation, and
# is approved.
refused() {
  local invitation
  at broker sites revoke Site2 >/dev/null
  says site2 refused critical "dirsync join INVITATION" Site2
  says broker refused fine
  invitation=$(at broker broker invite)
  until_true "site2 says refused" stands site2 refused
  run_printed "$(field command | sed "s/INVITATION/$invitation/")" Site2
  until_true "the broker says that it asks" asks_again
  run_command
  run_printed "$(grep -o 'dirsync sites approve .*' said.log | tail -n 1)" "the broker"
  over refused
}
asks_again() { stands broker refused && [ "$(field command)" = "dirsync sites pending" ]; }

[ $# -gt 0 ] || set -- in_sync catching_up read_only paused offline quarantined held suspect needs_ranges diverged restored producer_restored refused
for state in "$@"; do "$state"; done
