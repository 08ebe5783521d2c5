# shellcheck shell=bash
# Sourced by tests that look at what dirsync prints: is it JSON, is it harmless? The caller has
# `wrong TEXT...`, which ends the test.
checks=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

# What acts on a terminal or turns text around: C0 but tab and line feed, DEL, C1, direction marks.
harmful='[\x00-\x08\x0B-\x1F\x7F]|\xC2[\x80-\x9F]|\xD8\x9C|\xE2\x80[\x8E\x8F\xA8-\xAE]|\xE2\x81[\xA6-\xA9]|\xEF\xBB\xBF'

is_utf8() { iconv -f UTF-8 -t UTF-8 "$1" >/dev/null 2>&1; }
# neutral WHAT FILE: printed to no terminal.
neutral() {
  [ -s "$2" ] || return 0
  ! LC_ALL=C grep -aqP "$harmful" "$2" || wrong "$1 printed: $(LC_ALL=C grep -aP "$harmful" "$2" | head -n 2 | cut -c1-300 | cat -v)"
  is_utf8 "$2" || wrong "$1 printed what is not UTF-8"
}
# neutral_on_terminal WHAT FILE: colours, and a progress bar's erasing, may be there.
neutral_on_terminal() {
  [ -s "$2" ] || return 0
  LC_ALL=C sed -E 's/\x1b\[[0-9;]*m//g; s/\x1b\[K//g; s/\r//g' "$2" >"$2.plain"
  neutral "$1 on a terminal" "$2.plain"
}
# keys_of FILE: the keys of its JSON, on one line; status 1: it is no JSON.
keys_of() { LC_ALL=C awk -v ORS=' ' -f "$checks/json.awk" "$1"; }
