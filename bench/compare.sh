#!/bin/sh
# Training and scoring of NCF here and in PyTorch, in turn, three times; medians and their ratio.
set -eu
bench=${1:?usage: bench/compare.sh RUN-BENCH}
python=${PYTHON:-python3}
if ! "$python" -c 'import torch' 2>/dev/null; then
    echo "bench/compare.sh: $python has no module torch (Debian: python3-torch; or set PYTHON)" >&2
    exit 1
fi

# glibc gives large blocks back to the system and faults them in again, which costs PyTorch up to half
# of its speed at this job. It need not be so: the ratios are to PyTorch with blocks kept; beside it
# stand PyTorch as it comes and, where it has that, its best: blocks kept and Adam(fused=True).
keeping='MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=1000000000 MALLOC_TOP_PAD_=100000000'
make_fused='import torch; torch.optim.Adam([torch.zeros(1, requires_grad=True)], fused=True)'
fused=
if "$python" -c "$make_fused" 2>/dev/null; then fused=--fused; fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
median() { sed 's/.*: \([0-9]*\) .*/\1/' "$1" | sort -n | sed -n 2p; }
ours() { "$bench" "$@" >>"$folder/ours"; }
theirs() {
    # shellcheck disable=SC2086 # several settings
    env $keeping "$python" bench/pytorch_ncf.py "$@" >>"$folder/theirs"
    "$python" bench/pytorch_ncf.py "$@" >>"$folder/plain"
    # shellcheck disable=SC2086
    [ "$1" = --score ] || [ -z "$fused" ] ||
        env $keeping "$python" bench/pytorch_ncf.py $fused "$@" >>"$folder/best"
}
report() { # what was run
    best=0
    [ ! -e "$folder/best" ] || best=$(median "$folder/best")
    echo "$(median "$folder/ours") $(median "$folder/theirs") $(median "$folder/plain") $best" |
        awk -v what="$1" -v unit="$2" '{
            printf "%s: tapegrad %d, pytorch %d %s, ratio %.1f (as it comes %d, %.1f",
                   what, $1, $2, unit, $1 / $2, $3, $1 / $3
            if ($4)
                printf "; fused %d, %.1f", $4, $1 / $4
            print ")" }'
    rm -f "$folder"/*
}

for threads in 1 2; do
    for optimizer in adam sparse-adam; do
        for round in 1 2 3; do
            ours train --optimizer $optimizer --threads $threads
            theirs --optimizer $optimizer --threads $threads
        done
        report "training, $optimizer, threads $threads" samples/s
    done
done
for round in 1 2 3; do
    ours score
    theirs --score
done
report 'scoring, 1 thread' pairs/s
