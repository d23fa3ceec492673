#!/bin/sh
# Fetch MovieLens 100K from its publisher into ./ml-100k and check it. Needs a network, unzip, and
# curl or wget. The licence forbids passing the data on: see ml-100k/README.
set -eu
url=https://files.grouplens.org/datasets/movielens/ml-100k.zip
md5=0e33842e24a9c977be4e0107933c0723 # as published beside the archive

if [ -e ml-100k ]; then
    echo "ml-100k is already here"
    exit 0
fi
archive=$(mktemp)
trap 'rm -f "$archive"' EXIT
if command -v curl >/dev/null; then
    curl -fsSL -o "$archive" "$url"
else
    wget -qO "$archive" "$url"
fi
got=$(md5sum "$archive" | cut -d' ' -f1)
if [ "$got" != "$md5" ]; then
    echo "fetch-ml-100k: checksum $got of $url; expected $md5" >&2
    exit 1
fi
unzip -q "$archive"
echo "ml-100k: $(wc -l <ml-100k/u.data) ratings in ml-100k/u.data, splits in ml-100k/u1.base and u1.test"
