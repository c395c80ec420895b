#!/bin/sh
# The pinned Node as an agent runs under it: every way to start one comes through here, and so does the bench.
# usage: agent-node.sh SCRIPT [arguments]
#
# An agent has little to do in JavaScript and runs for years beside other programs: memory counts. A small young
# generation is collected more often, for about a millisecond each time. Without TurboFan the code of that compiler
# stays on the disk, and Maglev's is as good for so little work. One pool of freed memory is enough for all threads.
# In megabytes: 20, 5 and 3 (`npm run bench -- --live`).
export MALLOC_ARENA_MAX=1
exec "${0%/*}/../node_modules/.bin/node" --max-semi-space-size=1 --no-opt "$@"
