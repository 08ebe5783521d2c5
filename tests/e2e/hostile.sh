#!/usr/bin/env bash
# hostile.sh DIRSYNC: markup, escape sequences, marks that turn text around, line breaks, wrong UTF-8
# and values of a megabyte, in names and attributes: entered at one site, told by the broker to the
# other. What cannot be a name is refused by its record; what can is harmless on the page, in the
# API, in metrics, logs, pipes and on terminals. Nothing of it, and no file, holds a secret.
set -euo pipefail
dirsync=$(realpath "$1")
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
top=$(mktemp -d)
declare -A process
trap 'for pid in "${process[@]}"; do kill -9 "$pid" 2>/dev/null || true; done; rm -rf "$top"' EXIT
cd "$top"
unset NO_COLOR DIRSYNC_STORE
export TERM=xterm

wrong() { echo "WRONG: $*"; tail -n 5 "$top"/*.log | cut -c1-500 | cat -v; exit 1; }
until_true() {  # until_true WHAT COMMAND...: polls for 60 seconds
  local what=$1 end=$((SECONDS + 60)); shift
  until "$@"; do [ "$SECONDS" -lt "$end" ] || wrong "$what: not in time"; read -rt 0.05 <> <(:) || :; done
}
source "$here/output_checks.sh"
mkdir said
said_count=0
at() { local store=$1; shift; "$dirsync" --store "$store" "$@" 2>>said/messages.err; }

# ---- what is hostile ----

escape=$'\x1b' c1=$'\xc2\x9b' override=$'\xe2\x80\xae' isolate=$'\xe2\x81\xa6' rtl_mark=$'\xe2\x80\x8f'
# Names that are allowed: letters and marks of all kinds, no control characters.
names=('<script>alert(1)</script>' '<img src=x onerror=alert(1)>' "\"&amp;' --yes" "Anna${override}gpj.exe"
  "${isolate}Ben${rtl_mark}" "$(printf 'L%.0s' {1..256})")
# Names that are not.
wrong_names=("Esc${escape}[2J" "C1${c1}2J" $'New\nline' $'Return\rx' $'Delete\x7f' $'Bad\xff\xfe' "$(printf 'M%.0s' {1..257})")
site1="Nord <script>alert(2)</script>${override}x"
instance="<b onclick=alert(3)>${isolate}${rtl_mark}"

ldap_escaped() { LC_ALL=C sed -E 's/([\\",<>;+])/\\\1/g' <<<"$1"; }
base64_line() { printf '%s:: ' "$1"; base64 -w 0; echo; }
record() {  # record NAME [ATTRIBUTE VALUE]...
  printf 'cn=%s,cn=Recipients' "$(ldap_escaped "$1")" | base64_line dn
  echo 'objectClass: inetOrgPerson'
  shift
  while [ $# -gt 0 ]; do printf '%s' "$2" | base64_line "$1"; shift 2; done
  echo
}
repeated() { awk -v unit="$1" -v times="$2" 'BEGIN { while (times-- > 0) printf "%s", unit }'; }
# Every text attribute that is told: its LDAP name, by the table of attributes.
text_attributes() {
  sed -nE 's/^ *\{"[^"]*", "([^"]+)", kText, k(One|Many), kTold\},$/\1/p' "$here/../../proto/model/attribute_table.cc" |
    grep -vxE 'displayName|mail|mailNickname' # the first is any record's, the others are addresses
}
write_every() {
  local attribute values=()
  while read -r attribute; do values+=("$attribute" "<script>alert(6)</script>$override$attribute$rtl_mark"); done < <(text_attributes)
  values+=(userCertificate "<script>$escape[2J$c1$override" thumbnailPhoto $'\x1b[31m<img src=x>\xff')
  record Every "${values[@]}"
}
write_people() {
  local name n
  {
    write_every
    for name in "${names[@]}"; do
      record "$name" displayName "$name & <b>$rtl_mark" description $'one\ntwo\r\n\tthree' title "$override$name"
    done
    record Huge description "$(repeated "<script>alert(4)</script>$override" 35000)"
    for ((n = 0; n < 40; n++)); do record "<script>alert(5)</script>$override$n"; done
    for name in "${wrong_names[@]}"; do record "$name"; done
    record Wrong1 displayName "a${escape}[31mb"
    record Wrong2 displayName "a${c1}31mb"
    record Wrong3 displayName $'a\xff\xfeb'
    record Wrong4 description "$(repeated x 1048577)"
    record Wrong5 proxyAddresses "EDK:a${escape}b@site1.test"
    record Wrong6 proxyAddresses "EDK:a${c1}b@site1.test"
    record "Taken <i>" proxyAddresses EDK:taken@site1.test
    record Last
  } >people.ldif
}
good=$((${#names[@]} + 2 + 40 + 2)) bad=$((${#wrong_names[@]} + 6))

# ---- the deployment ----

serve_broker() {
  at broker organization init Testorg >/dev/null
  "$dirsync" --store broker broker run --listen 'tcp://127.0.0.1:*' --join-listen 'tcp://127.0.0.1:*' \
    --page 0 >broker.out 2>broker.log </dev/null &
  process[broker]=$!
  until_true "the broker serves" grep -qs page broker.out
  page=$(sed -n 's|.*page at http://127.0.0.1:\([0-9]*\)/.*|\1|p' broker.out)
  invitation=$(at broker broker invite)
}
serve_site() {  # serve_site N SITE FORM
  at "site$1" init --organization Testorg --site "$2" --server "Server <u>$1</u>$override" --domain "site$1.test" >/dev/null
  printf '[log]\nform = "%s"\n' "$3" >"agent$1.toml"
  "$dirsync" --store "site$1" agent run --config "agent$1.toml" >>"agent$1.log" 2>&1 </dev/null &
  process[agent$1]=$!
  until_true "agent $1 serves" [ -S "site$1/control.sock" ]
  at "site$1" join "$invitation" >/dev/null
  at broker sites approve "$2" >/dev/null
  at "site$1" join "$invitation" --wait 60 >/dev/null
}
is_known() { at site2 show "$1" >/dev/null; }
waiting() { [ "$(at site2 "$1" list --json | grep -c '^{')" = "$2" ]; }

enter() {
  local name status
  write_people
  at site1 instance set "$instance" --export >/dev/null
  at site2 mailbox add Holder --address EDK:taken@site1.test >/dev/null
  at site1 load people.ldif --json >said/load
  grep -q "\"added\":$good,\"unchanged\":0,\"skipped\":$bad," said/load || wrong "load said: $(cut -c1-3000 said/load)"
  [ "$(grep -o '"line [0-9]*: [^"]' said/load | sort -u | wc -l)" = "$bad" ] ||
    wrong "load did not name the line of each of $bad records: $(cut -c1-3000 said/load)"
  for name in "${wrong_names[@]}"; do
    status=0
    "$dirsync" --store site1 mailbox add "$name" >said/refused 2>&1 || status=$?
    [ "$status" = 2 ] || wrong "mailbox add of a wrong name ended with $status: $(cat -v said/refused)"
    neutral "mailbox add" said/refused
  done
}
cross() {
  local name one two
  for name in "${names[@]}" Every Huge Last; do until_true "$name is known at Site2" is_known "$name"; done
  until_true "one change is quarantined" waiting quarantine 1
  # What arrived is what was entered, to the byte.
  for name in "${names[@]}" Huge; do
    one=$(at site1 show "$name" --json | grep -oE '"(Description|Display-Name|Title)":\[[^]]*\]' | sort)
    two=$(at site2 show "$name" --json | grep -oE '"(Description|Display-Name|Title)":\[[^]]*\]' | sort)
    [ -n "$one" ] && [ "$one" = "$two" ] || wrong "$name is not at Site2 what it is at Site1"
  done
  one=$(at site1 show Every --json | grep -oE '"[A-Za-z0-9-]*":\["(<script>|base64:)?[^]]*' | grep -E 'alert\(6\)|Certificate|Photo' | sort)
  two=$(at site2 show Every --json | grep -oE '"[A-Za-z0-9-]*":\["(<script>|base64:)?[^]]*' | grep -E 'alert\(6\)|Certificate|Photo' | sort)
  [ "$(wc -l <<<"$one")" -ge "$(text_attributes | wc -l)" ] && [ "$one" = "$two" ] ||
    wrong "not every attribute is at Site2 what it is at Site1: $(diff <(echo "$one") <(echo "$two") | head -n 5 | cat -v)"
  local doomed=()
  for ((n = 0; n < 40; n++)); do doomed+=("<script>alert(5)</script>$override$n"); done
  at site1 mailbox delete "${doomed[@]}" >/dev/null
  until_true "40 deletes are held" waiting held 40
}

# ---- what is said ----

say() {  # say STORE ARGUMENTS...: in a pipe, as JSON and at a terminal
  local store=$1 line status=0 file
  shift
  file=said/$((++said_count))
  "$dirsync" --store "$store" "$@" >"$file" 2>"$file.err" </dev/null || status=$?
  [ "$status" -lt 3 ] || wrong "$* ended with $status: $(cat -v "$file.err")"
  neutral "$*" "$file"
  neutral "$*" "$file.err"
  "$dirsync" --store "$store" "$@" --json >"$file.json" 2>>"$file.err" </dev/null || :
  neutral "$* --json" "$file.json"
  case $1 in dump | load) ;; *) keys_of "$file.json" >/dev/null || wrong "$* --json is no JSON" ;; esac
  printf -v line '%q ' "$dirsync" --store "$store" "$@" --yes
  script -qec "$line" /dev/null >"$file.tty" 2>&1 </dev/null || :
  [ -s "$file.tty" ] || wrong "$* said nothing at a terminal"
  neutral_on_terminal "$*" "$file.tty"
}
look_with_commands() {
  local name
  for name in "${names[@]}" Every Huge Last; do say site2 show "$name"; done
  say site2 held show "<script>alert(5)</script>${override}7"
  say site2 quarantine show "Taken <i>"
  while read -r name; do
    # shellcheck disable=SC2086
    say site2 $name
  done <<'LIST'
list --subs
status
check
doctor
held list
quarantine list
instance list
runs
resync plan
resync status
version
keys show
dump
LIST
  say site1 instance show "$instance"
  say site2 instance list
  for name in events status check doctor "broker stats" "broker streams" "broker readers" "sites list" "sites pending" "log verify"; do
    # shellcheck disable=SC2086
    say broker $name
  done
  local stream
  stream=$("$dirsync" --store broker broker streams --json | sed -nE 's/^\{"stream":("([^"\\]|\\.)*").*/\1/p' | head -n 1)
  stream=$(printf '%b' "$(sed 's/\\"/"/g; s/\\u202e/\\xe2\\x80\\xae/g; s/\\u2066/\\xe2\\x81\\xa6/g; s/\\u200f/\\xe2\\x80\\x8f/g' <<<"${stream:1:-1}")")
  say broker log peek "$stream" --show-values
  # None of this would mean anything if the hostile names were not in it.
  grep -q '<script>alert(5)' said/*.tty || wrong "no command showed a hostile name"
  grep -q '\\u202e' said/*.json || wrong "no JSON held a mark that turns text around"
}

fetch() {  # fetch PATH FILE: the body, of an answer 200
  exec 3<>"/dev/tcp/127.0.0.1/$page"
  printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1:%s\r\n\r\n' "$1" "$page" >&3
  cat <&3 >"$2.whole"
  exec 3>&-
  head -n 1 "$2.whole" | grep -q ' 200 ' || wrong "GET $1: $(head -n 1 "$2.whole")"
  sed '1,/^\r$/d' "$2.whole" >"$2"
  neutral "GET $1" "$2"
}
sites_held_shown() { fetch / said/page && grep -q held said/page; }
look_at_page() {
  local path file n=0
  until_true "the page shows what is held" sites_held_shown
  # Every page that the overview leads to.
  { printf '%s\n' / /waiting /storage /sites /timeline
    sed 's/href="/\n&/g' said/page | sed -nE 's/^href="(\/(link|site)\?[^"]*)".*/\1/p' | sed 's/&amp;/\&/g'; } | sort -u >paths
  [ "$(wc -l <paths)" -gt 6 ] || wrong "the page leads nowhere: $(cat paths)"
  while read -r path; do
    file=said/page$((++n)).html
    fetch "$path" "$file"
    # Markup of our own has neither these tags nor handlers of events; values stand in quotes.
    sed 's/="[^"]*"/=""/g' "$file" >said/tags
    ! grep -qiE '<script>|<img |<u>|<i>|<[a-z][^>]*[ /]on[a-z]+=' said/tags ||
      wrong "GET $path: $(grep -oiE '.{0,40}(<script>|<img |<u>|<i>|<[a-z][^>]*[ /]on[a-z]+=).{0,40}' said/tags | head -n 3)"
  done <paths
  grep -q '&lt;script&gt;alert(2)' said/page*.html || wrong "no page shows the hostile site"
  for path in status streams readers sites events; do
    fetch "/api/v1/$path" "said/api_$path"
    keys_of "said/api_$path" >/dev/null || wrong "GET /api/v1/$path is no JSON"
  done
  grep -q '<script>alert(2)' said/api_* || wrong "the API does not tell of the hostile site"
  fetch /metrics said/metrics
  ! grep -qvE '^(# (HELP|TYPE) [a-z_:]+ .*|[a-z_:]+(\{([a-z_]+="([^"\\]|\\[\\n"])*",?)*\})? [-+0-9.eEinfNa]+)$' said/metrics ||
    wrong "/metrics: $(grep -vE '^#|^[a-z_:]+(\{([a-z_]+="([^"\\]|\\[\\n"])*",?)*\})? [-+0-9.eEinfNa]+$' said/metrics | head -n 2)"
  grep -q 'script>alert(2)' said/metrics || wrong "/metrics does not tell of the hostile site"
}

