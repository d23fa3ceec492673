#!/bin/sh
# Has the library become slower? Counts the instructions of fixed pieces of work under callgrind and
# compares them with bench/instructions.txt: no clock, so no noise. With the portable kernels, for
# valgrind takes fused multiply-adds apart.
#
#   bench/instructions.sh RUN-BENCH            fail where one takes over 2 % more than recorded
#   bench/instructions.sh RUN-BENCH --record   write down what they take now
set -eu
bench=${1:?usage: bench/instructions.sh RUN-BENCH [--record]}
record=bench/instructions.txt
TAPEGRAD_KERNELS=portable
export TAPEGRAD_KERNELS
skip() { echo "bench/instructions.sh: skipped: $*"; exit 0; }
command -v valgrind >/dev/null || skip "there is no valgrind"
compiler=$(${CC:-cc} --version | head -n 1)
recorded=$(sed -n "s/^# //p" $record 2>/dev/null || true)
[ "${2:-}" = --record ] || [ "$compiler" = "$recorded" ] ||
    skip "recorded with $recorded, this is $compiler"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "# $compiler" >"$folder/now"
for work in engine train train-sparse score; do
    valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect=counted \
        "$bench" count $work >"$folder/log" 2>&1
    echo "$work $(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$folder/log")" >>"$folder/now"
done
if [ "${2:-}" = --record ]; then
    mv "$folder/now" $record
    cat $record
    exit 0
fi
awk 'NR == FNR {before[$1] = $2; next}
     $1 == "#" {next}
     {change = 100 * ($2 / before[$1] - 1)
      printf "%-14s %12d instructions, recorded %12d: %+.2f %%\n", $1, $2, before[$1], change
      if (!(change <= 2)) failed = 1}
     END {exit failed}' $record "$folder/now" || {
    echo "bench/instructions.sh: more instructions than recorded; if there is a reason, record again" >&2
    exit 1
}
