#!/bin/sh
# Fail where a file includes a header of a higher floor, or where two files share a name.
set -eu
status=0

# floor: the folders that its files may include
check() {
    floor=$1 allowed=$2
    bad=$(grep -rnE '^#include "(tensor|autograd|nn|optim|data|models)/' "$floor" |
          grep -vE "#include \"($allowed)/" || true)
    if [ -n "$bad" ]; then
        echo "floors: $floor may include $allowed only:" >&2
        echo "$bad" >&2
        status=1
    fi
}
check tensor 'tensor'
check autograd 'tensor|autograd'
check nn 'tensor|autograd|nn'
check optim 'tensor|autograd|nn|optim'
check data 'tensor|autograd|nn|data'

# Models and programs use the library as a user's would.
bad=$(grep -rnE '^#include "' models | grep -vE '"(tapegrad\.h|models/([a-z]+/)?[a-z_]+\.h)"' || true)
if [ -n "$bad" ]; then
    echo "floors: models may include tapegrad.h and models/ only:" >&2
    echo "$bad" >&2
    status=1
fi

same=$(find tensor autograd nn optim data models tests bench -type f -name '*.[ch]' |
       sed 's|.*/||' | sort | uniq -d)
if [ -n "$same" ]; then
    echo "floors: file names that occur twice: $same" >&2
    status=1
fi
exit $status
