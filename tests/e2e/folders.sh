#!/usr/bin/env bash
# folders.sh DIRSYNC: two agents that exchange files by folders: what one writes to OUT is moved to
# the other's IN. Files that come too early, twice, damaged, from nobody, half written; links.
set -euo pipefail
dirsync=$1
top=$(mktemp -d)
agents=()
trap 'for pid in "${agents[@]}"; do kill -9 "$pid" 2>/dev/null || true; done; rm -rf "$top"' EXIT
cd "$top"

wrong() { echo "WRONG: $*"; tail -n 40 "$top"/*.log; find "$top"/in* "$top"/out*; exit 1; }
until_true() {  # until_true WHAT COMMAND...: polls for 90 seconds
  local what=$1 end=$((SECONDS + 90)); shift
  until "$@"; do [ "$SECONDS" -lt "$end" ] || wrong "$what: not in time"; read -rt 0.02 <> <(:) || :; done
}
at() { local site=$1; shift; "$dirsync" --store "site$site" "$@"; }
knows() { at "$1" list 2>/dev/null | grep -q "^$2 "; }
knows_not() { ! knows "$@"; }
there() { compgen -G "$1" >/dev/null; }
site() { # site NUMBER OTHER
  at "$1" init --organization Testorg --site "Site$1" --server "Server$1" >/dev/null 2>&1
  at "$1" instance set OUT --export --transport file >/dev/null 2>&1
  at "$1" instance set IN --import --transport file >/dev/null 2>&1
  "$dirsync" agent run --store "site$1" --in "in$1" --out "out$1" --on-event "$top/event" 2>"agent$1.log" &
  agents+=($!)
  until_true "agent $1 serves" [ -S "site$1/control.sock" ]
}
# As a carrier does: whole files only.
carry() { # carry FROM TO
  local file
  for file in "out$1"/*; do case $file in *.part | *'*') ;; *) mv "$file" "in$2/" ;; esac; done
}
crosses() { carry 1 2; knows 2 "$1"; }
next_file() { # the one file of out1, once it is there
  until_true "a file is out" there "out1/*[0-9T]"
  file=$(basename out1/*[0-9T])
}

cat >event <<'END'
#!/bin/sh
{ echo "$DIRSYNC_EVENT $DIRSYNC_SITE $DIRSYNC_INSTANCE $DIRSYNC_CODE"; cat; } >>"$(dirname "$0")/events"
END
chmod +x event
mkdir out1 out2
site 1
site 2

at 1 mailbox add Mailbox11 >/dev/null
until_true "Site2 knows Mailbox11" crosses Mailbox11
until_true "the file is done" there "in2/done/Site1.OUT"
acked() { carry 2 1; grep -q "Site2 has read" agent1.log; }
until_true "Site1 hears that it was read" acked
until_true "the event was heard" grep -q "^imported Site2 IN ALREADY_APPLIED" events
until_true "and its facts were given" grep -q '"event":"imported","site":"Site2","instance":"IN"' events
echo "a change crossed by folders, was acked by folders, and was heard of"

at 1 list >/dev/null  # answered once the turn that read Site2's file has put out its own
carry 1 2
at 1 mailbox add Mailbox12 >/dev/null
next_file
mv "out1/$file" second
at 1 mailbox add Mailbox13 >/dev/null
next_file
mv "out1/$file" in2/early
until_true "the early file waits" there "in2/waiting/early"
until_true "and why is said" grep -q "waiting.*(GAP)" agent2.log
knows_not 2 Mailbox13 || wrong "a file that came too early was taken"
cp second in2/late
until_true "Site2 knows Mailbox13" knows 2 Mailbox13
knows 2 Mailbox12 || wrong "Mailbox12 is missing"
until_true "both are done" there "in2/done/early"
cp second in2/again
until_true "a repeat is done too" there "in2/done/again"
echo "an early file waited for the one before it; a repeat changed nothing"

sed 's/Mailbox12/Mailbox99/' second >in2/forged
until_true "the forged file is bad" there "in2/bad/forged.reason"
knows_not 2 Mailbox99 || wrong "a forged file was taken"
head -c 300 second >in2/half
until_true "the half file is bad" there "in2/bad/half.reason"
until_true "why is said" grep -q '(' in2/bad/half.reason
cp second in1/own
until_true "a file of the site's own is bad" there "in1/bad/own.reason"
until_true "why is said" grep -q OWN_STREAM in1/bad/own.reason
ln -s "$top/second" in2/link
mkdir in2/folder
mkfifo in2/pipe
cp second in2/.hidden
at 1 mailbox add Mailbox14 >/dev/null
until_true "Site2 knows Mailbox14" crosses Mailbox14
[ -L in2/link ] && [ -d in2/folder ] && [ -p in2/pipe ] && [ -f in2/.hidden ] || wrong "what is no file was touched"
echo "damaged files went to bad/ with a reason; links, folders and pipes were left alone"

at 2 instance set OLD --import --transport file --import-file FOREIGN >/dev/null 2>&1
printf 'A Other1\n- Display-Name:Other One\n- Target-Address:SMTP:other1@example.org\n\n' >in2/FOREIGN
until_true "the foreign file is done" there "in2/done/FOREIGN"
knows 2 Other1 || wrong "the foreign file was not taken"
echo "a foreign file was taken once nobody wrote it any more"

at 1 pause OUT >/dev/null
at 1 mailbox add Mailbox15 >/dev/null
at 1 mailbox add Mailbox16 >/dev/null
! there "out1/*" || wrong "a paused instance was run"
at 1 resume OUT >/dev/null
until_true "the resumed instance is run" there "out1/*"
echo "a paused instance waited"

mv out1 away
at 1 mailbox add Mailbox17 >/dev/null
until_true "the export says that its folder is away" grep -q "export-refused.*OUT" agent1.log
mv away out1
until_true "it is tried again" crosses Mailbox17
echo "an export whose folder was away went out once it was back"

for pid in "${agents[@]}"; do kill -TERM "$pid"; done
for pid in "${agents[@]}"; do wait "$pid" || wrong "an agent ended with $?"; done
agents=()
