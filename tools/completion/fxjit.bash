# SPDX-License-Identifier: Apache-2.0
# Completion of fxjit for bash. Verbs, options and their values are what the program itself says.

# The lines of the program about this, from the n-th column on; nothing when it does not know.
_fxjit_ask() {
    fxjit "$@" 2>/dev/null
}

_fxjit_files() { # ENDING...: files with such an ending, and folders
    local file ending
    while IFS= read -r file; do
        if [[ -d $file ]]; then
            COMPREPLY+=("$file/")
            continue
        fi
        for ending in "$@"; do
            [[ $file == *"$ending" ]] && COMPREPLY+=("$file")
        done
    done < <(compgen -f -- "$cur")
}

_fxjit_value() { # VERB OPTION: values of an option, or files where it takes one
    local argument values
    argument=$(_fxjit_ask "$1" --list-options | awk -F '\t' -v name="$2" '$1 == name { print $2; exit }')
    values=$(_fxjit_ask "$1" "$2" '?')
    if [[ -n $values ]]; then
        COMPREPLY=($(compgen -W "$values" -- "$cur"))
    elif [[ $argument == *FILE || $argument == *DIR || $argument == *FOLDER ]]; then
        cur=${cur##*=}
        _fxjit_files ''
    fi
}

_fxjit() {
    local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]} option=
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W "$(_fxjit_ask --list-verbs | cut -f 1) help --help --version" -- "$cur"))
        return
    fi
    if [[ $cur == = ]]; then
        cur='' option=$before
    elif [[ $before == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ $before == --* ]] && _fxjit_ask "$verb" --list-options | awk -F '\t' -v name="$before" '$1 == name && $2 != "" { found = 1 } END { exit !found }'; then
        option=$before
    elif [[ $before == -o || $before == -i ]]; then
        _fxjit_files ''
        return
    fi
    if [[ -n $option ]]; then
        _fxjit_value "$verb" "$option"
    elif [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$(_fxjit_ask "$verb" --list-options | awk -F '\t' '{ print $1 ($2 == "" ? "" : "=") }') --help" -- "$cur"))
        [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
    elif [[ $verb == help ]]; then
        COMPREPLY=($(compgen -W "$(_fxjit_ask --list-verbs | cut -f 1)" -- "$cur"))
    elif [[ $verb == ops ]]; then
        COMPREPLY=($(compgen -W "$(_fxjit_ask ops --list-names)" -- "$cur"))
    else
        _fxjit_files .onnx .fxm .fx .json
        [[ ${COMPREPLY[0]} == */ ]] && compopt -o nospace 2>/dev/null
    fi
}
complete -F _fxjit fxjit
