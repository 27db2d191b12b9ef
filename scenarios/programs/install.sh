#!/bin/sh
# Installs the programs of the scenarios here from PyPI, in the versions named below, into a directory of its own, and prints the
# directory of their commands:
#
#   PATH=$(scenarios/programs/install.sh):$PATH respawn run scenarios/programs/uvicorn.yaml
set -eu
into=${XDG_CACHE_HOME:-$HOME/.cache}/respawn/programs
python3 -m venv "$into" >&2
"$into/bin/pip" install --quiet --disable-pip-version-check \
	uvicorn==0.17.6 hypercorn==0.13.2 supervisor==4.2.5 "setuptools<81" >&2
"$into/bin/pip" freeze >&2
echo "$into/bin"
