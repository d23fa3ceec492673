#!/bin/sh
# The program in README.md does what README.md says: compile it against the libraries of the build
# folder given, run it, and compare its output with the block that follows.
set -eu
build=${1:?usage: tests/readme.sh BUILD}
block() { # the first block of this kind
    awk -v open="\`\`\`$1" '$0 == "```" && on {exit} on {print} $0 == open {on = 1}' README.md
}
block c >"$build/readme.c"
block text >"$build/readme.expected"
[ -s "$build/readme.c" ] && [ -s "$build/readme.expected" ]
libraries=
for floor in models data optim nn autograd tensor; do
    libraries="$libraries $build/lib$floor.a"
done
# shellcheck disable=SC2086 # a list of files, and of flags
${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror ${CFLAGS:-} -I. -o "$build/readme" \
    "$build/readme.c" $libraries -lm -pthread
"$build/readme" >"$build/readme.out"
diff "$build/readme.expected" "$build/readme.out"
