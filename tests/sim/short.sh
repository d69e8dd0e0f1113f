#!/bin/sh
# The simulation as a test: known bad seeds first, then the scheduled mode, then fresh runs. About half a minute.
set -eu
here=$(dirname "$(readlink -f "$0")")
"$1" --regressions "$here/regressions.txt" --seeds 3000 --seconds 14
exec "$1" --scenario --stride 7 --seconds 12
