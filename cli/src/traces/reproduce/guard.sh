# bash -c guard.sh guard DIR COMMAND...: runs the command in this process group and prints its exit status.
# As soon as standard input ends (whoever started this wants it to end, or is dead), the group is told to
# end, and ended after 5 s, and DIR is removed. Nothing of the group is left in any case.
directory=$1
shift
stopped=
trap 'stopped=yes' TERM
exec 3<&0 </dev/null
"$@" 3<&- >&2 &
work=$!
{
	trap : TERM
	read -r -u 3 _
	kill -TERM 0
	sleep 5
	rm -rf "$directory"
	kill -KILL 0
} >&2 &
wait "$work"
status=$?
while [ "$status" -gt 128 ] && kill -0 "$work" 2>/dev/null; do
	wait "$work"
	status=$?
done
if [ -n "$stopped" ]; then rm -rf "$directory"; else echo "$status"; fi
kill -KILL 0
