#!/bin/sh
# Run the tests of the build folder given. A report of a sanitizer fails the run even where the test
# runner does not notice it (leaks are found after its last word).
set -eu
build=${1:?usage: tests/run.sh BUILD}
rm -f "$build"/sanitizer.*
NCF=$build/ncf
ASAN_OPTIONS=log_path=$build/sanitizer:detect_leaks=1
UBSAN_OPTIONS=log_path=$build/sanitizer:print_stacktrace=1
export NCF ASAN_OPTIONS UBSAN_OPTIONS
"$build"/run-tests
for log in "$build"/sanitizer.*; do
    [ -e "$log" ] || continue
    # A child of fork() that calls exit() makes LeakSanitizer miss a thread: that alone is no report.
    grep -v 'was not suspended. False leaks are possible' "$log" >&2 || continue
    echo "tests/run.sh: a sanitizer reported something: $log" >&2
    exit 1
done
