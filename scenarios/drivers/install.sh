#!/bin/sh
# Installs the pools that the drivers here wrap: the Python ones from Debian's packages, workerpool from npm.
# Without root, or elsewhere than on Debian and Ubuntu, install by hand what the lines below name.
#
#   scenarios/drivers/install.sh [servers]    with "servers" also gunicorn, nginx and php-fpm for the server targets
set -eu
cd "$(dirname "$0")"

packages="python3 python3-pebble python3-joblib python3-billiard"
if [ "${1-}" = servers ]; then
	packages="$packages gunicorn nginx php-fpm"
fi
# The harness starts the servers itself: RUNLEVEL=1 asks the packages not to.
# shellcheck disable=SC2086 # a list
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages

if command -v npm >/dev/null; then
	npm ci --no-audit --no-fund
else
	echo "npm is not installed: workerpool is left out (apt-get install npm, then run this again)" >&2
fi
