#!/bin/sh
# README.md and the guides tell the truth in their shell listings, too: blocks, indented or fenced,
# whose first line begins with `$ `. The commands run in order, in a scratch folder per document
# that looks like a clone: folders, headers and Makefile are links into the tree, `build` is the
# build folder given, $HOME is inside, and the programs that tests/listings.sh extracted are there.
# Each must succeed and print the lines shown below it, where
#   - no line at all leaves the output open (a compiler's, say);
#   - a line `...` stands for any number of lines;
#   - timings are masked: in rows that begin with an epoch as 1/19, numbers that end below the words
#     `seconds  samples/s` at the end of a header;
#   - decimals agree to the last digit with gcc and glibc on x86-64 with AVX2 or AVX-512, which give
#     the numbers shown. Elsewhere they may differ by 0.002: without fused multiply-adds, or where
#     another compiler fuses others, training rounds differently.
# The figures in models/guide/ are those that README.md's commands draw: to the byte in the former
# case; in the latter except for decimals, since t-SNE amplifies a last digit.
# Skipped, with a message: commands with `sudo` or `make test`; with pkg-config where there is none;
# with ml-100k/ where `make ml-100k` has not been run; with a file that a skipped one would write.
set -eu
build=${1:?usage: tests/shell_listings.sh BUILD}
root=$(pwd)
build=$(cd "$build" && pwd)
out=$build/shell_listings
rm -rf "$out"
unset MFLAGS BUILD CFLAGS # those of the make that runs the tests
MAKEFLAGS=-j$(getconf _NPROCESSORS_ONLN)
export MAKEFLAGS

complain() {
    echo "tests/shell_listings.sh: $1" >&2
    exit 1
}

gives_the_numbers_shown() {
    case ${TAPEGRAD_KERNELS:-avx2} in avx2 | avx512) ;; *) return 1 ;; esac
    grep -qw avx2 /proc/cpuinfo && ${CC:-cc} -E - >/dev/null 2>&1 <<'C'
#include <features.h>
#if !defined __GLIBC__ || !defined __x86_64__ || defined __clang__
#error other rounding
#endif
C
}

