#!/bin/sh
# Records how modules are loaded, as a log for `kmodcheck accept LOG --format ftrace`. Written by
# `kmodcheck record --print`; the offsets are those of @FROM@.
#
#     sh SCRIPT LOG COMMAND...     as root: runs the command, writes the log
#     sh SCRIPT --set TRACER       sets the probes, and prints how TRACER, which is trace-cmd or perf, records them:
#                                  append a command to it; what it then reports, kmodcheck reads, too
#     sh SCRIPT --clean            takes away what a script that was killed, or --set, has left behind
t=/sys/kernel/tracing
[ -e $t/kprobe_events ] || t=/sys/kernel/debug/tracing
group=kmodcheck_script
i=$t/instances/$group
say() { echo "kmodcheck: $*" >&2; }
clean() {
	if [ -d $i ]; then
		echo 0 >$i/tracing_on
		echo 0 >$i/events/enable
		rmdir $i
	fi
	grep -o ":$group/[a-z_]*" $t/kprobe_events | while read -r probe; do
		echo "-$probe" >>$t/kprobe_events
	done
}
fail() {
	say "$*"
	clean
	exit 2
}
[ -e $t/kprobe_events ] || { say "found no $t/kprobe_events, expected root, tracefs, and a kernel with kprobes"; exit 2; }
[ "$1" != --clean ] || { clean; exit; }
[ $# -ge 2 ] || { say "usage: sh $0 LOG COMMAND..., or --set trace-cmd|perf, or --clean"; exit 2; }
tracer=
if [ "$1" = --set ]; then
	tracer=$2
	case $tracer in
	trace-cmd) all='' filter=-f options='trace-cmd record -C mono' ;;
	perf) all=':*' filter=--filter options='perf record -a -k CLOCK_MONOTONIC' ;;
	*) say "--set: found '$tracer', expected trace-cmd or perf"; exit 2 ;;
	esac
	log=/dev/null
else
	log=$1
	shift
	: >"$log" || exit 2
fi
mkdir $i || { say "is another one running? If not: sh $0 --clean"; exit 2; }
trap 'fail interrupted' HUP TERM
trap : INT

# EVENT FUNCTION PROBE [FILTER]
may() {
	n=$(grep -c " $2\$" /proc/kallsyms)
	if [ "$n" != 1 ]; then
		why="$n functions called $2 in /proc/kallsyms"
	elif [ $# = 4 ] && [ -z "$4" ]; then
		why="no address of module_notify_list in /proc/kallsyms"
	elif ! echo "$3" >>$t/kprobe_events; then
		why="the kernel does not take $3"
	elif [ -n "$tracer" ]; then
		options="$options -e $group:$1"
		[ $# = 3 ] || options="$options $filter '$4'"
		return 0
	else
		[ $# = 3 ] || echo "$4" >$i/events/$group/$1/filter || fail "filter of $1"
		echo 1 >$i/events/$group/$1/enable || fail "cannot enable $1"
		return 0
	fi
	echo "# not probed: $1: $why" >>"$log"
	say "not probed: $1: $why"
	return 1
}
must() { may "$@" || fail "without $1 nobody knows who is where"; }
may_see() {
	[ -e $i/events/$1/enable ] || { say "no event $1"; return 1; }
	if [ -n "$tracer" ]; then
		case $1 in
		*/*) options="$options -e ${1%%/*}:${1#*/}" ;;
		*) options="$options -e '$1$all'" ;;
		esac
		return 0
	fi
	echo 1 >$i/events/$1/enable
}
must_see() { may_see "$1" || fail "without $1 nobody knows who is where"; }

echo 0 >$i/tracing_on
echo mono >$i/trace_clock
echo 0 >$i/options/overwrite
echo @BUFFER@ >$i/buffer_size_kb
notifiers=$(sed -n 's/^\([0-9a-f]*[1-9a-f][0-9a-f]*\) . module_notify_list$/head == 0x\1/p' /proc/kallsyms)
@PROBES@
@EVENTS@
if [ -n "$tracer" ]; then
	# Its own buffers are the tracer's.
	rmdir $i
	echo "$options"
	exit
fi
missed() { awk '{ n += $3 } END { print n + 0 }' $t/kprobe_profile; }
before=$(missed)
echo 1 >$i/tracing_on
"$@"
echo 0 >$i/tracing_on
lost=$(cat $i/per_cpu/cpu*/stats | awk '/^(overrun|commit overrun|dropped events):/ { n += $NF } END { print n + 0 }')
lost=$((lost + $(missed) - before))
if [ $lost -gt 0 ]; then
	say "$lost events were lost: the log is incomplete, a larger buffer is needed"
	# Nobody knows where.
	echo "CPU:0 [LOST $lost EVENTS]" >>"$log"
fi
cat $i/trace >>"$log"
clean
[ $lost = 0 ] || exit 3
