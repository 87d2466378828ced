# SPDX-License-Identifier: Apache-2.0
# Types into an interactive zsh, presses Tab and prints what then stands on the screen, until it holds WANTED: completion.zsh FOLDER TEXT WANTED
zmodload zsh/zpty
export TERM=dumb
zpty shell zsh -f -i
read_until() { # MARK: prints what comes until it, for two seconds at most
    local part all= n
    for n in {1..200}; do
        while zpty -r -t shell part; do all+=$part; done
        [[ $all == *$1* ]] && break
        sleep 0.01
    done
    print -r -- $all
}
zpty -w shell "PS1='> '; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; bindkey '^I' complete-word; echo rea''dy"
read_until ready >/dev/null
zpty -w -n shell "$2"$'\t'
read_until "$3"
zpty -d shell
