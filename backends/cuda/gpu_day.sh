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
step "primitives against their twins" timeout 60 python -m pytest -q tests/test_primitives.py
step "the conformance kit" timeout 200 python -m pytest -q "${kit[@]}"
if command -v compute-sanitizer >/dev/null; then
    step "memory" timeout 90 compute-sanitizer --error-exitcode 9 python -m pytest -q -x \
        "${kit[@]}" -k "grouped-strided"
fi
step "beside cuDNN" timeout 230 python -m fastconv_cuda.bench --minutes 3.5 \
    --write ../../docs/gpu-results.md
exit $failed
