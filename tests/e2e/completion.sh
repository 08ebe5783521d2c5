#!/usr/bin/env bash
# completion.sh SHELL DIRSYNC: what is typed into a real SHELL with Tab keys, at a terminal, becomes
# the whole command. The script is the one that DIRSYNC prints. SHELL may be groff: then the manual
# page is set, without a warning.
set -euo pipefail
shell=$1
dirsync=$(realpath "$2")
command -v "$shell" >/dev/null || { echo "not run: $shell is not installed"; exit 77; }
top=$(mktemp -d)
terminal=
trap '[ -z "$terminal" ] || kill -9 "$terminal" 2>/dev/null || true; rm -rf "$top"' EXIT
cd "$top"
export HOME=$top TERM=dumb HISTFILE=
unset ENV BASH_ENV

wrong() { echo "WRONG: $*"; cat -v "$top/screen" 2>/dev/null || :; exit 1; }
until_true() {  # until_true WHAT COMMAND...: polls for 60 seconds
  local what=$1 end=$((SECONDS + 60)); shift
  until "$@"; do [ "$SECONDS" -lt "$end" ] || wrong "$what: not in time"; read -rt 0.05 <> <(:) || :; done
}

if [ "$shell" = groff ]; then
  "$dirsync" man >dirsync.1
  ! LC_ALL=C grep -nP '[^\x20-\x7E]' dirsync.1 >other || wrong "the manual page is not ASCII: $(head -n 3 other)"
  groff -man -Tutf8 -ww dirsync.1 >page 2>warnings || wrong "groff ended with $?"
  [ ! -s warnings ] || wrong "groff warns: $(cat warnings)"
  grep -q 'mailbox' page || wrong "the page is empty"
  echo "groff sets the manual page without a warning"
  exit 0
fi

# fish is asked; what it offers for the last word must be just that.
fish_offers() {  # fish_offers LINE WORD...
  local line=$1 got
  shift
  got=$(fish --no-config -c "source dirsync.fish; complete -C '$line'" | cut -f1 | tr '\n' ' ')
  for word in "$@"; do
    case " $got" in *" $word "*) ;; *) wrong "fish: '$line' offers $got, not $word" ;; esac
  done
}
if [ "$shell" = fish ]; then
  "$dirsync" completion fish >dirsync.fish
  fish_offers 'dirsync mailb' mailbox
  fish_offers 'dirsync mailbox ' add set rename move delete
  fish_offers 'dirsync check --for' --format
  fish_offers 'dirsync broker readers --wa' --watch
  fish_offers 'dirsync instance set X --export-f' --export-file
  echo "fish completes commands, verbs and options"
  exit 0
fi

# The others are typed into: what dirsync is given is printed.
case $shell in
  bash)
    "$dirsync" completion bash >dirsync.bash
    start='bash --norc --noprofile -i'
    setup='source ./dirsync.bash; bind "set show-all-if-ambiguous on"' ;;
  zsh)
    "$dirsync" completion zsh >_dirsync
    start='zsh -f -i'
    setup='fpath=($PWD $fpath); autoload -U compinit; compinit -u -D' ;;
  *) wrong "$shell is no shell that is known" ;;
esac
mkfifo keys
script -qfc "$start" /dev/null <keys >screen 2>&1 &
terminal=$!
exec 7>keys
shows() { grep -qaF -- "$1" screen; }
printf '%s\n' 'dirsync() { printf "GO""T:%s:\n" "$*"; }' "$setup" 'echo REA""DY' >&7
until_true "$shell is ready" shows READY
becomes() {  # becomes KEYS COMMAND
  printf '%b\n' "$1" >&7
  until_true "$shell makes '$2' of '$1'" shows "GOT:$2:"
}
becomes 'dirsync mailb\t ren\t A B' 'mailbox rename A B'
becomes 'dirsync stat\t --wat\t' 'status --watch'
becomes 'dirsync check --form\t json' 'check --format json'
becomes 'dirsync instance se\t X --export-f\t F' 'instance set X --export-file F'
printf 'exit\n' >&7
exec 7>&-
wait "$terminal" || :
terminal=
echo "$shell completes commands, verbs and options"
