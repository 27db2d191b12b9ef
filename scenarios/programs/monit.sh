#!/bin/sh
# Starts monit with two programs, which it finds by their pidfiles and looks at every so many seconds: monit.sh 120
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$TMPDIR/monit"
{
	echo "set daemon $1"
	for file in log pidfile idfile statefile; do echo "set $file $TMPDIR/monit/$file"; done
	for name in a b; do
		# monit starts programs with an environment of its own, and leaves it to them to become daemons.
		printf '#!/bin/sh\n' >"$TMPDIR/monit/$name"
		env | sed -n "s/^\(RESPAWN_POOL\|TMPDIR\|FIRST\|DIES\|GRANDCHILD\)=\(.*\)/export \1='\2'/p" >>"$TMPDIR/monit/$name"
		printf 'echo $$ >%s/monit/%s.pid\nexec sh %s/worker.sh\n' "$TMPDIR" "$name" "$here" >>"$TMPDIR/monit/$name"
		chmod +x "$TMPDIR/monit/$name"
		echo "check process $name with pidfile $TMPDIR/monit/$name.pid"
		echo "  start program = \"/bin/sh -c '$TMPDIR/monit/$name &'\""
		echo "  stop program = \"/bin/sh -c 'kill \$(cat $TMPDIR/monit/$name.pid)'\""
	done
} >"$TMPDIR/monit/rc"
chmod 600 "$TMPDIR/monit/rc"
exec monit -I -c "$TMPDIR/monit/rc"
