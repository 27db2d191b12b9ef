#!/usr/bin/env bash
# Runs Go tests on a real kernel with cgroup version 2, whatever this host has: as root there, and as a plain user with a
# delegated subtree.
#
# usage: ci/v2/run.sh [ARGUMENTS OF go test…]     default: all of ./internal/cgroup, and what needs cgroups elsewhere
#
#   ci/v2/run.sh -v ./internal/cgroup
#   V2_AS=user ci/v2/run.sh -run OOM ./pool
#
# V2_AS       root, user, or both (default)
# V2_KERNEL   a User-Mode Linux kernel; default: Debian's, fetched once and kept in the user's cache directory
# V2_TIMEOUT  for one package; default: 10m
# V2_MEMORY   of the guest; default: 1G. It is taken as it is used, from /dev/shm, or from V2_TMPDIR where that is small
#
# It exits with 3 where that kernel cannot run.
set -euo pipefail
cd "$(dirname "$0")/../.."

die() { echo "ci/v2/run.sh: $*" >&2; exit 2; }

# fetch_kernel takes the kernel out of Debian's package, without installing it, into the file $1.
fetch_kernel() {
	local to=$1 dir
	[ "$(uname -sm)" = "Linux x86_64" ] || die "User-Mode Linux is to be had for Linux on amd64 only; set V2_KERNEL"
	for tool in apt-get dpkg-deb; do
		command -v $tool >/dev/null || die "$tool is not here to fetch the kernel: set V2_KERNEL to a User-Mode Linux kernel"
	done
	dir=$(mktemp -d "$work/fetch.XXXX")
	(
		cd "$dir"
		if ! apt-get -qq download user-mode-linux 2>apt.log; then
			# The host's index may be out of date, and only root may renew it: use one of our own.
			mkdir -p state/lists/partial cache/archives/partial
			own=(-o "Dir::State=$PWD/state" -o Dir::State::status=/var/lib/dpkg/status -o "Dir::Cache=$PWD/cache")
			{ apt-get -qq "${own[@]}" update && apt-get -qq "${own[@]}" download user-mode-linux; } 2>>apt.log || {
				cat apt.log >&2
				die "cannot download Debian's package user-mode-linux: set V2_KERNEL"
			}
		fi
		dpkg-deb --fsys-tarfile user-mode-linux_*.deb | tar -x ./usr/bin/linux.uml
	) || exit 2
	mkdir -p "$(dirname "$to")"
	mv "$dir/usr/bin/linux.uml" "$to.$$" && mv "$to.$$" "$to" # at once, for those who run beside us
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

: "${V2_KERNEL:=${XDG_CACHE_HOME:-$HOME/.cache}/respawn/linux.uml}"
[ -x "$V2_KERNEL" ] || fetch_kernel "$V2_KERNEL"
export V2_KERNEL CGO_ENABLED=0 TMPDIR=$work
go build -o "$work/v2" ./ci/v2
case ${V2_AS:=both} in
both) users="root user" ;;
root | user) users=$V2_AS ;;
*) die "V2_AS is $V2_AS: want root, user or both" ;;
esac

# A CPU with AMX has more registers than the kernel of Debian 12 can put back: it ends before its first process has run.
if ! V2_AS=root "$work/v2" /bin/true >"$work/boot" 2>&1 && grep -q 'ptrace set fp regs failed' "$work/boot"; then
	echo "ci/v2/run.sh: this kernel cannot run on this CPU, which has more registers than it knows (AMX): set V2_KERNEL" \
		"to a newer User-Mode Linux (that of Linux 7.2 runs)" >&2
	exit 3
fi

failed=0
tests() {
	echo "cgroup v2, as $V2_AS: go test $*"
	go test -count=1 -p 1 -exec "$work/v2" "$@" || failed=1
}
for V2_AS in $users; do
	export V2_AS
	if [ $# -gt 0 ]; then
		tests "$@"
	else
		tests ./internal/cgroup
		tests -run 'OOM|Cgroup|HardLimit' ./pool
		tests -run 'ResourceFaults|Throttle|OOM|Hog|Memory|Harness' ./chaos
		tests -run 'ForTheMemory|CgroupOutlives' ./cmd/respawn-fleet ./internal/localfleet -args -every
	fi
done
exit $failed
