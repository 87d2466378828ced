#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The completion of bash and zsh, and that the manual page tells every verb and option: completion.sh FXJIT SOURCE_FOLDER
set -u
source_folder=$2
PATH=$(cd "$(dirname "$1")" && pwd):$PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

fail() {
    failed=$((failed + 1))
    echo "FAIL: $1"
}

# ---- bash: completes WANTED WORD...: the last word is under the cursor; WANTED must be among the answers
. "$source_folder/tools/completion/fxjit.bash"
completes() {
    local wanted=$1
    shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    COMPREPLY=()
    _fxjit 2>/dev/null
    printf '%s\n' "${COMPREPLY[@]}" | grep -qxF -e "$wanted" || fail "bash: '$*' gives '${COMPREPLY[*]}', not '$wanted'"
}
not_completes() {
    completes "$@" >"$work/out"
    if [ -s "$work/out" ]; then failed=$((failed - 1)); else echo "FAIL: bash: '$*'"; failed=$((failed + 1)); fi
}
cd "$work" || exit 1
mkdir models
touch net.onnx notes.txt models/a.fxm
completes show fxjit sh
completes report fxjit re
completes --help fxjit --h
completes --format= fxjit show --f
completes --check fxjit show --c
completes --help fxjit show --h
completes mermaid fxjit show --format m
completes svg fxjit show --format = s
completes strict fxjit run --precision ''
completes net.onnx fxjit show ''
completes models/ fxjit show mod
completes models/a.fxm fxjit show models/
completes notes.txt fxjit show -o no
completes notes.txt fxjit show --output no
completes softmax fxjit ops softm
completes show fxjit help s
not_completes notes.txt fxjit show ''
not_completes --format= fxjit show --t

# ---- zsh: what a person sees after Tab
if command -v zsh >/dev/null; then
    for words in 'fxjit mach:machine' 'fxjit show --format merm:mermaid' 'fxjit ops log_softm:log_softmax' 'fxjit show net:net.onnx' 'fxjit report --meas:--measure'; do
        typed=${words%%:*} wanted=${words#*:}
        zsh -f "$source_folder/test/cli/completion.zsh" "$source_folder/tools/completion" "$typed" "$wanted" >"$work/zsh" 2>&1
        grep -qF -e "$wanted" "$work/zsh" || fail "zsh: '$typed' gives $(tail -c 200 "$work/zsh")"
    done
else
    echo "skipped: zsh is not installed"
fi

# ---- The manual page
page=$(sed 's/\\-/-/g' "$source_folder/docs/fxjit.1")
fxjit --list-verbs | cut -f 1 | while read -r verb; do
    grep -qE "^\.BR? $verb" <<<"$page" || echo "FAIL: the manual does not tell of the verb $verb"
    fxjit "$verb" --help | grep -q '^Examples:' || echo "FAIL: $verb --help has no examples"
    fxjit "$verb" --list-options | cut -f 1 | while read -r option; do
        grep -qE -e "$option([^a-z-]|\$)" <<<"$page" || echo "FAIL: the manual does not tell of $verb $option"
    done
done >"$work/manual"
cat "$work/manual"
failed=$((failed + $(wc -l <"$work/manual")))
echo "$failed failed"
[ "$failed" = 0 ]