# ---- secrets ----

# Each secret as patterns: 8 of its bytes without a line feed or NUL, hex, base64 of both alphabets;
# and the token of the invitation.
write_secrets() {
  local file hex at
  for file in */keys/*.key; do
    hex=$(od -An -v -tx1 "$file" | tr -d ' \n')
    for at in 0 16 32 48; do sed 's/../\\x&/g' <<<"${hex:at:16}"; done | grep -v '\\x0[0a]' | head -n 1
    printf '(?i:%s)\n' "$hex"
    base64 -w 0 "$file" | cut -c1-40 | sed 's/[+/]/[-+_\/]/g'
  done >secrets
  printf '%s\n' "${invitation:20}" >>secrets
  [ "$(wc -l <secrets)" -ge 18 ] || wrong "too few secrets are looked for: $(wc -l <secrets)"
}
holds_secret() {  # holds_secret FILE...: prints which of them does
  local pattern
  while read -r pattern; do LC_ALL=C grep -alP -- "$pattern" "$@" || :; done <secrets
}
look_for_secrets() {
  write_secrets
  # What finds nothing anywhere would find nothing here.
  [ "$(holds_secret broker/keys/*.key site1/keys/*.key | sort -u | wc -l)" = 4 ] || wrong "a key is not found in its own file"
  printf 'x %s y\n' "$(od -An -v -tx1 site1/keys/site.key | tr -d ' \n')" >planted
  [ "$(holds_secret planted)" ] || wrong "a planted key is not found"
  local found
  found=$(holds_secret said/* ./*.log broker.out site1/db/* site2/db/* broker/db/* 2>/dev/null | sort -u)
  [ -z "$found" ] || wrong "a secret is in $found"
}

serve_broker
serve_site 1 "$site1" text
serve_site 2 Site2 json
enter
echo "$bad of $((good + bad)) records were skipped, each with its line and reason"
cross
echo "the others arrived as they were entered; one waits in quarantine, 40 deletes are held"
look_with_commands
look_at_page
echo "commands, terminal, page, API and metrics show them harmless"
for name in agent1 agent2 broker; do
  neutral "$name.log" "$name.log"
  [ "$name" = agent1 ] || keys_of "$name.log" >/dev/null || wrong "$name.log holds what is no JSON"
done
grep -q 'alert(3)' agent1.log agent2.log || wrong "no log names the hostile instance"
look_for_secrets
echo "logs are harmless too, and nothing holds a secret"
for name in agent1 agent2 broker; do kill -TERM "${process[$name]}"; wait "${process[$name]}" || wrong "$name ended with $?"; unset "process[$name]"; done
