#!/bin/sh
# The machine: is there what Gennaker is set up with? As root on Debian it installs what is missing; else it says what to do.
#
#   setup/machine.sh          Python, its venv module and git
#   setup/machine.sh tests    also the Debian packages that tests need (as root on Debian; an ordinary user's tests do without)
#   setup/machine.sh cluster  also those of a Kubernetes node with real pods (as root on Debian)
#
# Needs nothing but a POSIX shell: it is the first thing that runs on a bare machine.
set -eu
here=$(dirname "$0")
python=${PYTHON:-python3}
missing=

need() { missing="$missing${missing:+ }$1"; }

fail() {
    echo "$1" >&2
    exit 1
}

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

has_package() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed'; }

install_missing() {
    echo "Installing Debian packages: $missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || fail "apt-get update failed; Gennaker needs the Debian packages $missing."
    # Word splitting is meant: one package a word.
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
        fail "apt-get could not install $missing: run 'apt-get install $missing' to see why."
}

command -v "$python" >/dev/null 2>&1 || need python3
if [ -z "$missing" ]; then
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "Gennaker needs Python 3.11 or newer, but '$python' is $("$python" -V 2>&1); name another: make PYTHON=/path/to/python3.11."
fi
# A virtual environment that works has no more need of what made it.
if ! "$here/../.venv/bin/python" -c 'import pip' 2>/dev/null; then
    { [ -z "$missing" ] && "$python" -c 'import ensurepip, venv' 2>/dev/null; } || need python3-venv
fi
command -v git >/dev/null 2>&1 || need git

if [ -n "$missing" ]; then
    can_install || fail "Gennaker needs packages that this machine lacks: run 'sudo apt-get install $missing', then the same command again."
    install_missing
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "'$python' has no ensurepip: name a Python that has, for example make PYTHON=/usr/bin/python3."
fi

case ${1:-} in
    tests) list=debian-packages.txt ;;
    cluster) list=cluster-packages.txt ;;
    *) list= ;;
esac
if [ -n "$list" ] && can_install; then
    missing=
    for package in $(sed -e 's/#.*//' -e 's/[[:space:]].*//' "$here/$list"); do
        has_package "$package" || need "$package"
    done
    [ -z "$missing" ] || install_missing
fi
