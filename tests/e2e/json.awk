# Reads JSON values, one after another, and prints each key once; ends with 1 and what is wrong.
# Keys of objects that map names to values (the attributes of an entry) are not printed.
# To be run with LC_ALL=C: it counts bytes.
BEGIN {
  split("attributes links refusals rejected local imported", names, " ")
  for (i in names) is_map[names[i]] = 1
}
{ text = text $0 "\n" }
END {
  at = 1
  size = length(text)
  for (blanks(); at <= size; blanks()) value(0)
  if (at == 1 || !values) fail("no value")
}

function fail(what) {
  print "json: byte " at ": " what ": " substr(text, at, 60) > "/dev/stderr"
  exit 1
}

function blanks() { while (index(" \t\r\n", substr(text, at, 1)) && at <= size) ++at }

function value(quiet,   first) {
  ++values
  first = substr(text, at, 1)
  if (first == "{") return object(quiet)
  if (first == "[") return array(quiet)
  if (first == "\"") return string()
  if (match(substr(text, at, 48), /^(true|false|null)/) ||
      match(substr(text, at, 48), /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/)) {
    at += RLENGTH
    return ""
  }
  fail("no value")
}

function object(quiet,   key) {
  ++at
  blanks()
  if (substr(text, at, 1) == "}") { ++at; return "" }
  for (;;) {
    blanks()
    if (substr(text, at, 1) != "\"") fail("no key")
    key = string()
    if (!quiet && !(key in seen)) { seen[key] = 1; print key }
    blanks()
    if (substr(text, at, 1) != ":") fail("no colon")
    ++at
    blanks()
    value(quiet || (key in is_map && substr(text, at, 1) == "{"))
    if (ended("}")) return ""
  }
}

function array(quiet) {
  ++at
  blanks()
  if (substr(text, at, 1) == "]") { ++at; return "" }
  for (;;) {
    blanks()
    value(quiet)
    if (ended("]")) return ""
  }
}

function ended(bracket,   c) {
  blanks()
  c = substr(text, at++, 1)
  if (c == bracket) return 1
  if (c != ",") { --at; fail("neither a comma nor " bracket) }
  return 0
}

function string(   begin, c) {
  begin = ++at
  for (;;) {
    c = substr(text, at, 1)
    if (c == "\"") break
    if (c == "" || c < " ") fail("a control character in a string")
    if (c != "\\") { ++at; continue }
    c = substr(text, at + 1, 1)
    if (c == "u" && substr(text, at + 2, 4) ~ /^[0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F]$/) {
      at += 6
    } else if (c != "" && index("\"\\/bfnrt", c)) {
      at += 2
    } else {
      fail("an unknown escape")
    }
  }
  return substr(text, begin, at++ - begin)
}
