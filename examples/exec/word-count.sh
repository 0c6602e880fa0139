#!/bin/sh
# Counts words and lines: {"text":"…"} on stdin, {"words":3,"lines":1} on stdout, progress on stderr. Standard tools only.
set -eu

echo '{"progress":0.1,"note":"reading"}' >&2
text=$(awk '
  { json = json $0 "\n" }
  END {
    if (!match(json, /"text"[ \t\n]*:[ \t\n]*"/)) { print "the input has no \"text\"" > "/dev/stderr"; exit 1 }
    rest = substr(json, RSTART + RLENGTH)
    while ((at = match(rest, /["\\]/)) > 0) {
      printf "%s", substr(rest, 1, at - 1)
      if (substr(rest, at, 1) == "\"") exit
      escaped = substr(rest, at + 1, 1)
      if (escaped == "n") printf "\n"
      else if (escaped ~ /[tbfr]/) printf " "
      else if (escaped == "u") printf "%s", substr(rest, at + 2, 4) ~ /^(00[012].|00[aA]0|202[89])$/ ? " " : "x"
      else printf "%s", escaped
      rest = substr(rest, at + (escaped == "u" ? 6 : 2))
    }
    exit 1
  }')

echo '{"progress":0.6,"note":"counting"}' >&2
words=$(printf '%s\n' "$text" | wc -w)
lines=$(printf '%s\n' "$text" | wc -l)
printf '{"words":%d,"lines":%d}\n' "$words" "$lines"
