#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every verb of the program, its outputs and its exit statuses: cli.sh FXJIT DATA_FOLDER
set -u
fxjit=$1
data=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
checks=0

fail() {
    failed=$((failed + 1))
    echo "FAIL: $1"
    sed 's/^/  | /' "$work/out" "$work/err"
}

# expect STATUS ARGUMENT...: runs the program, keeps its output.
expect() {
    wanted=$1
    shift
    checks=$((checks + 1))
    "$fxjit" "$@" >"$work/out" 2>"$work/err"
    status=$?
    [ "$status" = "$wanted" ] || fail "fxjit $* gave $status, expected $wanted"
    last="fxjit $*"
}

# out TEXT, err TEXT: what the last run printed.
out() {
    checks=$((checks + 1))
    grep -qF -e "$1" "$work/out" || fail "$last: no \"$1\" on standard output"
}
err() {
    checks=$((checks + 1))
    grep -qF -e "$1" "$work/err" || fail "$last: no \"$1\" on standard error"
}
is_file() {
    checks=$((checks + 1))
    [ -s "$1" ] || fail "$last: no file $1"
}
no_file() {
    checks=$((checks + 1))
    [ ! -e "$1" ] || fail "$last: left $1 behind"
}
json() {
    checks=$((checks + 1))
    command -v python3 >/dev/null || return
    python3 -c "import json,sys; o=json.load(open(sys.argv[1])); assert $1, o" "$work/out" 2>>"$work/err" || fail "$last: JSON without $1"
}

mlp=$data/mlp/model.onnx

# ---- The program itself
expect 0 --help
out 'Usage: fxjit VERB'
expect 0 --version
out 'fxjit 0.'
expect 0 help run
out 'Examples:'
expect 2
err 'Usage'
expect 2 shwo
err "did you mean 'show'?"
for verb in show explain run report verify bench profile compile convert ops machine; do
    expect 0 $verb --help
    out 'Examples:'
    expect 2 $verb --no-such-option
    err 'unknown option'
done
for verb in show explain run report verify bench profile compile; do
    expect 2 $verb
    expect 1 $verb "$work/absent.onnx"
done
for verb in show explain run report bench profile compile; do
    expect 2 $verb "$mlp" "$mlp"
    err 'one model at a time'
done

# ---- show
expect 0 show "$mlp"
out 'placeholder'
out 'torch.ops.aten.linear.default'
expect 0 show --format table "$mlp"
out 'call_function'
expect 0 show --format dot "$mlp"
out 'digraph'
out 'subgraph cluster_1'
out 'label="  f32[3, 16], 192 B"'
expect 0 show --format mermaid "$mlp"
out 'subgraph g1["hidden"]'
expect 0 show --format dot --times "$mlp"
out '\ntorch.ops.aten.linear.default\n'
checks=$((checks + 1))
grep -qE 'linear.*[0-9] [nu]s"' "$work/out" || fail 'no time in the drawing'
expect 2 show --format python --times "$mlp"
err '--times is for'
expect 0 show --format json "$mlp"
json "o['format'] == 'fxjit' if 'format' in o else len(o) > 0"
expect 0 show --format python "$mlp"
out 'def forward(self, input0):'
expect 0 show --format readable "$mlp"
out 'input0: "f32[3, 16]"'
expect 0 show --format module "$mlp"
out "self.hidden.register_parameter('weight', torch.nn.Parameter(torch.empty([32, 16], dtype=torch.float32)))"
expect 0 show --format c "$mlp"
out 'fx_status build(fx_context'
expect 0 show --format fx -o "$work/mlp.fx" "$mlp"
is_file "$work/mlp.fx"
expect 0 show "$work/mlp.fx"
out 'linear'
if command -v dot >/dev/null; then
    expect 0 show --format svg -o "$work/mlp.svg" "$mlp"
    is_file "$work/mlp.svg"
