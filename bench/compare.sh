#!/bin/sh
# The training of NCF here and in PyTorch, in turn, five times; medians and their ratio.
set -eu
bench=${1:?usage: bench/compare.sh RUN-BENCH}
python=${PYTHON:-python3}
if ! "$python" -c 'import torch' 2>/dev/null; then
    echo "bench/compare.sh: $python has no module torch (Debian: python3-torch; or set PYTHON)" >&2
    exit 1
fi

# glibc gives large blocks back to the system and faults them in again, which halves PyTorch's speed
# at this job. It need not be so: the comparison is with PyTorch at its best.
export MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=1000000000 \
       MALLOC_TOP_PAD_=100000000

rates() { sed 's/.*: \([0-9]*\) samples.*/\1/' "$1" | sort -n; }
median() { rates "$1" | sed -n 3p; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
compare() { # options of both programs
    rm -f "$folder"/*
    for round in 1 2 3 4 5; do
        "$bench" train "$@" >>"$folder/ours"
        "$python" bench/pytorch_ncf.py "$@" >>"$folder/theirs"
    done
    ours=$(median "$folder/ours") theirs=$(median "$folder/theirs")
    echo "$(sed -n '1s/^tapegrad \(.*\): .*/\1/p' "$folder/ours"):" \
         "tapegrad $ours, pytorch $theirs samples/s, ratio $(echo "$ours $theirs" |
         awk '{printf "%.1f", $1 / $2}')"
}
compare --threads 1
compare --threads 2
compare --threads 1 --sparse