split_into_commands() { # DOCUMENT FOLDER: n.command, and n.shown where lines stand below it
    awk -v folder="$2" '
        /^```/ {fenced = !fenced; listing = more = 0; next}
        {line = $0}
        !fenced && !sub(/^    /, "", line) {listing = 0; next}
        line ~ /^\$ / {
            listing = more = 1
            file = folder "/" (n += 1) ".command"
            line = substr(line, 3)
        }
        more {print line >file; more = line ~ /\\$/; next}
        listing {print line >(folder "/" n ".shown")}' "$1"
}

mask_timings() {
    awk '
        function mask(end) { # the number that ends in this column
            if (match(substr($0, 1, end), / +[0-9.]+$/) && substr($0, end + 1) ~ /^( |$)/)
                $0 = substr($0, 1, RSTART - 1) sprintf("%" RLENGTH "s", "#") substr($0, end + 1)
        }
        / seconds +samples\/s$/ {seconds = index($0, " seconds ") + 7; rate = length($0)}
        /^ *[0-9]+\/[0-9]+ / {mask(seconds); mask(rate)}
        {print}'
}

agree() { # SHOWN PRINTED TOLERANCE
    awk -v tolerance="$3" '
        function same(a, b,    x, y, i, n) {
            n = split(a, x)
            if (a == b || !tolerance || split(b, y) != n)
                return a == b
            for (i = 1; i <= n; i++)
                if (x[i] != y[i] && !(x[i] ~ decimal && y[i] ~ decimal &&
                                      x[i] - y[i] <= tolerance && y[i] - x[i] <= tolerance))
                    return 0
            return 1
        }
        function fits(i, j) { # lines shown from i on, lines printed from j on
            for (; i <= m && shown[i] != "..."; i++)
                if (j > n || !same(shown[i], printed[j++]))
                    return 0
            if (i > m)
                return j > n
            for (; j <= n + 1; j++)
                if (fits(i + 1, j))
                    return 1
            return 0
        }
        BEGIN {decimal = "^[-+]?[0-9]+[.][0-9]+$"}
        NR == FNR {shown[m += 1] = $0; next}
        {printed[n += 1] = $0}
        END {exit !fits(1, 1)}' "$1" "$2"
}

make_clone() { # FOLDER DOCUMENT
    mkdir -p "$1/home"
    for entry in "$root"/*/ "$root"/*.h "$root"/Makefile; do
        ln -s "${entry%/}" "$1"
    done
    rm -f "$1/build"
    ln -s "$build" "$1/build"
    find "$build"/listings/"$2"-* -name '*.c' -exec cp {} "$1" \;
}

why_not() { # COMMAND: why it cannot run, or nothing
    case $1 in
    *'sudo '*) echo 'needs to be root' ;;
    *'make test'*) echo 'runs this test' ;;
    *'pkg-config '*) command -v pkg-config >/dev/null || echo 'there is no pkg-config' ;;
    *ml-100k/*) [ -d ml-100k ] || echo 'make ml-100k has not been run' ;;
    *) for file in $missing; do
        case "$1 " in *[\ /]"$file "*) echo "there is no $file" && break ;; esac
    done ;;
    esac
}

written_by() { # FILE with a command
    sed -n 's/.* -o \([^ ]*\).*/\1/p; s/.* --save \([^ ]*\).*/\1/p' "$1"
}

run_commands() { # DOCUMENT FOLDER, in the clone
    HOME=$(pwd)/home
    # shellcheck disable=SC2317 # the commands call them
    cc() { command ${CC:-cc} "$@"; }
    # shellcheck disable=SC2317
    make() { command ${MAKE:-make} "$@"; }
    missing=
    n=0
    while n=$((n + 1)) && [ -e "$2/$n.command" ]; do
        command=$(cat "$2/$n.command")
        reason=$(why_not "$command")
        if [ "$reason" ]; then
            echo "tests/shell_listings.sh: skipped, $reason: $(head -1 "$2/$n.command")"
            missing="$missing $(written_by "$2/$n.command")"
            continue
        fi
        eval "$command" >"$2/$n.printed" 2>&1 </dev/null || {
            status=$?
            cat "$2/$n.printed" >&2
            complain "$1: status $status: $command"
        }
        [ -e "$2/$n.shown" ] || continue
        mask_timings <"$2/$n.shown" >"$2/shown"
        mask_timings <"$2/$n.printed" >"$2/printed"
        agree "$2/shown" "$2/printed" "$tolerance" || {
            diff -u "$2/shown" "$2/printed" >&2 || true
            complain "$1 does not show what is printed ($2/$n.printed): $command"
        }
    done
}

tolerance=
gives_the_numbers_shown || {
    tolerance=0.002
    echo "tests/shell_listings.sh: not gcc, glibc and AVX2: decimals may differ by $tolerance"
}

for document in README.md models/guide/*.md; do
    name=$(basename "$document" .md)
    mkdir -p "$out/$name"
    split_into_commands "$document" "$out/$name"
    found=$(find "$out/$name" -name '*.command' | wc -l)
    [ "$found" -eq "$(grep -c '^ *\$ ' "$document")" ] ||
        complain "$document: $found commands found; each begins a line of a listing with '\$ '"
    case $found,$name in
    0,README | 0,use-it) complain "$document shows no command" ;;
    0,*) continue ;;
    esac
    make_clone "$out/$name/clone" "$name"
    (cd "$out/$name/clone" && run_commands "$document" "$out/$name")
done

for figure in models/guide/*.svg; do
    drawn=$out/README/clone/${figure##*/}
    if [ "$tolerance" ]; then
        sed 's/[0-9]*\.[0-9][0-9]*/#/g' "$figure" >"$out/figure"
        sed 's/[0-9]*\.[0-9][0-9]*/#/g' "$drawn" | cmp "$out/figure" -
    else
        cmp "$figure" "$drawn"
    fi || complain "$figure is not what README.md's commands draw: $drawn"
done
