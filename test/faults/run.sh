#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The score of the probes: each planted fault must make the probe fail that it is planted for. run.sh FAULTS FOLDER_OF_PROBES
# FXJIT_FAULT_JOBS: how many at a time (2). A probe that hangs or crashes has noticed, too; without a fault every probe must pass.
set -u
faults=$1 folder=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CK_FORK=no # so that a probe ends at the first failure

# Lines NUMBER NAME PROBE; number 0 once for each probe: it must pass.
awk '/^fault / { n++; name = $2 } /^probe / { print n, name, $2; if (!seen[$2]++) print 0, "none", $2 }' "$faults" | sort -n >"$work/list"
export folder work
xargs -P "${FXJIT_FAULT_JOBS:-2}" -L 1 sh -c '
    [ "$0" = 0 ] && export FXJIT_SEEDS=60
    FXJIT_FAULT=$0 timeout 600 "$folder/faulty_$2" >"$work/$0.$2.out" 2>&1
    echo "$0 $1 $2 $?" >>"$work/results"' <"$work/list"

sort -n "$work/results" | awk '
    $1 == 0 && $4 != 0 { print $3 " fails without a fault"; broken++ }
    $1 > 0 && $4 != 0 { printf "killed    %-42s by %s\n", $2, $3; killed++ }
    $1 > 0 && $4 == 0 { printf "SURVIVED  %-42s of %s\n", $2, $3; left++ }
    END { printf "%d of %d planted faults killed\n", killed, killed + left; exit broken || left || !killed }'
