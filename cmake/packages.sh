# SPDX-License-Identifier: Apache-2.0
# Sourced by demo.sh and test.sh: need PACKAGE... installs the Debian packages that are missing, as root or with sudo, or names them
# and stops.
need() {
    missing=""
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" = 0 ]; then
        as_root=""
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root="sudo"
    else
        echo "These Debian packages are missing:$missing" >&2
        echo "Install them with: apt-get install$missing" >&2
        exit 1
    fi
    echo "installing:$missing"
    $as_root apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
build_packages="gcc cmake ninja-build pkg-config libc6-dev llvm-19-dev libffi-dev libjansson-dev libxxhash-dev zlib1g-dev"
test_packages="g++ check libzip-dev libsubunit-dev clang-19 libclang-rt-19-dev libomp-19-dev libonnx-testdata python3 python3-numpy python3-torch python3-torchvision python3-onnx graphviz chromium chromium-driver zsh"
