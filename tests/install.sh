#!/bin/sh
# Install into the build folder given, then build programs outside the tree with nothing but what
# pkg-config says: README's and those of use-it.md, shared and static, and in C++. Before that,
# install and uninstall below DESTDIR, under a PREFIX with a space.
set -eu
build=${1:?usage: tests/install.sh BUILD}
for tool in pkg-config "${CXX:-c++}"; do
    command -v "$tool" >/dev/null || { echo "tests/install.sh: skipped, there is no $tool"; exit 0; }
done
outside=$(mktemp -d)
trap 'rm -rf "$outside"' EXIT

complain() {
    echo "tests/install.sh: $1" >&2
    exit 1
}

run_make() {
    "${MAKE:-make}" -s BUILD="$build" CC="${CC:-cc}" "$@" >/dev/null
}

stage() { # GOAL
    run_make "$1" DESTDIR="$outside/stage" PREFIX='/opt/a prefix'
}
staged="$outside/stage/opt/a prefix"
stage install
"$staged/bin/ncf" --version >/dev/null || complain 'the installed ncf does not run'
flags=$(PKG_CONFIG_PATH="$staged/lib/pkgconfig" pkg-config --cflags-only-I tapegrad)
eval "set -- $flags"
[ "$1" = '-I/opt/a prefix/include/tapegrad' ] || complain "pkg-config --cflags-only-I: $flags"
foreign="$staged/include/tapegrad/tensor/foreign.h"
touch "$foreign"
stage uninstall
left=$(find "$outside/stage" ! -type d)
[ "$left" = "$foreign" ] || complain "make uninstall left '$left'; expected '$foreign' alone"
rm "$foreign"
stage install
stage uninstall
[ ! -e "$staged/include/tapegrad" ] || complain "make uninstall left the folder of its headers"

mkdir -p "$build/installed"
prefix=$(cd "$build/installed" && pwd)
run_make install PREFIX="$prefix"
exported=$(nm -D --defined-only "$prefix/lib/libtapegrad.so" | awk '$3 !~ /^tg_/ {print $3}')
[ -z "$exported" ] || complain "exported beside tg_: $exported"

cp -r "$build"/listings/README-1 "$build"/listings/use-it-* tests/install/user.cc "$outside"
cd "$outside"
PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib
export PKG_CONFIG_PATH LD_LIBRARY_PATH
# shellcheck disable=SC2046 # lists of flags
for folder in README-1 use-it-*; do (
    cd "$folder"
    source=$(ls -- *.c*)
    case $source in
    *.cc) ${CXX:-c++} -std=c++17 "$source" $(pkg-config --cflags --libs tapegrad) -o shared ;;
    *)
        ${CC:-cc} -std=c11 "$source" $(pkg-config --cflags --libs tapegrad) -o shared
        ${CC:-cc} -std=c11 "$source" $(pkg-config --cflags tapegrad) "$prefix/lib/libtapegrad.a" \
            $(pkg-config --static --libs-only-other tapegrad) -lm -o static
        ./static | diff expected -
        ;;
    esac
    ldd shared | grep -q libtapegrad.so.0
    ./shared | diff expected -
) done
# shellcheck disable=SC2046 # a list of flags
${CXX:-c++} -std=c++17 -Wall -Wextra -Wpedantic -Wshadow -Werror user.cc \
    $(pkg-config --cflags --libs tapegrad) -o user
./user >/dev/null

# tg_from knows the type of an array, and takes no other than it can convert.
takes() { # COMPILER TYPE
    printf '#include "tapegrad.h"\ntg_tensor *f(%s *x) { return tg_from(TG_F32, x, 2); }\n' "$2" >f.c
    # shellcheck disable=SC2046,SC2086 # lists of flags
    $1 -fsyntax-only $(pkg-config --cflags tapegrad) f.c 2>refusal
}
for compiler in "${CC:-cc} -std=c11 -pedantic-errors" "${CXX:-c++} -std=c++20 -x c++"; do
    for type in float 'const double' int long 'long long' 'const void'; do
        takes "$compiler" "$type" || complain "$compiler refuses tg_from of $type: $(cat refusal)"
    done
    for type in unsigned char 'long double' 'float *' int8_t; do
        ! takes "$compiler" "$type" || complain "$compiler takes tg_from of $type"
    done
done
