#!/bin/sh
# Debian's Chromium in a network namespace of its own, in which there is not even a loopback that is up.
exec unshare --net --map-root-user chromium "$@"
