#!/bin/sh
# The Makefile in a source tree of a few lines: what it builds again when the compiler or flags
# change, that it leaves all else alone, and what it says where there is no Criterion.
set -eu
unset MAKEFLAGS MFLAGS BUILD SANITIZE V CPPFLAGS CFLAGS LDFLAGS # of the make that runs the tests
cc=${CC:-cc}
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cp Makefile "$tree"
cd "$tree"

mkdir -p models/cli tensor/kernels data optim nn autograd
for source in models/a data/b optim/c nn/d autograd/e tensor/f tensor/kernels/g; do
    name=$(basename $source)
    echo "extern int $name; int $name = 1;" >$source.c
done
cat >models/cli/main.c <<'END'
#include <stdio.h>

#ifndef SAYS
#define SAYS "nothing"
#endif
int main(void) { return puts(SAYS) < 0; }
END
echo '#define TG_VERSION "0.0.0"' >tapegrad.h
cat >compiler <<END
#!/bin/sh
[ "\$1" != --version ] || exec cat version
exec $cc "\$@"
END
chmod +x compiler
cp compiler namesake
echo 'compiler 1' >version

complain() {
    printf 'tests/rebuild.sh: %s\n' "$1" >&2
    cat said >&2
    exit 1
}

run_make() {
    "${MAKE:-make}" --no-print-directory -j2 CC=./compiler "$@" >said 2>&1
}

# builds STEPS ARGUMENT...: make, with the arguments, takes steps of these kinds and of no other
builds() {
    expected=$1
    shift
    run_make "$@" || complain "make $* fails"
    steps=$(awk '/^  / {print $1}' said | sort -u | paste -s -d ' ' -)
    [ "$steps" = "$expected" ] || complain "make $*: steps '$steps'; expected '$expected'"
}

# says TEXT: ./ncf does
says() {
    text=$(./ncf)
    [ "$text" = "$1" ] || complain "./ncf says '$text'; expected '$1'"
}

builds 'AR CC LINK' ncf
builds '' ncf
[ ! -s said ] || complain 'make ncf prints something where nothing is to do'
builds 'AR CC LINK' ncf CFLAGS=-O0
builds 'AR CC LINK' ncf CFLAGS=-O0 CPPFLAGS=-DNDEBUG
builds '' ncf CFLAGS=-O0 CPPFLAGS=-DNDEBUG
builds 'AR CC LINK' ncf CC=./namesake
builds 'AR CC LINK' ncf
echo 'compiler 2' >version
builds 'AR CC LINK' ncf
sed 's/^FLAGS_kernels :=/& -DNDEBUG/' Makefile >edited && mv edited Makefile
builds 'AR CC LINK' ncf

# What only linking depends on compiles nothing.
builds LINK ncf LDFLAGS=-L.
builds 'CC LINK' build/libtapegrad.so LDFLAGS=-L.
builds LINK build/libtapegrad.so LDFLAGS=-Ltensor
builds 'CC LINK' build/libtapegrad.so LDFLAGS=-Ltensor CFLAGS=-O0

# A kernel's own flags change nothing for the other objects, whichever is built first.
builds CC build/tensor/kernels/g.o CFLAGS=-O1
builds 'AR CC LINK' ncf CFLAGS=-O1
builds '' build/tensor/kernels/g.o CFLAGS=-O1

# -q and -n answer for the flags given, and leave the stamps alone.
run_make -q build/ncf CFLAGS=-O1 || complain 'make -q build/ncf: not up to date'
! run_make -q build/ncf CFLAGS=-O2 || complain 'make -q build/ncf CFLAGS=-O2: up to date'
builds '' ncf CFLAGS=-O1

# Quotes and spaces survive.
builds 'AR CC LINK' ncf CFLAGS="-DSAYS='\"two words\"'"
builds '' ncf CFLAGS="-DSAYS='\"two words\"'"
says 'two words'
builds 'AR CC LINK' ncf CFLAGS="-DSAYS='\"two  words\"'"
says 'two  words'

# ./ncf is the program of the BUILD asked for, also where that is the older one.
builds 'AR CC LINK' ncf BUILD=other CFLAGS="-DSAYS='\"other\"'"
says other
builds '' ncf CFLAGS="-DSAYS='\"two  words\"'"
says 'two  words'

# Without Criterion nothing is compiled; with its header in a folder of its own the tests would be.
for goal in test coverage fresh/run-tests; do
    ! run_make $goal BUILD=fresh CC="$cc -nostdinc" || complain "make $goal: no error"
    awk '/libcriterion-dev/ {n++} END {exit !(n == 1 && NR == 1)}' said ||
        complain "make $goal: expected one line that names libcriterion-dev"
    [ ! -e fresh ] || complain "make $goal: something was built"
done
mkdir -p elsewhere/criterion
: >elsewhere/criterion/criterion.h
run_make -n fresh/run-tests BUILD=fresh CC="$cc -nostdinc" CPPFLAGS=-Ielsewhere ||
    complain 'make fresh/run-tests CPPFLAGS=-Ielsewhere: Criterion is not found there'
