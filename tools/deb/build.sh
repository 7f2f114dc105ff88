#!/usr/bin/env bash
# Makes kmodcheck_VERSION_ARCH.deb: the command, its manual pages, completions for bash, zsh and fish, and docs.
# With --try it is installed in a clean Debian root and run there (as root; debootstrap fetches the root).
#
#   tools/deb/build.sh [--try]
set -euo pipefail
cd "$(dirname "$0")/../.."

try=
case "${1-}" in
'') ;;
--try) try=1 ;;
*)
    echo "tools/deb/build.sh: found '$1', expected --try or nothing" >&2
    exit 2
    ;;
esac

target=${CARGO_TARGET_DIR:-target}
if ! cargo deb --version >/dev/null 2>&1; then
    cargo install --locked --quiet cargo-deb
fi
cargo build --release --locked --quiet --package kmodcheck

# cargo-deb takes these from here: see package.metadata.deb in cli/Cargo.toml.
assets=target/deb-assets
rm -rf "$assets"
mkdir -p "$assets/man"
"$target/release/kmodcheck" man "$assets/man"
gzip -9n "$assets"/man/*
for shell in bash zsh fish; do
    "$target/release/kmodcheck" completions "$shell" >"$assets/kmodcheck.$shell"
done

cargo deb --quiet --no-build --package kmodcheck --output "$target/kmodcheck.deb"
dpkg-deb --info "$target/kmodcheck.deb" | sed -n 's/^ \(Package\|Version\|Depends\|Installed-Size\):/\1:/p'
echo "$target/kmodcheck.deb"

[ -n "$try" ] || exit 0
if ! command -v debootstrap >/dev/null; then
    apt-get install -y -qq debootstrap >/dev/null
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
debootstrap --variant=minbase "$suite" "$root" >"$root.log" 2>&1 || {
    tail -n 5 "$root.log" >&2
    exit 1
}
rm -f "$root.log"
cp "$target/kmodcheck.deb" "$root/"

# What a user does first. A root without man-db strips documentation only where it is told to, so what is
# looked for is there.
chroot "$root" sh -euc '
    apt-get install -y -qq --no-install-recommends /kmodcheck.deb >/dev/null
    kmodcheck --version
    kmodcheck >/dev/null
    cd /tmp
    kmodcheck new my.toml
    kmodcheck check my.toml >/dev/null && found=0 || found=$?
    [ "$found" = 0 ] || [ "$found" = 1 ]
    for file in man/man1/kmodcheck.1.gz man/man1/kmodcheck-check.1.gz zsh/vendor-completions/_kmodcheck \
        bash-completion/completions/kmodcheck fish/vendor_completions.d/kmodcheck.fish
    do
        test -s "/usr/share/$file"
    done
    apt-get remove -y -qq kmodcheck >/dev/null
    test ! -e /usr/bin/kmodcheck
    test ! -e /usr/share/man/man1/kmodcheck.1.gz
' 2>"$root/errors" || {
    cat "$root/errors" >&2
    exit 1
}
echo "installed, run and removed in a clean Debian $suite"
