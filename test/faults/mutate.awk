# SPDX-License-Identifier: Apache-2.0
# mutate.awk FAULTS SOURCE: prints SOURCE with every fault planted that names it (variable `name`: its path in the tree), each behind a
# test of fx_fault. Fails when a fault's old text does not stand exactly once.
function plant(number,   at, rest) {
    at = index(source, old)
    rest = substr(source, at + length(old))
    if (at == 0 || index(rest, old)) {
        print name ": the text of fault " fault (at ? " stands more than once" : " is not there") | "cat >&2"
        failed = 1
        return
    }
    gsub(/FAULT/, "(fx_fault == " number ")", new)
    source = substr(source, 1, at - 1) new rest
}
FNR == NR && /^fault / { fault = $2; number++ }
FNR == NR && /^file / { file = $2 }
FNR == NR && /^old / { olds[number] = substr($0, 5); files[number] = file; faults[number] = fault }
FNR == NR && /^new / { news[number] = substr($0, 5) }
FNR == NR { next }
{ source = source $0 "\n" }
END {
    for (n = 1; n <= number; n++)
        if (files[n] == name) {
            old = olds[n]; new = news[n]; fault = faults[n]
            plant(n)
        }
    if (failed) exit 1
    printf "extern int fx_fault;\n%s", source
}