else
    expect 1 show --format svg "$mlp"
    err 'Graphviz'
fi
for stage in core program llvm asm; do
    expect 0 show --stage $stage "$mlp"
    is_file "$work/out"
done
expect 0 show --stage obj -o "$work/mlp.obj" "$mlp"
is_file "$work/mlp.obj"
expect 2 show --stage programm "$mlp"
err "did you mean 'program'?"
# a part: what matches, what it reads, who reads it
lines() {
    checks=$((checks + 1))
    [ "$(grep -c -- "$1" "$work/out")" = "$2" ] || fail "$last: \`$1\` is not in $2 lines"
}
expect 0 show --node '_Relu*' "$mlp"
lines '^    %' 3
lines '^    \.\.\.$' 3
expect 0 show --node '/out/Gemm' --format table "$mlp"
lines '^call_' 3
lines '^get_attr' 2
expect 0 show --node out_bias --format fx "$mlp"
lines '^  %' 2
expect 0 show --node '_Relu*' --stage core "$mlp"
lines '^  %' 3
expect 0 show --node '_Relu*' --format dot "$mlp"
lines ' -> ' 2
lines 'fillcolor' 3
lines 'subgraph' 2
expect 0 show --node output0 --format dot "$mlp"
lines 'subgraph' 1
expect 0 show --node 'output0' --format mermaid --times "$mlp"
lines '-->' 2
for stage in program llvm asm; do
    expect 0 show --node '_Relu*' --stage $stage "$mlp"
    lines '^[#;] k[0-9]*: ' 1
    lines '_hidden_Gemm_output_0 + _Relu_output_0' 1
done
expect 0 show --node '*' --stage asm -o "$work/part.s" "$mlp"
is_file "$work/part.s"
expect 1 show --node 'Relux' "$mlp"
err "no node is called 'Relux'; did you mean '_Relu_output_0'?"
expect 1 show --node 'Relux' --stage core "$mlp"
err "did you mean '_Relu_output_0'?"
expect 1 show --node 'Relux' --stage asm "$mlp"
err "did you mean '_Relu_output_0'?"
expect 1 show --node hidden_weight --stage asm "$mlp"
err 'it is of the kind "constant"'
expect 1 show --node 'Relux' --format dot --times "$mlp"
err "did you mean '_Relu_output_0'?"
expect 2 show --node 'Relu' --format python "$mlp"
expect 2 show --node 'Relu' --stage obj "$mlp"
expect 2 show --stage program --format dot "$mlp"
expect 1 show -o "$work/no/such/folder/x" "$mlp"
err 'no/such/folder'

# ---- What is printed and written
if [ -c /dev/full ]; then
    for verb in show run explain ops help; do
        checks=$((checks + 1))
        [ $verb = ops ] || [ $verb = help ] && model= || model=$mlp
        if "$fxjit" $verb $model >/dev/full 2>"$work/err"; then fail "fxjit $verb into a full disk gave 0"; fi
    done
    err 'standard output: No space left'
    ln /dev/full "$work/full" 2>/dev/null || mknod -m 666 "$work/full" c 1 7 2>/dev/null
    if [ -c "$work/full" ] && : 2>/dev/null >"$work/full"; then
        for verb in 'show -o' 'report -o' 'profile --runs 1 --trace'; do
            expect 1 $verb "$work/full" "$mlp"
            err 'No space left'
            checks=$((checks + 1))
            [ -c "$work/full" ] || fail "$last: the device is gone"
        done
    fi
