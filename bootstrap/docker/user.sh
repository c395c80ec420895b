#!/usr/bin/env bash
# Makes the user that a container runs as, and the folder that is its to write.
# usage: bootstrap/docker/user.sh [ROOT]   ROOT: a folder to work in instead of /, to try it without Docker
set -euo pipefail
root=${1:-}
name=witnessmark id=10001 home=/var/lib/witnessmark

if ! grep -qs "^$name:" "$root/etc/passwd"; then
  mkdir -p "$root/etc"
  echo "$name:x:$id:$id::$home:/usr/sbin/nologin" >>"$root/etc/passwd"
  echo "$name:x:$id:" >>"$root/etc/group"
fi
# Keys lie here: nobody else reads it.
install -d -m 700 "$root$home"
[ "$(id -u)" -ne 0 ] || chown "$id:$id" "$root$home"
