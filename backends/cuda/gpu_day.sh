#!/usr/bin/env bash
# The day a GPU is at hand: tests, primitives against their twins, and measurements, in under ten
# minutes. Needs fastconv and this distribution installed with the extras test, bench and cuda12 or
# cuda13; or, where nothing can be installed, their requirements and a checkout whose core is built.
set -uo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-$(command -v python || command -v python3)}
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
export FASTCONV_CUDA_CACHE=${FASTCONV_CUDA_CACHE:-$made/kernels}
failed=0
step() {
    echo "== $1 (after ${SECONDS} s)"
    shift
    "$@" || { failed=1; echo "FAILED: $*"; }
}
if ! "$python" -m pip show -q fastconv-cuda 2>/dev/null; then
    echo "fastconv-cuda isn't installed: this checkout is taken, entry points and all"
    export PYTHONPATH="$made:$PWD:$(cd ../.. && pwd)${PYTHONPATH:+:$PYTHONPATH}"
    "$python" tests/as_installed.py "$made" || exit 1
fi
# A warning of somebody else's library is no reason to lose the day.
quiet=(-q -W default -p no:cacheprovider)
kit=("${quiet[@]}" -p fastconv.testing.plugin --pyargs fastconv.testing.conformance
    --fastconv-backend cuda)
echo "== what is here"
"$python" - <<'END' || exit 1
import fastconv
found = {entry.name: entry for entry in fastconv.backends()}
for entry in found.values():
    print(entry.name, entry.status, *entry.devices, entry.reason)
raise SystemExit("cuda" not in found or found["cuda"].status != "ready")
END
echo "== every kernel compiled (after ${SECONDS} s)"
timeout 75 "$python" -m fastconv_cuda.ahead || echo "what is left is compiled where it is needed"
step "primitives against their twins" timeout 60 "$python" -m pytest "${quiet[@]}" -k gpu \
    tests/test_primitives.py tests/test_hopper_primitives.py
step "the conformance kit" timeout 120 "$python" -m pytest "${kit[@]}"
if command -v compute-sanitizer >/dev/null; then
    step "memory" timeout 60 compute-sanitizer --error-exitcode 9 "$python" -m pytest -x \
        "${kit[@]}" -k "grouped-strided"
fi
# More at leisure: python -m fastconv_cuda.bench --precisions bfloat16 --minutes 9, and on Hopper the
# same with --algorithm implicit_gemm_mma.
for precision in bfloat16 float32 tf32 float16; do
    step "beside cuDNN, $precision" timeout 55 "$python" -m fastconv_cuda.bench --minutes 0.6 \
        --precisions "$precision" --write ../../docs/gpu-results.md
done
step "beside the CPU" timeout 45 "$python" -m fastconv_cuda.bench.beside_cpu --minutes 0.4 \
    --write ../../docs/gpu-results.md
echo "== done after ${SECONDS} s"
exit $failed
