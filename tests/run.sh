#!/bin/sh
# Run the tests of the build folder given. A report of a sanitizer fails the run even where the test
# runner does not notice it (leaks are found after its last word).
set -eu
build=${1:?usage: tests/run.sh BUILD}
rm -f "$build"/sanitizer.*
NCF=$build/ncf
# Errors end a process by a signal, which no test takes for an exit status; of leaks the logs decide.
# Tests run the program in folders of their own.
logs=$(cd "$build" && pwd)/sanitizer
ASAN_OPTIONS=log_path=$logs:abort_on_error=1:detect_leaks=1
LSAN_OPTIONS=exitcode=0
UBSAN_OPTIONS=log_path=$logs:abort_on_error=1:print_stacktrace=1
export NCF ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS
"$build"/run-tests
for log in "$build"/sanitizer.*; do
    [ -e "$log" ] || continue
    # Leaks of Criterion itself are no report: it forgets the time limits of tests that run beside
    # each other. Nor is that LeakSanitizer misses a thread of a child that calls exit().
    awk 'BEGIN { RS = "" }
         / leak of .*\n *#0 [^\n]*\n *#1 [^\n]*libcriterion/ { next }
         /ERROR: LeakSanitizer|^SUMMARY: .* leaked in|False leaks are possible/ { next }
         { print; found = 1 }
         END { exit !found }' "$log" >&2 || continue
    echo "tests/run.sh: a sanitizer reported something: $log" >&2
    exit 1
done
