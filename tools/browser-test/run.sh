#!/usr/bin/env bash
# Steps through the report and the server's page in a real headless Chromium, checks what they show,
# and takes the screenshots of the documentation. Needs chromium, node and npm; a missing one is a failure.
#
#   tools/browser-test/run.sh                 checks; screenshots go to a temporary directory
#   tools/browser-test/run.sh --update        writes them to docs/img
#
# KMODCHECK: the command to test, target/release/kmodcheck unless told. CHROMIUM: the browser.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
kmodcheck=${KMODCHECK:-$root/target/release/kmodcheck}
chromium=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || true)}
for tool in node npm; do
    command -v "$tool" >/dev/null || { echo "$0: $tool is needed" >&2; exit 1; }
done
[ -x "$chromium" ] || { echo "$0: chromium is needed (apt-get install chromium)" >&2; exit 1; }
[ -x "$kmodcheck" ] || { echo "$0: $kmodcheck is needed (cargo build --release)" >&2; exit 1; }

work=$(mktemp -d)
server=
finish() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap finish EXIT
images=$work/img
if [ "${1:-}" = --update ]; then images=$root/docs/img; fi
mkdir -p "$images"

(cd "$here" && npm ci --no-audit --no-fund --silent)
cd "$root"
"$kmodcheck" report --out "$work/report.html"
# Of one system: 1 says that something is violated.
page() {
    local name=$1
    shift
    "$kmodcheck" report "$@" --out "$work/$name.html" || [ $? -eq 1 ]
}
page race race
"$kmodcheck" new "$work/hang.toml" --kind hang
page hang "$work/hang.toml"
page patch --env fail --naming plain --kernel v5.11 --kmod v30 --patch docs/patches/0254127ab977.diff
page large --env ok --callers 4
"$kmodcheck" serve race --port 0 >"$work/serve.txt" &
server=$!
for _ in $(seq 100); do
    url=$(sed -n 's|^\(http://[^ ]*\).*|\1|p' "$work/serve.txt")
    [ -n "$url" ] && break
    sleep 0.1
done
[ -n "$url" ] || { echo "$0: the server did not start" >&2; exit 1; }
CHROMIUM=$chromium KMODCHECK=$kmodcheck timeout 300 node "$here/test.mjs" "$work/report.html" "$url" "$images" "$work/profile"
