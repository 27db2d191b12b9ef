#!/bin/sh
# Makes two service directories that run worker.sh, and starts what watches over such directories:
#
#   services.sh runsvdir | s6-svscan | svscan
set -eu
here=$(cd "$(dirname "$0")" && pwd)
for name in a b; do
	mkdir -p "$TMPDIR/services/$name"
	printf '#!/bin/sh\nexec sh %s/worker.sh\n' "$here" >"$TMPDIR/services/$name/run"
	chmod +x "$TMPDIR/services/$name/run"
done
exec "$@" "$TMPDIR/services"
