#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The installed library serves a stranger: README's program builds through pkg-config and through the CMake package, and runs; so does
# one in C++ with each compiler, first alone, then with the object that it wrote; the Python package finds the library beside it.
# Usage: install.sh BUILD_DIR SOURCE_DIR
set -eu
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$1" --prefix "$work/prefix" >/dev/null
libdir=$(dirname "$(find "$work/prefix" -name fxjit.pc)")
export PKG_CONFIG_PATH="$libdir"
# shellcheck disable=SC2046
cc -std=c17 "$2/docs/examples/quickstart.c" $(pkg-config --cflags --libs fxjit) -Wl,-rpath,"$(dirname "$libdir")" -o "$work/by-pkg-config"
"$work/by-pkg-config" >"$work/one"
mkdir "$work/project"
cat >"$work/project/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.25)
project(stranger C)
find_package(fxjit REQUIRED)
add_executable(stranger $2/docs/examples/quickstart.c)
target_link_libraries(stranger fxjit::fxjit)
END
cmake -S "$work/project" -B "$work/project/build" -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null
cmake --build "$work/project/build" >/dev/null
"$work/project/build/stranger" >"$work/two"
cmp "$work/one" "$work/two"
[ "$(wc -l <"$work/one")" = 2 ]
stranger() { # COMPILER OUTPUT [ARGUMENT...]: the C++ program
    compiler=$1 output=$2
    shift 2
    # shellcheck disable=SC2046
    "$compiler" -std=c++11 -Wall -Wextra -Wshadow -Wconversion -Werror -I"$work" "$source/test/house/stranger.cc" "$@" \
        $(pkg-config --cflags --libs fxjit) -Wl,-rpath,"$(dirname "$libdir")" -o "$work/$output"
}
for compiler in g++ clang++-19; do
    stranger "$compiler" alone
    "$work/alone" "$work/stranger_net.o"
    stranger "$compiler" with-object -DHAVE_OBJECT "$work/stranger_net.o"
    "$work/with-object"
done
"$work/prefix/bin/fxjit" --version
if /usr/bin/python3 -c "import numpy" 2>/dev/null; then
    PYTHONPATH=$(dirname "$(find "$work/prefix" -path '*/fxjit/__init__.py' -exec dirname {} +)") \
        /usr/bin/python3 -c "import sys, fxjit, fxjit._library as l; assert l.find().startswith(sys.argv[1]); print(fxjit.version())" "$work/prefix"
fi
