#!/usr/bin/env bash
# Makes a release of this checkout in a folder: compiled sources, packages without the development ones, and
# the pinned Node among them, so that the folder runs on any Debian 12 without a Node of its own.
# usage: bootstrap/docker/release.sh OUT   (OUT must not exist or be empty)
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:?usage: bootstrap/docker/release.sh OUT}
if [ -n "$(ls -A "$out" 2>/dev/null)" ]; then
  echo "expected an empty folder, got $out" >&2
  exit 2
fi

node "$root/bootstrap/run.mjs" build
mkdir -p "$out"
cp -R "$root"/{LICENSE,package.json,package-lock.json,bootstrap,dist} "$out"
node "$out/bootstrap/install.mjs" --release
