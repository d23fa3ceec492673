#!/bin/sh
# Install into the build folder given, then build programs outside the tree with nothing but what
# pkg-config says: README's and those of use-it.md, shared and static, and in C++.
set -eu
build=${1:?usage: tests/install.sh BUILD}
for tool in pkg-config "${CXX:-c++}"; do
    command -v "$tool" >/dev/null || { echo "tests/install.sh: skipped, there is no $tool"; exit 0; }
done
mkdir -p "$build/installed"
prefix=$(cd "$build/installed" && pwd)
${MAKE:-make} -s install PREFIX="$prefix" BUILD="$build" CC="${CC:-cc}" >/dev/null
exported=$(nm -D --defined-only "$prefix/lib/libtapegrad.so" | awk '$3 !~ /^tg_/ {print $3}')
[ -z "$exported" ] || { echo "tests/install.sh: exported beside tg_: $exported" >&2; exit 1; }

outside=$(mktemp -d)
trap 'rm -rf "$outside"' EXIT
cp -r "$build"/listings/README-1 "$build"/listings/use-it-* tests/install/user.cc "$outside"
cd "$outside"
PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib
export PKG_CONFIG_PATH LD_LIBRARY_PATH
# shellcheck disable=SC2046 # lists of flags
for folder in README-1 use-it-*; do (
    cd "$folder"
    source=$(ls -- *.c*)
    case $source in
    *.cc) ${CXX:-c++} -std=c++20 "$source" $(pkg-config --cflags --libs tapegrad) -o shared ;;
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
${CXX:-c++} -std=c++20 user.cc $(pkg-config --cflags --libs tapegrad) -o user
./user >/dev/null
