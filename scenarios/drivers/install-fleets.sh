#!/bin/sh
# Installs the job queues of respawn matrix --family fleets, in the versions named here and in go_fleets.mod: those of Python from PyPI, those
# of Go built here, both where respawn matrix finds them. redis-server is a package of the system's; install.sh installs it.
set -eu
cd "$(dirname "$0")"
into=${XDG_CACHE_HOME:-$HOME/.cache}/respawn/programs
mkdir -p "$into/bin"
python3 -m venv "$into/fleets"
"$into/fleets/bin/pip" install --quiet --disable-pip-version-check "celery[redis]==5.5.3" rq==2.6.0 distributed==2025.9.1 ray==2.60.0
printf '#!/bin/sh\nexec "%s" "$@"\n' "$into/fleets/bin/python" >"$into/bin/respawn-fleets-python"
chmod 755 "$into/bin/respawn-fleets-python"
"$into/fleets/bin/pip" freeze
go build -modfile=go_fleets.mod -o "$into/bin/respawn-driver-fleets" go_fleets.go go_fleets_asynq.go go_fleets_river.go
go version -m "$into/bin/respawn-driver-fleets" | grep -E "hibiken|riverqueue|modernc.org/sqlite"
