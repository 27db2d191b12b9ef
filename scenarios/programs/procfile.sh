#!/bin/sh
# Writes a Procfile with two programs that run worker.sh, and starts what runs it: procfile.sh honcho start
set -eu
here=$(cd "$(dirname "$0")" && pwd)
for name in a b; do echo "$name: exec sh $here/worker.sh"; done >"$TMPDIR/Procfile"
exec "$@" -f "$TMPDIR/Procfile"
