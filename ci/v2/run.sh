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
# V2_KERNEL   a User-Mode Linux kernel; default: Debian's, or where the CPU is too new for that, that of Debian's next release;
#             either is fetched once and kept in the user's cache directory
# V2_TIMEOUT  for one package; default: 10m
# V2_MEMORY   of the guest; default: 1G. It is taken as it is used, from /dev/shm, or from V2_TMPDIR where that is small
#
# It exits with 3 where neither can run.
set -euo pipefail
cd "$(dirname "$0")/../.."

die() { echo "ci/v2/run.sh: $*" >&2; exit 2; }

# download gets packages of Debian into the present directory: download RELEASE NAME…, where RELEASE is "" for the host's.
download() {
	local release=$1 mirror own=(-o "Dir::State=$PWD/state" -o Dir::State::status=/var/lib/dpkg/status -o "Dir::Cache=$PWD/cache")
	shift
	if [ -n "$release" ]; then
		mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | awk '$2 !~ /-/ {print $1; exit}')
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main" >list
		own+=(-o "Dir::Etc::sourcelist=$PWD/list" -o Dir::Etc::sourceparts=/dev/null)
	elif apt-get -qq download "$@" 2>apt.log; then
		return
	fi
	# The host's index may be out of date, and only root may renew it: use one of our own.
	mkdir -p state/lists/partial cache/archives/partial
	{ apt-get -qq "${own[@]}" update && apt-get -qq "${own[@]}" download "$@"; } 2>>apt.log || { cat apt.log >&2; return 1; }
}

# unpack takes a file out of a package, without installing it: unpack NAME FILE, which is then in the present directory.
unpack() { dpkg-deb --fsys-tarfile "$1"_*.deb | tar -x --transform 's|.*/||' --wildcards "$2"; }

# fetch_kernel takes the kernel of the host's Debian into the directory $1.
fetch_kernel() {
	[ "$(uname -sm)" = "Linux x86_64" ] || die "User-Mode Linux is to be had for Linux on amd64 only; set V2_KERNEL"
	for tool in apt-get dpkg-deb; do
		command -v $tool >/dev/null || die "$tool is not here to fetch the kernel: set V2_KERNEL to a User-Mode Linux kernel"
	done
	local dir
	dir=$(mktemp -d "$work/fetch.XXXX")
	(
		cd "$dir"
		download "" user-mode-linux || die "cannot download Debian's package user-mode-linux: set V2_KERNEL"
		mkdir kept && cd kept && ln -s ../*.deb . && unpack user-mode-linux ./usr/bin/linux.uml && rm ./*.deb
	) || exit 2
	keep "$dir/kept" "$1"
}

# fetch_newer takes that of Debian's next release into the directory $1, with the C library that it needs.
fetch_newer() {
	local dir
	dir=$(mktemp -d "$work/fetch.XXXX")
	(
		cd "$dir"
		download testing user-mode-linux libc6 && download "" patchelf && unpack patchelf ./usr/bin/patchelf &&
			mkdir kept && cd kept && ln -s ../*.deb . && unpack user-mode-linux ./usr/bin/linux.uml &&
			unpack libc6 ./usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 &&
			unpack libc6 ./usr/lib/x86_64-linux-gnu/libc.so.6 && rm ./*.deb &&
			../patchelf --set-interpreter "$1/ld-linux-x86-64.so.2" --set-rpath "$1" linux.uml
	) || return
	keep "$dir/kept" "$1"
}

# keep moves a directory to its place, at once, for those who run beside us.
keep() {
	mkdir -p "$(dirname "$2")"
	mv -T "$1" "$2.$$" && { mv -T "$2.$$" "$2" 2>/dev/null || rm -rf "$2.$$"; }
	[ -x "$2/linux.uml" ]
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

export V2_KERNEL=${V2_KERNEL:-} CGO_ENABLED=0 TMPDIR=$work
go build -o "$work/v2" ./ci/v2
if [ -z "$V2_KERNEL" ]; then
	cache=${XDG_CACHE_HOME:-$HOME/.cache}/respawn/uml
	V2_KERNEL=$cache/linux.uml
	[ -x "$V2_KERNEL" ] || fetch_kernel "$cache"
	# A CPU with AMX has more registers than Linux 6.1 can put back: that ends before its first process has run.
	if ! V2_AS=root "$work/v2" /bin/true >"$work/boot" 2>&1 && grep -q 'ptrace set fp regs failed' "$work/boot"; then
		V2_KERNEL=$cache-newer/linux.uml
		[ -x "$V2_KERNEL" ] || fetch_newer "$cache-newer" || {
			echo "ci/v2/run.sh: this kernel cannot run on this CPU, which has more registers than it knows (AMX), and there is no" \
				"newer one to be had: set V2_KERNEL" >&2
			exit 3
		}
	fi
fi
case ${V2_AS:=both} in
both) users="root user" ;;
root | user) users=$V2_AS ;;
*) die "V2_AS is $V2_AS: want root, user or both" ;;
esac

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
