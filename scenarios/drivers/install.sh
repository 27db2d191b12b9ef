#!/bin/sh
# Installs the pools that the drivers here wrap: the Python ones from Debian's packages, the others from npm.
# Without root, or elsewhere than on Debian and Ubuntu, install by hand what the lines below name.
#
#   scenarios/drivers/install.sh [servers] [supervisors] [fleets]    with the programs of these families of respawn matrix, too
set -eu
cd "$(dirname "$0")"

packages="python3 python3-pebble python3-joblib python3-billiard python3-distributed"
for family in "$@"; do
	case $family in
	servers) packages="$packages gunicorn nginx php-fpm haproxy apache2 puma unicorn uwsgi uwsgi-plugin-python3 postgresql" ;;
	supervisors) packages="$packages runit s6 daemontools monit ruby-foreman" ;;
	fleets) packages="$packages redis-server" ;;
	*) echo "$family: want servers, supervisors or fleets" >&2 && exit 2 ;;
	esac
done
# The harness starts servers itself: RUNLEVEL=1 asks the packages not to.
# shellcheck disable=SC2086 # a list
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages
# shellcheck disable=SC2086 # a list
dpkg-query -W $packages

if command -v npm >/dev/null; then
	npm ci --no-audit --no-fund
else
	echo "npm is not installed: the pools of Node are left out (apt-get install npm, then run this again)" >&2
fi
if command -v go >/dev/null; then # with go_plugin.mod in the place of this project's own
	go build -modfile=go_plugin.mod -o "${XDG_CACHE_HOME:-$HOME/.cache}/respawn/drivers/go-plugin" go_plugin.go
else
	echo "go is not installed: hashicorp/go-plugin is left out" >&2
fi
case " $* " in
*" servers "* | *" supervisors "*) ../programs/install.sh ;;
esac
case " $* " in
*" fleets "*) ./install-fleets.sh ;;
esac
