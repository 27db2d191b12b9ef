# A driver of a pool whose workers outlive it: each is in a session of its own, and nobody watches the parent.
answer() { printf '%s\n' "$1" >&3; }
exec 3>&1 1>&2
read -r hello
answer '{"op":"hello","protocol":1,"name":"leaver","version":"1","can":["workers","pid"]}'
read -r start
pids=
for _ in 1 2 3 4; do
  setsid sleep 60 </dev/null 3>&- &
  pids=${pids:+$pids,}$!
done
answer '{"op":"ready","pids":['$pids']}'
while read -r line; do
  case $line in
  *'"workers"'*) answer '{"op":"workers","pids":['$pids']}' ;;
  esac
done
kill $(echo $pids | tr , ' ')
