#!/bin/sh
# Installs what the tests need and the machine lacks, from the distribution (Debian, Ubuntu).
set -eu

missing=""
need() { # program, Debian package, Ubuntu package
    command -v "$1" >/dev/null 2>&1 && return
    if apt-cache show "$2" >/dev/null 2>&1; then missing="$missing $2"; else missing="$missing $3"; fi
}

as_root=""
[ "$(id -u)" -eq 0 ] || as_root="sudo"
lacks=""
for program in redis-server chromedriver; do
    command -v "$program" >/dev/null 2>&1 || lacks=yes
done
command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || lacks=yes
[ -n "$lacks" ] || exit 0

command -v apt-get >/dev/null 2>&1 || {
    echo "tests/tools.sh: install redis-server, chromium and chromedriver by hand: there is no apt-get here" >&2
    exit 1
}
$as_root apt-get update -qq
need redis-server redis-server redis-server
command -v chromium-browser >/dev/null 2>&1 || need chromium chromium chromium-browser
need chromedriver chromium-driver chromium-chromedriver
# shellcheck disable=SC2086 # a list of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing
