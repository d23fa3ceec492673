#!/bin/sh
# Error lines that no test reaches: the tests run in a build folder of their own with gcov, which
# counts calls. Fails where a call of a function that reports errors was never made.
set -eu
build=${1:?usage: tests/covered.sh BUILD}

# What no test can bring about: a disk that fails while it is read.
unreachable='cannot be read: %s'

reports='say say_last_error usage_error usage_error_unknown tg_failure tg_misuse tg_reject fail
         reject wrong tg_lines_wrong tg_lines_wrong_field tg_lines_wrong_number tg_out_of_memory
         no_memory refuse_parameter'

"${MAKE:-make}" BUILD="$build" CFLAGS='-O1 -fno-inline --coverage' "$build/run-tests" "$build/ncf"
find "$build" -name '*.gcda' -exec rm {} +
sh tests/run.sh "$build"

for object in "$build"/tensor "$build"/autograd "$build"/nn "$build"/optim "$build"/data \
              "$build"/models "$build"/models/cli; do
    gcov -b -t "$object"/*.gcno
done 2>/dev/null | awk -v reports="$reports" -v unreachable="$unreachable" '
    BEGIN { gsub(/[ \n]+/, "|", reports); pattern = "(^|[^a-z_])(" reports ")\\(" }
    /^ +-: +0:Source:/ { sub(/.*Source:/, ""); file = $0; next }
    /^call .*never executed/ && line { print line; missed++ }
    /^(call|branch|unconditional|function) / { if (/never executed/) line = ""; next }
    {
        line = ""
        source = $0
        sub(/^[^:]*:[^:]*:/, "", source)
        if ($0 !~ /^ +-:/ && source ~ pattern && index(source, unreachable) == 0) {
            split($0, part, ":")
            line = file ":" part[2] + 0 ": " source
        }
    }
    END {
        printf "%d error lines that no test reaches\n", missed
        exit missed > 0
    }'
