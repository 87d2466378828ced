#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds fxjit with its tests and runs them: the release build in full, then the sanitizer build. test.sh [PRESET...] runs only these.
set -eu
cd "$(dirname "$0")/.."
. cmake/packages.sh
# shellcheck disable=SC2086
need $build_packages $test_packages
[ $# -gt 0 ] || set -- release asan-ubsan
for preset in "$@"; do
    echo "== $preset"
    cmake --preset "$preset" -DFXJIT_TESTS=ON >/dev/null
    cmake --build --preset "$preset" -- --quiet
    ctest --preset "$preset"
done
