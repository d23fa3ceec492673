#!/bin/sh
# make exercise says what is missing in the file as it comes, takes the solution, and finds what is
# wrong with solutions that are nearly right.
set -eu
build=${1:?usage: tests/exercise.sh BUILD}
file=models/exercise/my_simplecf.c
libraries=
for floor in models data optim nn autograd tensor; do
    libraries="$libraries $build/lib$floor.a"
done

# fails PROGRAM LINE: it ends with status 1 and says so
fails() {
    status=0
    said=$("$1") || status=$?
    if [ $status -ne 1 ] || ! printf '%s\n' "$said" | grep -qF -- "$2"; then
        printf 'tests/exercise.sh: status %d; expected 1 and "%s" in:\n%s\n' \
            $status "$2" "$said" >&2
        exit 1
    fi
}

# solve SED-SCRIPT: the reference's code under the exercise's name, edited
solve() {
    sed '/^void simplecf_halves/,$d
         s|models/simplecf.h|models/exercise/my_simplecf.h|
         s|simplecf_|my_simplecf_|g
         s|simplecf \*|my_simplecf *|g
         s|(simplecf)|(my_simplecf)|
         s|model_options o|int64_t output_dim, double dropout|
         s|o\.factors|output_dim|
         s|o\.dropout|dropout|' models/simplecf.c >"$build/reference_solution.c"
    sed "$1" "$build/reference_solution.c" >"$build/solution.c"
    if [ -n "$1" ] && cmp -s "$build/reference_solution.c" "$build/solution.c"; then
        echo "tests/exercise.sh: nothing to edit for $1" >&2
        exit 1
    fi
    # shellcheck disable=SC2086 # a list of files, and of flags
    ${CC:-cc} -std=c11 ${CFLAGS:-} -I. -o "$build/solution" "$build/solution.c" \
        "$build/models/exercise/check.o" $libraries -lm -pthread
}

if grep -q 'Your code here' $file; then
    fails "$build/exercise" 'not yet'
    fails "$build/exercise" 'my_simplecf_new: there is no parameter item_emb.weight [6, 16]'
else
    echo "tests/exercise.sh: $file has been worked on; checked is the solution alone"
fi

solve ''
"$build/solution" | grep -q '^It works'

solve '/^tg_tensor/,$ s|^{|{ return tg_misuse(TG_HERE, "my_simplecf_forward", "not written yet");|'
fails "$build/solution" 'my_simplecf_forward: not written yet'
solve 's|"linear_2"|"linear2"|'
fails "$build/solution" 'there is no parameter linear_2.weight [8, 16]'
solve 's|(8 \* d, 4 \* d)|(8 * d, 2 * d)|'
fails "$build/solution" 'linear_1.weight is [8, 32] of 7 users, 6 items and output_dim 4; [16, 32]'
solve 's|return tg_view(\(.*\), -1);|return \1;|'
fails "$build/solution" 'gave [12, 1] of a batch of 12; [12] expected'
solve 's|tg_cat(-1, u, i)|tg_cat(-1, i, u)|'
fails "$build/solution" 'expected: users before items'
solve 's|tg_dropout(x, m->dropout, tg_training(m))|tg_dropout(x, m->dropout, true)|'
fails "$build/solution" 'no dropout'
solve 's|tg_training(m)|false|'
fails "$build/solution" 'after each relu'
solve 's|tg_cat(-1, u, i)|tg_cat(-1, tg_detach(u), i)|'
fails "$build/solution" 'user_emb.weight has no gradient'
