#!/usr/bin/env bash
# Installs the Debian packages that are missing; touches nothing when all are there.
# usage: bootstrap/debian-packages.sh run     what the pinned Node needs to start
#        bootstrap/debian-packages.sh build   and what compiles native modules
#        bootstrap/debian-packages.sh test    the browser that tests run in, gpsd, openssl, systemd's tools, a broker, a clock that lies,
#                                             a TPM and a token that are programs, and the tools of both
#        bootstrap/debian-packages.sh rig     what compiles, and the machine with CAN sockets of test/rig/
set -euo pipefail

missing=()
# Not through a pipe: grep -q ends early, ldconfig dies of SIGPIPE, and pipefail calls the library missing.
libraries=$(ldconfig -p)
[[ $libraries == *libatomic.so.1* ]] || missing+=(libatomic1)
[[ $libraries == *libstdc++.so.6* ]] || missing+=(libstdc++6)
case "${1:?usage: bootstrap/debian-packages.sh run|build|test|rig}" in
  run) commands=() ;;
  build) commands=(g++ make python3) ;;
  test) commands=(g++ make python3 chromium gpsd openssl systemd-analyze mosquitto faketime
    swtpm tpm2_sign softhsm2-util pkcs11-tool) ;;
  rig) commands=(g++ make /usr/bin/python3 linux.uml candump ip insmod busybox mkfs.ext4) ;;
  *) echo "expected run, build, test or rig, got $1" >&2; exit 2 ;;
esac
# The package of a command that is named otherwise.
declare -A package_of=(
  [/usr/bin/python3]=python3 [linux.uml]=user-mode-linux [candump]=can-utils [ip]=iproute2
  [insmod]=kmod [busybox]=busybox-static [mkfs.ext4]=e2fsprogs [systemd-analyze]=systemd
  [tpm2_sign]=tpm2-tools [softhsm2-util]=softhsm2 [pkcs11-tool]=opensc
)
# Where the administrator's commands are; a user's path may not have it.
PATH=$PATH:/usr/sbin:/sbin
for command in "${commands[@]}"; do
  command -v "$command" >/dev/null || missing+=("${package_of[$command]:-$command}")
done
[ ${#missing[@]} -gt 0 ] || exit 0

sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo -n)
echo "installing Debian packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${sudo[@]}" apt-get -qq update
"${sudo[@]}" apt-get -qq install --yes --no-install-recommends "${missing[@]}" >/dev/null
