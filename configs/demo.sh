#!/bin/sh
# `make demo`: runs the services of configs/demo in a folder of its own, shows
# the list and the log, and ends with an ordered stop: on Ctrl-C, or without a
# terminal after some seconds. Leaves nothing behind.
set -eu
zinit=$1
here=$(dirname "$0")
seconds=6

dir=$(mktemp -d)
init= follow=
cleanup() {
	trap - EXIT INT TERM
	[ -z "$follow" ] || kill "$follow" 2>/dev/null || :
	if [ -n "$init" ] && kill -TERM "$init" 2>/dev/null; then
		wait "$init" || :
	fi
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

DEMO_DIR=$dir
export DEMO_DIR
cp "$here"/demo/*.yaml "$dir"
echo "# $zinit init --container -c $dir -s $dir/sock"
# In the background of a script Ctrl-C does not reach it: it is stopped in order below.
"$zinit" init --container -c "$dir" -s "$dir/sock" &
init=$!
ask() { "$zinit" -s "$dir/sock" "$@"; }
i=0
until [ -S "$dir/sock" ] || [ $i = 50 ]; do i=$((i + 1)); sleep 0.1; done

echo "# zinit list -l"
ask list -l
ask start --wait=30 web
echo
echo "# a moment later"
ask list -l
echo
echo "# zinit log -t"
ask log -t &
follow=$!
if [ -t 0 ] && [ -t 1 ]; then
	echo "# Ctrl-C ends it"
	trap 'stop=1' INT
	stop=
	while [ -z "$stop" ] && kill -0 "$init" 2>/dev/null; do sleep 0.3; done
else
	sleep $((seconds - 2))
fi
echo
echo "# SIGTERM: everything stops, web before what it needs"
kill "$follow" 2>/dev/null || :
wait "$follow" 2>/dev/null || :
follow=
kill -TERM "$init"
status=0
wait "$init" || status=$?
init=
echo "# zinit init ended with $status"
trap - INT
exit $status
