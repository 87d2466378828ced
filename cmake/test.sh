#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds fxjit with its tests and runs them: the release build in full, the sanitizer build, and under ThreadSanitizer the tests that
# use threads. test.sh [PRESET...] runs only these: release debug clang asan-ubsan tsan tsan-threads.
set -eu
cd "$(dirname "$0")/.."
. cmake/packages.sh
# shellcheck disable=SC2086
need $build_packages $test_packages
[ $# -gt 0 ] || set -- release asan-ubsan tsan-threads
for preset in "$@"; do
    echo "== $preset"
    cmake --preset "$preset" -DFXJIT_TESTS=ON >/dev/null
    cmake --build --preset "$preset" -- --quiet
    ctest --preset "$preset"
done
