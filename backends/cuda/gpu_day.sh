#!/usr/bin/env bash
# The day a GPU is at hand: tests, primitives against their twins, and measurements, in under ten
# minutes. Needs fastconv and this distribution installed with the extras test, bench and cuda12 or
# cuda13.
set -uo pipefail
cd "$(dirname "$0")"
failed=0
step() {
    echo "== $1"
    shift
    "$@" || { failed=1; echo "FAILED: $*"; }
}
kit=(-p fastconv.testing.plugin --pyargs fastconv.testing.conformance --fastconv-backend cuda)
step "what is here" python -c "import fastconv; print(*fastconv.backends(), sep='\n')"
step "primitives against their twins" timeout 60 python -m pytest -q tests/test_primitives.py \
    tests/test_hopper_primitives.py
step "the conformance kit" timeout 150 python -m pytest -q "${kit[@]}"
if command -v compute-sanitizer >/dev/null; then
    step "memory" timeout 90 compute-sanitizer --error-exitcode 9 python -m pytest -q -x \
        "${kit[@]}" -k "grouped-strided"
fi
# More at leisure: python -m fastconv_cuda.bench --precisions bfloat16 --minutes 9
for precision in bfloat16 float32 tf32 float16; do
    step "beside cuDNN, $precision" timeout 75 python -m fastconv_cuda.bench --minutes 0.9 \
        --precisions "$precision" --write ../../docs/gpu-results.md
done
exit $failed
