#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds fxjit and shows it at work: ResNet-50 traced from C, compiled, checked against the interpreter, and timed.
set -eu
cd "$(dirname "$0")/.."
. cmake/packages.sh
# shellcheck disable=SC2086
need $build_packages
cmake -S . -B build/release -G Ninja -DCMAKE_BUILD_TYPE=Release -DFXJIT_TESTS=OFF >/dev/null
ninja -C build/release --quiet
exec build/release/docs/examples/resnet50 "$@"
