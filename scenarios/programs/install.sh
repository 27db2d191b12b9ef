#!/bin/sh
# Installs programs of the rows and of the scenarios here that need no root, from PyPI and npm in the versions named below, into a
# directory of its own where respawn matrix finds them, and prints the directory of the commands from PyPI:
#
#   PATH=$(scenarios/programs/install.sh):$PATH respawn run scenarios/programs/uvicorn.yaml
set -eu
into=${XDG_CACHE_HOME:-$HOME/.cache}/respawn/programs
python3 -m venv "$into" >&2
"$into/bin/pip" install --quiet --disable-pip-version-check \
	uvicorn==0.17.6 hypercorn==0.13.2 supervisor==4.2.5 "setuptools<81" circus==0.19.0 honcho==2.0.0 \
	gunicorn==20.1.0 granian==2.8.9 >&2
python3 -m venv "$into/new" >&2 # newer versions beside, as NAME-new
"$into/new/bin/pip" install --quiet --disable-pip-version-check uvicorn==0.54.0 hypercorn==0.18.0 gunicorn==27.0.1 uvicorn-worker==0.4.0 >&2
for name in uvicorn hypercorn gunicorn; do ln -sf "../new/bin/$name" "$into/bin/$name-new"; done
"$into/bin/pip" freeze >&2
"$into/new/bin/pip" freeze >&2
if command -v npm >/dev/null; then
	npm install --silent --no-audit --no-fund --prefix "$into" pm2@7.0.4 forever@4.0.3 >&2
	npm ls --prefix "$into" >&2
else
	echo "npm is not installed: pm2 and forever are left out" >&2
fi
echo "$into/bin"
