"""A whole backend for fastconv: convolution by NumPy's einsum. Copy it and make it fast."""

from math import prod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from fastconv.backend import API_VERSION, Decision, Info, Probe
from fastconv.precision import COMPLEX, classical_error_bound

RATE = 2e8  # operations per second, measured once: predictions only rank candidates


def padded_shape(problem):
    """Return the shape of x with its padding."""
    pairs = zip(problem.x.shape[2:], problem.padding, strict=True)
    return (*problem.x.shape[:2], *(extent + sum(pair) for extent, pair in pairs))


class Backend:
    """The contract's four members."""

    info = Info(
        name="template",
        api_version=API_VERSION,
        namespace="numpy",
        array_types=("numpy.ndarray",),
        device_kinds=("cpu",),
        operations=("conv_forward",),
        version="0.1.0",
    )

    def probe(self):
        """Say which devices are usable here."""
        return Probe(devices=("cpu",))

    def decide(self, problem, policy):
        """Say what this problem would take, or why it is declined."""
        reason = self.why_not(problem, policy)
        if reason:
            return [Decision(False, reason, "einsum")]
        needed = prod(padded_shape(problem)) * np.dtype(problem.dtype).itemsize
        if needed > policy.workspace_limit:
            reason = f"a padded copy of x takes {needed} bytes, over the workspace limit"
            return [Decision(False, reason, "einsum", over_limit=True)]
        decision = Decision(
            can=True,
            reason="einsum over sliding windows",
            algorithm="einsum",
            precision=COMPLEX.get(problem.dtype, problem.dtype),
            error_bound=classical_error_bound(problem.reduction + 1, problem.dtype, problem.dtype),
            seconds=problem.flops / RATE,
            workspace_bytes=needed,
        )
        return [decision]

    def why_not(self, problem, policy):
        """Return the reason to decline a problem; an empty string to take it."""
        if problem.operation not in self.info.operations:
            return f"it has no {problem.operation}"
        if problem.dtype in ("float16", "bfloat16"):
            return f"einsum sums {problem.dtype} in {problem.dtype}, which loses too much"
        if policy.precision not in (None, "auto", COMPLEX.get(problem.dtype, problem.dtype)):
            return f"it computes in {problem.dtype} only, not in {policy.precision}"
        return "it has no activations" if problem.activation else ""

    def plan(self, problem, decision):
        """Make a decision ready to run."""
        return Plan(problem, decision.workspace_bytes)


class Plan:
    """A problem made ready to run: never changed, shared by threads."""

    def __init__(self, problem, needed):
        self.problem, self.workspace_bytes, self.empty = problem, needed, np.empty

    def run(self, inputs, outputs, workspace, stream=None):
        """Fill y, group by group; allocate nothing beyond the workspace."""
        p, (x, weight, *bias), (y,) = self.problem, inputs, outputs
        memory = bytearray() if workspace is None else workspace
        padded = np.ndarray(padded_shape(p), p.dtype, memory)
        padded.fill(0)
        pads = zip(p.padding, x.shape[2:], strict=True)
        padded[(..., *(slice(before, before + extent) for (before, _), extent in pads))] = x
        reach = [(k - 1) * d + 1 for k, d in zip(p.kernel, p.dilation, strict=True)]
        windows = sliding_window_view(padded, reach, axis=range(2, x.ndim))
        windows = windows[(..., *(slice(None, None, n) for n in p.stride + p.dilation))]
        kernels = weight.conj() if p.conjugate else weight
        out, taps = range(10, 8 + x.ndim), range(20, 18 + x.ndim)
        for g in range(p.groups):  # axes: 0 image, 1 channel of x, 2 channel of y
            c, o = (slice(g * n, g * n + n) for n in (weight.shape[1], len(weight) // p.groups))
            seen, part = (windows[:, c], [0, 1, *out, *taps]), (kernels[o], [2, 1, *taps])
            np.einsum(*seen, *part, [0, 2, *out], out=y[:, o])
        if bias:
            y += bias[0].reshape(-1, *(1 for _ in out))


BACKEND = Backend()
