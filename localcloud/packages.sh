#!/bin/sh
# The programs that the demo and the tests need: installed where that is allowed, else named with the exact command.
set -eu

missing=""
command -v gpg >/dev/null 2>&1 && command -v gpgconf >/dev/null 2>&1 || missing="$missing gnupg"
command -v ssh-keygen >/dev/null 2>&1 && command -v sftp >/dev/null 2>&1 || missing="$missing openssh-client"
PATH="$PATH:/usr/sbin:/sbin" command -v sshd >/dev/null 2>&1 || missing="$missing openssh-server"
"${PYTHON:-python3}" -c "import ensurepip" >/dev/null 2>&1 || missing="$missing python3-venv"

[ -z "$missing" ] && exit 0
install="apt-get install --yes --no-install-recommends$missing"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing system packages:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of words
    exec $install -qq >/dev/null
fi
echo "System packages are missing. Please run:" >&2
echo "    sudo apt-get update && sudo $install" >&2
exit 1
