#!/bin/sh
# The program that supervisors are given to supervise: it does nothing, and ends by a signal.
#
#   FIRST=2 DIES=20   those started after the first two end at once with code 1, twenty of them; later ones do not
#   GRANDCHILD=1      it starts a process of its own, which it ends when it is asked to end, and cannot when it is killed
if [ -n "${DIES-}" ]; then
	echo >>"$TMPDIR/starts"
	starts=0
	while read -r _; do starts=$((starts + 1)); done <"$TMPDIR/starts"
	if [ "$starts" -gt "$FIRST" ] && [ "$starts" -le $((FIRST + DIES)) ]; then
		exit 1
	fi
fi
if [ -n "${GRANDCHILD-}" ]; then
	sleep 86401 &
	grandchild=$!
	trap 'kill $grandchild; exit 0' TERM INT
fi
if [ -n "${THEN-}" ]; then
	exec $THEN
fi
[ -n "${GRANDCHILD-}" ] || exec sleep 86400
wait
