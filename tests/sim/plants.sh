#!/usr/bin/env bash
# Build the simulation once for each planted bug and run it until the bug is caught. Prints a table; exit 1 when one is not.
#   plants.sh [--build DIR] [--seconds T] [NAME ...]
set -euo pipefail
root=$(dirname "$(readlink -f "$0")")/../..
build=$root/build/plants
seconds=60
names=()
while [ $# -gt 0 ]; do
    case $1 in
    --build) build=$2; shift 2 ;;
    --seconds) seconds=$2; shift 2 ;;
    *) names+=("$1"); shift ;;
    esac
done
if [ ${#names[@]} -eq 0 ]; then
    # shellcheck disable=SC2207
    names=($(grep -rhoE 'LC_PLANT_[A-Z_]+' "$root"/{base,model,state,pipeline} "$root"/tests/sim/*.c | sed 's/LC_PLANT_//' | sort -u))
fi
missed=0
printf '| planted bug | caught after (runs) | as |\n|---|---|---|\n'
for name in "${names[@]}"; do
    dir=$build/$name
    mkdir -p "$dir"
    cmake -S "$root" -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_FLAGS=-O1 \
        -DLC_PLANT="$name" >"$dir/cmake.log" 2>&1 || { cat "$dir/cmake.log" >&2; exit 2; }
    ninja -C "$dir" lifecycled_sim >"$dir/build.log" 2>&1 || { tail -20 "$dir/build.log" >&2; exit 2; }
    if "$dir/tests/sim/lifecycled_sim" --seconds "$seconds" --quiet >"$dir/run.log" 2>&1; then
        printf '| %s | **not caught** in %s s | %s |\n' "$name" "$seconds" "$(tail -1 "$dir/run.log" | cut -c1-60)"
        missed=1
    else
        printf '| %s | %s |\n' "$name" \
            "$(sed -n 's/^sim: seed \([0-9]*\) after \([0-9]*\) runs: \(.*\)$/\2 | \3/p' "$dir/run.log" | cut -c1-110)"
    fi
done
exit $missed
