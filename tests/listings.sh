#!/bin/sh
# README.md and the guides tell the truth. Of what they show,
#   - a ```c block that begins with the name of a file of the tree, /* autograd/views.c */, stands
#     in that file word for word;
#   - every other one is a program: it compiles against the libraries of the build folder given,
#     runs, and prints the ```text block after it, where there is one;
#   - every call in a table's column `tapegrad` compiles and links.
# BUILD/listings/DOCUMENT-n holds block n: the source, under the name that its first line gives or
# as main.c (main.cc: tests/install.sh builds those), and `expected`.
# tests/shell_listings.sh runs the shell commands.
set -eu
build=${1:?usage: tests/listings.sh BUILD}
root=$(pwd)
out=$build/listings
rm -rf "$out"
libraries=
for floor in models data optim nn autograd tensor; do
    libraries="$libraries $root/$build/lib$floor.a"
done

complain() {
    echo "tests/listings.sh: $1" >&2
    exit 1
}

compile() { # FOLDER SOURCE [FLAGS], in the folder, so that messages give the plain file name
    # shellcheck disable=SC2086 # lists of files and flags
    (cd "$1" && ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror ${CFLAGS:-} ${3:-} \
        -I"$root" -o program "$2" $libraries -lm -pthread) || complain "$1/$2 does not compile"
}

split_into_blocks() { # DOCUMENT.md PREFIX
    awk -v prefix="$2" '
        function start(name) {
            folder = prefix (n += 1)
            system("mkdir -p " folder)
            file = folder "/" name
        }
        /^```/ && file {close(file); file = ""; next}
        /^```c$/ {start("block.c"); program = 1; next}
        /^```cpp$/ {start("main.cc"); program = 1; next}
        /^```text$/ && program {file = folder "/expected"; program = 0; next}
        /^```/ {file = "/dev/null"; next}
        file {print >file}' "$1"
}

stands_in() { # PART FILE: the part without its first line
    awk 'NR == FNR {if (FNR > 1) part[++n] = $0; next}
         {line[++m] = $0}
         END {for (i = 0; i + n <= m; i++) {
                  for (k = 1; k <= n && line[i + k] == part[k]; k++);
                  if (k > n) exit 0
              }
              exit 1}' "$1" "$2"
}

for document in README.md models/guide/*.md; do
    prefix=$out/$(basename "$document" .md)-
    split_into_blocks "$document" "$prefix"
    [ -d "${prefix}1" ] || complain "$document shows no program"
done

for block in "$out"/*/block.c; do
    folder=$(dirname "$block")
    file=$(sed -n '1s|^/\* \([a-z_/]*\.[a-z]*\)[ :].*|\1|p' "$block")
    case $file in
    */*)
        stands_in "$block" "$file" || complain "$file has no such lines any more: $block"
        continue
        ;;
    esac
    file=${file:-main.c}
    mv "$block" "$folder/$file"
    compile "$folder" "$file"
    (cd "$folder" && ./program >printed) || complain "$folder/$file: status $?"
    [ ! -e "$folder/expected" ] || diff "$folder/expected" "$folder/printed" ||
        complain "$folder/$file does not print what is shown"
done

mkdir "$out/tables"
{
    cat <<'END' # what the names in the tables stand for
#include "tapegrad.h"
typedef struct net { tg_module base; tg_linear_layer *hidden; tg_tensor *scale; double p; } net;
static void print_kind(tg_module *m, void *context) { (void)m, (void)context; }
static tg_tensor *halve(void *context, tg_tensor *g) { (void)context; return g; }
void calls(tg_tensor *x, tg_tensor *y, tg_tensor *a, tg_tensor *b, tg_tensor *w, tg_tensor *index,
           tg_tensor *loss, tg_tensor *dx, tg_tensor *part[], net *m, tg_sequential *s,
           tg_optimizer *opt, tg_plateau *plateau, tg_state_dict state, tg_dataset data,
           tg_dataset seen, tg_dataset unseen, tg_loader *loader, tg_ids users, tg_ids items,
           tg_gradcheck_function function, const float *values, int64_t step, int64_t steps)
{
END
    awk -F'|' '/^\| PyTorch \| tapegrad \|/ {table = 1}
               !/^\|/ {table = 0}
               table && split($3, cell, "`") >= 3 {print "    { " cell[2] "; }"}' models/guide/*.md
    printf '}\nint main(void) { return 0; }\n'
} >"$out/tables/main.c"
[ "$(grep -c '^    {' "$out/tables/main.c")" -gt 20 ] || complain "no calls in the tables"
compile "$out/tables" main.c '-Wno-unused -Wno-missing-prototypes'