fi
printf 'as it was' >"$work/kept"
(
    PATH=/nowhere
    expect 1 show --format svg -o "$work/kept" "$mlp"
    exit $failed
) || failed=$((failed + 1))
checks=$((checks + 1))
[ "$(cat "$work/kept")" = 'as it was' ] || fail 'a drawing that failed has left another file'
ln -s kept "$work/link.fx"
expect 0 convert "$mlp" "$work/link.fx"
checks=$((checks + 1))
{ [ -L "$work/link.fx" ] && grep -q linear "$work/kept"; } || fail 'a link was replaced instead of what it leads to'
mkdir "$work/folder.fx"
expect 1 convert --json "$mlp" "$work/folder.fx"
json "'folder.fx: Is a directory' in o['error']"
cp "$mlp" "$work/$(printf 'no\377utf8').onnx"
expect 0 run --json "$work/$(printf 'no\377utf8').onnx"
json "o['outputs'] and o['model'].endswith('no?utf8.onnx')"
expect 1 run --json "$work/$(printf 'none\377').onnx"
json "'none?.onnx' in o['error']"
expect 1 ops --json sofmax
json "'softmax' in o['error']"
expect 0 ops --json LpPool
json "o['operators'] == [] and o['onnx'][0]['name'] == 'LpPool'"

# ---- explain
expect 0 explain "$mlp"
out 'Units of a run'
out 'Fallbacks: none'
expect 0 explain --only pairs --only memory "$mlp"
out 'Neighbours: '
out 'workspace'
expect 0 explain --json "$data/convnet/model.onnx"
json "sum(u['flop'] for u in o['units'] if u['parent'] < 0 and not u['init']) == o['flop'] and o['expected_us'] > 0"
json "all(p['reason'] for p in o['pairs']) and o['units'][0]['nodes'][0]['function'] == '/stem/Conv'"
expect 0 explain --node '/stem/*' --json "$data/convnet/model.onnx"
json "len(o['units']) == 1 and len(o['kernels']) == 1 and 'kernel ' in o['kernels'][0]['stages']"
expect 0 explain --kernel k0 --stage asm "$mlp"
out 'k_'
expect 1 explain --node 'no such node' "$mlp"
err 'no unit has'
expect 2 explain --only pears "$mlp"
err "did you mean 'pairs'?"
expect 2 explain --stage llvm --json "$mlp"

