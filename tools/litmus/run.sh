#!/usr/bin/env bash
# Answers the kernel's own litmus tests and compares with what each says of itself: docs/litmus.md.
#
# usage: run.sh [--dir DIR] [--kmodcheck PROGRAM] [OUTPUT]
#
#   --dir        a directory that has tools/memory-model/litmus-tests and Documentation/litmus-tests;
#                without it Debian's package linux-source-6.12 is downloaded, and nothing of it is kept
#   --kmodcheck  the program; built with cargo unless given
#   OUTPUT       where the table goes: docs/litmus.md unless given
#
# Exit status: 0 as it must be; 1 not: what a test calls Never comes out, a DEADLOCK does not, or more than one
# file in ten is refused.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

dir= kmodcheck= package=linux-source-6.12
while [ $# -gt 0 ]; do
    case $1 in
    --dir) dir=${2:?--dir needs a directory}; shift 2 ;;
    --kmodcheck) kmodcheck=${2:?--kmodcheck needs a program}; shift 2 ;;
    -*) echo "$0: found $1, expected --dir or --kmodcheck" >&2; exit 2 ;;
    *) break ;;
    esac
done
output=${1:-$root/docs/litmus.md}

for tool in python3 tar; do
    command -v "$tool" >/dev/null || { echo "$0: needs $tool" >&2; exit 2; }
done
if [ -z "$kmodcheck" ]; then
    (cd "$root" && cargo build --release --quiet)
    kmodcheck=${CARGO_TARGET_DIR:-$root/target}/release/kmodcheck
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
origin=$dir
if [ -z "$dir" ]; then
    # apt-get download as root drops to a user of its own, who must be able to write here.
    chmod 755 "$scratch"
    mkdir -m 777 "$scratch/package"
    (cd "$scratch/package" && apt-get download --quiet --quiet "$package")
    deb=("$scratch/package"/*.deb)
    origin="Debian's $package $(dpkg-deb --field "${deb[0]}" Version)"
    dpkg-deb --fsys-tarfile "${deb[0]}" | tar -x -C "$scratch" --wildcards './usr/src/*.tar.xz'
    mkdir "$scratch/source"
    tar -xJf "$scratch"/usr/src/*.tar.xz -C "$scratch/source" --strip-components=1 --wildcards \
        '*/tools/memory-model/litmus-tests/*' '*/Documentation/litmus-tests/*'
    dir=$scratch/source
fi
for folder in tools/memory-model/litmus-tests Documentation/litmus-tests; do
    [ -d "$dir/$folder" ] || { echo "$0: found no $folder in $dir" >&2; exit 2; }
done

ORIGIN=$origin python3 "$here/table.py" "$kmodcheck" "$dir" "$output"