# ---- run
expect 0 run "$mlp"
out 'output'
expect 0 run --engine interpreter "$mlp"
cp "$work/out" "$work/first"
expect 0 run --engine interpreter "$mlp"
checks=$((checks + 1))
cmp -s "$work/first" "$work/out" || fail 'two runs with one seed differ'
input=$(basename "$data"/mlp/in/*.npy .npy)
expect 0 run --input "$data/mlp/in/$input.npy" --output-dir "$work/outputs" "$mlp"
is_file "$work/outputs/$(basename "$data"/mlp/out/*.npy)"
expect 0 run --input "$input=$data/mlp/in/$input.npy" --json "$mlp"
json "o['outputs'][0]['type'].startswith('f32[')"
expect 2 run --input "${input}x=$data/mlp/in/$input.npy" "$mlp"
err 'did you mean'
expect 1 run --input "$work/absent.npy" "$mlp"
err 'absent.npy'
expect 1 run --input "$mlp" "$mlp"
err 'not a .npy file'
expect 0 run --dim batch=3 "$data/mlp_dynamic/model.onnx"
out 'f32[3, '
expect 2 run --dim batsh=3 "$data/mlp_dynamic/model.onnx"
err "did you mean 'batch'?"
expect 2 run --dim batch=many "$data/mlp_dynamic/model.onnx"
expect 2 run --dim batch "$data/mlp_dynamic/model.onnx"
printf 'graph {\n  symbol n [1, 9] hint 5 multiple 1\n%%x = placeholder "x" : f32[2*n]\n%%y = placeholder "y" : f32[n]\n%%a = call_function "torch.neg"(%%x)\n%%b = call_function "torch.neg"(%%y)\n%%output = output((%%a, %%b))\n}\n' >"$work/twice.fx"
expect 0 run --dim n=4 "$work/twice.fx"
out 'a: f32[8]'
printf 'module "m"\noutput_name 0 "a/b"\noutput_name 1 "a_b"\ngraph {\n%%x = placeholder "x" : f32[2]\n%%a = call_function "torch.neg"(%%x)\n%%b = call_function "torch.abs"(%%x)\n%%output = output((%%a, %%b))\n}\n' >"$work/names.fx"
expect 0 run --output-dir "$work/names" "$work/names.fx"
is_file "$work/names/a_b.npy"
is_file "$work/names/a_b.2.npy"
cp "$work/names/a_b.2.npy" "$work/names/x.npy"
expect 0 bench --seconds 0 --inputs "$work/names" --expect "$work/names" "$work/names.fx"
expect 2 run --threads -1 "$mlp"
expect 2 run --engine compield "$mlp"
err "did you mean 'compiled'?"
head -c 300 "$mlp" >"$work/short.onnx"
expect 1 run "$work/short.onnx"
err 'malformed'
expect 1 run --json "$work/short.onnx"
json "'malformed' in o['error']"
: >"$work/empty.onnx"
expect 1 run "$work/empty.onnx"
err 'empty'
printf 'graph {\n  nonsense\n}\n' >"$work/bad.fx"
expect 1 run "$work/bad.fx"

# ---- report
expect 0 report -o "$work/mlp.html" "$mlp"
is_file "$work/mlp.html"
cp "$work/mlp.html" "$work/out"
out '<title>fxjit</title>'
checks=$((checks + 1))
python3 - "$work/mlp.html" <<'END' 2>>"$work/err" || fail 'the page does not hold what it should'
import base64, json, re, sys, zlib
page = open(sys.argv[1], encoding="utf-8").read()
data = json.loads(re.search(r'id="model-data">(.*?)</script>', page, re.S).group(1))
texts = json.loads(zlib.decompress(base64.b64decode(re.search(r'id="texts">(.*?)</script>', page, re.S).group(1)), -15))
assert data["model"] == "mlp" and any(n["n"] == "_hidden_Gemm_output_0" for n in data["nodes"]), data["model"]
assert len(texts) == len(data["kernels"]) > 0 and all("define" in llvm and "ret" in asm for llvm, asm in texts)
END
expect 0 report --node _Relu_output_0 --no-code -o - "$mlp"
out '"chosen":'
expect 2 report --node Gemmm -o "$work/none.html" "$mlp"
err "did you mean '_out_Gemm_output_0'?"
no_file "$work/none.html"
expect 1 explain --node 'Gemmm*' "$mlp"
err "did you mean '_out_Gemm_output_0'?"
expect 1 explain --node hidden_weight "$mlp"
err 'it is of the kind "constant"'
expect 1 ops sofmax
err "did you mean 'softmax'?"
expect 1 ops Einsm
err "did you mean 'Einsum'?"
expect 0 ops Conv
out 'conv2d('
expect 0 ops LpPool
out 'translated into several operators'
expect 0 show --list-options
out '--format	FORMAT	'
expect 0 show --stage '?'
out 'program'
expect 0 report --no-code -o - "$mlp"
out '<script type="text/plain" id="texts"></script>'
expect 1 report -o "$work/no/such/folder/x.html" "$mlp"
err 'no/such/folder'
expect 0 show --format html -o "$work/graph.html" "$mlp"
is_file "$work/graph.html"

# ---- stats, lint and diff
expect 0 show --format stats "$mlp"
out '676 elements, 2704 bytes, in 4 tensors'
out '4104 flops'
printf 'graph {\n%%x = placeholder "x"\n%%a = call_function "torch.neg"(%%x)\n%%b = call_function "torch.neg"(%%a)\n%%output = output(%%b)\n}\n' >"$work/neg.fx"
expect 0 show --format lint "$work/neg.fx"
out 'warning: %b: it undoes a [double-negation]'
expect 0 diff "$mlp" "$mlp"
sed 's/torch.neg"(%a)/torch.abs"(%a)/' "$work/neg.fx" >"$work/abs.fx"
expect 1 diff "$work/neg.fx" "$work/abs.fx"
out '~ %b: target: torch.neg -> torch.abs'
expect 1 diff --json "$work/neg.fx" "$work/abs.fx"
json "o['changes'][0] == {'kind': 'changed', 'node': 'b', 'field': 'target', 'before': 'torch.neg', 'after': 'torch.abs'}"
expect 1 diff "$mlp" "$work/nothing.fx"
expect 2 diff "$mlp"
err 'which two models?'

# ---- verify
expect 0 verify "$data/mlp" "$data/convnet" "$data/mlp_dynamic"
out '3 passed, 0 failed, 0 skipped'
expect 0 verify "$data"
out '3 passed, 0 failed, 0 skipped'
expect 0 verify --engine interpreter --dtype f64 --verbose "$data/mlp"
out 'ok   mlp'
expect 0 verify "$mlp"
expect 0 verify --json "$data/mlp"
json "o['passed'] == 1 and o['cases'][0]['result'] == 'passed'"
cp -r "$data/mlp" "$work/wrong"
cp "$data/mlp/in/$input.npy" "$work/wrong/out/$(basename "$data"/mlp/out/*.npy)"
expect 1 verify "$work/wrong"
out 'FAIL wrong'
out '0 passed, 1 failed, 0 skipped'
expect 1 verify "$work/outputs"
cd "$work" || exit 1
printf 'graph {\n%%x = placeholder "x" : f32[64]\n%%y = placeholder "y" : f32[64]\n%%a = call_function "torch.sin"(%%x)\n%%b = call_function "torch.mul"(%%a, %%y)\n%%c = call_function "torch.add"(%%b, %%x)\n%%d = call_function "torch.neg"(%%c)\n%%output = output(%%d)\n}\n' >fma.fx
expect 0 verify --against precision=strict,threads=1 fma.fx
expect 1 verify --against fusion=off,precision=strict --ulp 0 fma.fx
out 'first node c'
out 'form        native code'
out 'reproducer  2 nodes: fxjit verify fma.repro'
for file in model.fxm README reproducer.json in/a_in.npy in/x.npy out/c.npy bound/c.npy; do is_file "fma.repro/$file"; done
expect 1 verify fma.repro
out 'FAIL fma.repro: output "c" differs; first node c'
expect 1 verify --json --reproducer again --against precision=strict --ulp 0 fma.fx
json "o['cases'][0]['mismatch']['nodes'] == ['b', 'c'] and o['cases'][0]['mismatch']['reproducer'] == 'again'"
mkdir taken && : >taken/file
expect 1 verify --reproducer taken --against precision=strict --ulp 0 fma.fx
out 'taken is there already and is no reproducer'
is_file fma.fx
expect 1 verify --no-bisect --against precision=strict --ulp 0 fma.fx
out 'first node not looked for'
expect 2 verify --against precison=strict fma.fx
err "did you mean 'precision'?"
expect 0 verify --against cpu=x86-64-v3,threads=1 fma.fx
expect 1 verify --against target=aarch64-unknown-linux-gnu fma.fx
out 'cannot run on this machine'
expect 2 verify --against absent.onnx fma.fx
err 'neither a file nor OPTION=VALUE'
printf 'graph {\n%%x = placeholder "x" : f32[4, 8]\n%%y = call_function "torch.relu"(%%x)\n%%l = call_function "torch.log"(%%y)\n%%z = call_function "torch.mul"(%%l, 0.0)\n%%m = call_function "torch.clamp"(%%l, -inf, 1.0)\n%%n = call_function "torch.neg"(%%z)\n%%output = output((%%n, %%m))\n}\n' >nan.fx
expect 1 verify --nan nan.fx
out 'FAIL nan.fx: compiled: infinity arises in l (log)'
out 'infinity    interpreter: l (log): 11 of 32 elements'
out 'operand     y: 0 there; f32[4, 8] from 0 to 1.77832, 0 NaN, 0 infinite'
out 'NaN         interpreter: z (mul): 11 of 32 elements'
out 'operand     l: -inf there; '
expect 1 verify --nan --engine interpreter --json nan.fx
json "[(f['node'], f['kind'], f['position']) for f in o['cases'][0]['nonfinite']] == [('l', 'infinity', [0, 3]), ('z', 'NaN', [0, 3])]"
expect 0 verify --nan fma.fx "$data/mlp"
sed 's/%c = call_function "torch.add"(%b, %x)/%e = call_function "torch.sub"(%x, %b)/; s/(%c)/(%e)/; s/%a\b/%first/g' fma.fx >sub.fx
expect 1 verify --against sub.fx fma.fx
out 'FAIL fma.fx: output "d" differs from that of sub.fx; they part at c (add), there e (sub)'
out 'reads       b = b, x = x'
out 'in both     2 of 4 values'
expect 1 verify --json --against sub.fx fma.fx
json "o['cases'][0]['mismatch']['node'] == 'c' and o['cases'][0]['mismatch']['other'] == 'e'"
sed 's/%a\b/%first/g; s/%d\b/%last/g' fma.fx >same.fx
expect 0 verify --against same.fx fma.fx
expect 1 verify --against "$mlp" fma.fx
out 'the modules have'
cd - >/dev/null || exit 1

# ---- bench
expect 0 bench --seconds 0.1 --threads 1 "$mlp"
out 'GFLOP/s'
expect 0 bench --seconds 0.1 --threads 1 --json --inputs "$data/mlp/in" --expect "$data/mlp/out" "$mlp"
json "o['fallbacks'] == 0 and o['max_rel_error'] < 1e-4 and o['compile_ms'] > 0 and o['threads'] == 1"
json "o['compiled']['runs'] >= 10 and o['compiled']['median_ms'] >= o['compiled']['min_ms'] > 0 and o['interpreted']['runs'] == 1"
expect 0 bench --seconds 0 --engine compiled --json "$mlp"
json "'interpreted' not in o and 'max_rel_error' not in o"
printf 'graph {\n%%x = placeholder "x" : f32[4]\n%%a = call_method "add_"(%%x, 1.0)\n%%r = call_function "torch.relu"(%%a)\n%%output = output((%%r,))\n}\n' >"$work/changes.fx"
expect 0 bench --seconds 0 --json "$work/changes.fx"
json "o['max_rel_error'] < 1e-6 and o['threads'] >= 1"
expect 2 bench --seconds soon "$mlp"
expect 2 bench --expect "$data/mlp/out" "$mlp"
expect 1 bench --inputs "$work" "$mlp"

# ---- compile
expect 0 compile -o "$work/net.o" --threads 1 "$mlp"
is_file "$work/net.o"
is_file "$work/net.h"
expect 0 compile -o "$work/weights.o" --threads 1 --weights file "$mlp"
is_file "$work/weights.weights"
expect 0 compile -o "$work/v3.o" --threads 1 --target x86_64-linux-gnu --cpu x86-64-v3 "$mlp"
is_file "$work/v3.o"
expect 0 compile -o "$work/old.o" --threads 1 --target x86_64-linux-gnu --cpu pentium4 "$mlp"
expect 1 compile -o "$work/bad.o" --cpu nonsense --features=+nonsense,-sse2,avx2 "$mlp"
err 'CPU "nonsense" is unknown to LLVM'
err 'feature "+nonsense" is unknown'
err 'feature "avx2" is unknown'
err 'with "-sse2"'
no_file "$work/bad.o"
expect 1 run --cpu haswel "$mlp"
err 'did you mean "haswell"?'
expect 1 run --target aarch64-linux-gnu "$mlp"
err 'cannot run on this machine'
expect 0 run --features=-avx "$mlp"
expect 2 compile --weights elsewhere "$mlp"
expect 1 compile -o "$work/no/such/folder/net.o" "$mlp"
no_file "$work/no"

# ---- a graph whose tensors have no values
printf 'module "m"\nparameter "w" : f32[8]\ngraph {\n%%x = placeholder "x" : f32[2, 8]\n%%w = get_attr "w" : f32[8]\n%%y = call_function "torch.add"(%%x, %%w)\n%%output = output(%%y)\n}\n' >"$work/bare.fx"
for engine in compiled interpreter; do
    expect 1 run --engine "$engine" "$work/bare.fx"
    err 'tensor "w" has a type but no values'
done

# ---- convert
expect 0 convert "$mlp" "$work/net.fxm"
is_file "$work/net.fxm"
expect 0 convert --json "$work/net.fxm" "$work/again.fxm"
json "o['output'].endswith('again.fxm')"
checks=$((checks + 1))
cmp -s "$work/net.fxm" "$work/again.fxm" || fail "an .fxm file is not written again as it was"
expect 0 convert "$work/net.fxm" "$work/net.fx"
expect 0 show "$work/net.fx"
out "return"
expect 0 run "$work/net.fxm"
expect 0 compile -o "$work/fxm.o" --threads 1 "$work/net.fxm"
expect 0 verify "$work/net.fxm"
mkdir "$work/case"
cp -r "$data/mlp/in" "$data/mlp/out" "$work/case"
cp "$work/net.fxm" "$work/case/model.fxm"
expect 0 verify "$work/case"
out "1 passed"
head -c 1000 "$work/net.fxm" >"$work/cut.fxm"
expect 1 show "$work/cut.fxm"
err "the archive is damaged"
expect 1 convert "$work/nothing.onnx" "$work/none.fxm"
no_file "$work/none.fxm"
expect 2 convert "$mlp" "$work/net.xyz"
err "ends neither in .fxm nor in .fx"
expect 2 convert "$mlp"

# ---- machine
XDG_CACHE_HOME=$work/cache
export XDG_CACHE_HOME
expect 0 machine --json
json "o['gflops'][0] > 0 and o['levels'][0]['name'] == 'L1' and o['clock_ghz'] > 0"
cp "$work/out" "$work/first"
is_file "$(find "$work/cache/fxjit" -name 'machine-*.txt')"
expect 0 machine --json
checks=$((checks + 1))
cmp -s "$work/first" "$work/out" || fail 'the measurement was not kept'
expect 0 machine
out 'GFLOP/s'
expect 2 machine "$mlp"
err 'no model'

# ---- perf and gdb
FXJIT_DEBUG=perf "$fxjit" run "$data/convnet/model.onnx" >"$work/out" 2>"$work/err" &
pid=$!
wait $pid
last='FXJIT_DEBUG=perf fxjit run'
mv "/tmp/perf-$pid.map" "$work/out"
out '_wide_Conv_output_0'
out 'fx_entry.run'
last='perf'
FXJIT_DEBUG=perf perf record -o "$work/perf.data" "$fxjit" bench --threads 1 --seconds 0.5 --engine compiled \
    "$data/convnet/model.onnx" >"$work/recorded" 2>&1
if [ -s "$work/perf.data" ]; then
    perf report -i "$work/perf.data" --stdio --sort symbol >"$work/recorded" 2>"$work/err"
    checks=$((checks + 1))
    grep -q '\[\.\] k[0-9]*__wide_Conv_output_0' "$work/recorded" || fail "perf names no kernel"
else
    echo 'perf is not installed or may not count here: whether it names generated code is not tested'
fi
if ! command -v gdb >/dev/null; then
    echo 'gdb is not installed: whether it names generated code is not tested'
elif ldd "$fxjit" | grep -q libasan; then
    echo 'gdb and sanitizers do not go together: whether it names generated code is not tested'
else
    kernel=$(sed -n 's/.* \(k[0-9]*__wide_Conv_output_0\)$/\1/p' "$work/out")
    FXJIT_DEBUG=gdb timeout 100 gdb -q -nx -batch -ex 'set breakpoint pending on' -ex "break $kernel" -ex run -ex bt \
        --args "$fxjit" run --threads 1 "$data/convnet/model.onnx" >"$work/out" 2>"$work/err" </dev/null
    last='gdb'
    if grep -q 'ptrace: Operation not permitted' "$work/err"; then
        echo 'gdb may not trace here: whether it names generated code is not tested'
    else
        out "in $kernel ()"
        out 'in fx_entry_entry ()'
        out 'in fx_run ()'
    fi
fi

# ---- progress: on a terminal, and only there
if command -v script >/dev/null; then
    script -qec "'$fxjit' profile --seconds 2.5 '$mlp' >/dev/null" "$work/out" >/dev/null 2>&1 </dev/null
    last='fxjit profile on a terminal'
    out 'measuring the model, '
else
    echo 'script is not installed: progress on a terminal is not tested'
fi
expect 0 profile --seconds 1.2 "$mlp"
checks=$((checks + 1))
[ ! -s "$work/err" ] || fail "$last: progress without a terminal"

# ---- profile
expect 0 profile --runs 3 --seconds 0 --threads 1 "$mlp"
out 'of roof'
out 'entry'
expect 0 profile --runs 3 --seconds 0 --by node --interpreted --json "$data/convnet/model.onnx"
json "o['runs'] == 3 and len(o['nodes']) > 3 and all(n['us'] >= 0 for n in o['nodes']) and o['interpreted_us'] > 0"
json "abs(o['units_us'] + o['entry_us'] - o['wall_us']) < 0.5 * o['wall_us'] and o['machine']['gflops'][0] > 0"
expect 0 profile --runs 3 --seconds 0 --by kernel --interpreted "$data/convnet/model.onnx"
out 'interpreted:'
expect 0 profile --runs 3 --seconds 0 --json --trace "$work/trace.json" "$data/convnet/model.onnx"
json "sum(u['n'] > 0 for u in o['units']) == len(o['units']) and o['units'][0]['us'] >= o['units'][-1]['us']"
units=$(tr , '\n' <"$work/out" | grep -c '"unit":')
cp "$work/trace.json" "$work/out"
json "len([e for e in o['traceEvents'] if e['ph'] == 'X' and e['name'] == 'run 3']) == 1"
json "all(e['dur'] >= 0 and e['ts'] >= 0 for e in o['traceEvents'] if e['ph'] == 'X')"
json "len([e for e in o['traceEvents'] if e['ph'] == 'X' and e['tid'] == 0]) == 3 * (1 + $units)"
expect 0 profile --runs 5 --seconds 0 --leave-out 0 --leave-out '#1' "$data/convnet/model.onnx"
out 'was measured inside'
expect 0 profile --runs 12 --seconds 0 --leave-out 0 --json "$data/convnet/model.onnx"
json "o['left_out']['pairs'] == 12 and o['left_out']['low_us'] <= o['left_out']['less_us'] <= o['left_out']['high_us']"
json "o['left_out']['inside_us'] > 0"
expect 2 profile --leave-out nothing "$mlp"
err "no unit 'nothing'"
expect 2 profile --by row "$mlp"
expect 1 profile --seconds 0 --trace "$work/no/such/trace.json" "$mlp"
err 'no/such'

# ---- ops
expect 0 ops
out 'relu'
out 'ONNX operators'
expect 0 ops relu
out 'relu(Tensor self) -> Tensor'
expect 1 ops no_such_operator
expect 0 ops --json
json "len(o['operators']) > 20 and 'Gemm' in [row['name'] for row in o['onnx']]"

echo "$checks checks, $failed failed"
[ "$failed" = 0 ]
