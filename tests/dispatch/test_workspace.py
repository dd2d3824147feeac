"""workspace_limit is hard."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

import fastconv
from fastconv.cpu import memory
from fastconv.dispatch import workspace
from fastconv.dispatch.workspace import borrow, give_back

MIB = 2**20


def peak_bytes(function, *args, **kwargs):
    """Return the most memory that Python and NumPy hold during a call, and its result."""
    fastconv.release_memory()
    memory.keep(0)  # tracemalloc sees NumPy's own memory alone
    tracemalloc.start()
    try:
        result = function(*args, **kwargs)
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()
        memory.keep(memory.bound())


@pytest.fixture(scope="module")
def photograph():
    """Return a 4-channel image and a kernel whose columns would take 38 GB."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((1, 4, 512, 512), dtype=np.float32)
    return x, rng.standard_normal((1, 4, 127, 127), dtype=np.float32)


def test_a_huge_kernel_stays_within_the_default_limit(photograph):
    x, w = photograph
    (whole,) = fastconv.explain(fastconv.conv2d, x, w).problems
    assert 0 < whole.chosen.workspace_bytes <= 64 * MIB
    with fastconv.trace() as ran:
        peak, y = peak_bytes(fastconv.conv2d, x, w, stride=16)
    assert w[0].nbytes * y[0, 0].size > 128 * MIB  # the columns, whole
    assert ran[0].workspace_bytes <= 64 * MIB
    assert peak <= 64 * MIB + y.nbytes + MIB
    at = x[0, :, 48 : 48 + 127, 32 : 32 + 127].astype(np.float64)
    assert y[0, 0, 3, 2] == pytest.approx((at * w[0]).sum(), abs=0.05)


@pytest.mark.slow
def test_a_huge_kernel_at_every_position(photograph):
    x, w = photograph
    peak, y = peak_bytes(fastconv.conv2d, x, w)
    assert y.shape == (1, 1, 386, 386)
    assert peak <= 64 * MIB + y.nbytes + MIB


@pytest.mark.parametrize("limit", [64 * 1024, 256 * 1024, MIB])
def test_smaller_limits_give_the_same_answer(limit):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((2, 16, 40, 40), dtype=np.float32)
    w = rng.standard_normal((24, 16, 5, 5), dtype=np.float32)
    grad = rng.standard_normal((2, 24, 36, 36), dtype=np.float32)
    calls = [
        (fastconv.conv2d, (x, w)),
        (fastconv.conv2d_input_grad, (x.shape, w, grad)),
        (fastconv.conv2d_weight_grad, (x, w.shape, grad)),
    ]
    for function, args in calls:
        free = function(*args)
        function(*args, workspace_limit=limit)  # what Python keeps, it keeps from here on
        with fastconv.trace() as ran:
            peak, tight = peak_bytes(function, *args, workspace_limit=limit)
        assert ran[0].workspace_bytes <= limit
        assert peak <= limit + tight.nbytes + 128 * 1024
        np.testing.assert_allclose(tight, free, rtol=1e-3, atol=1e-3)


def test_what_does_not_fit_is_refused_with_the_way_out(arguments):
    with pytest.raises(fastconv.WorkspaceLimitError, match=r"limit=1 .*Raise it") as caught:
        fastconv.conv2d(*arguments, workspace_limit=1)
    assert isinstance(caught.value, MemoryError)
    assert "cpu/im2col_blas" in str(caught.value)


def test_conversions_count(arguments):
    x, w = arguments
    swapped = x.astype(">f8")
    with pytest.raises(fastconv.WorkspaceLimitError, match="converting the arguments"):
        fastconv.conv2d(swapped, w, workspace_limit=swapped.nbytes - 1)
    with fastconv.trace() as ran:
        fastconv.conv2d(swapped, w)
    assert ran[0].workspace_bytes >= swapped.nbytes


def test_overlap_copies_count():
    x = np.ones((1, 1, 64, 64))
    w = np.ones((1, 1, 1, 1))
    with pytest.raises(fastconv.WorkspaceLimitError, match="overlaps an input"):
        fastconv.conv2d(x, w, out=x, workspace_limit=x.nbytes - 1)
    fastconv.conv2d(x, w, out=np.empty_like(x), workspace_limit=x.nbytes - 1)
    assert (x == 1).all()


def test_a_decision_over_the_limit_is_never_taken(arguments, fake):
    from dataclasses import replace

    fake.decision = replace(fake.decision, workspace_bytes=2**30)
    with pytest.raises(fastconv.WorkspaceLimitError, match="it needs 1073741824 bytes"):
        fastconv.conv2d(*arguments, backend="fake")
    fastconv.conv2d(*arguments, backend="fake", workspace_limit=2**30)


class ScratchPlan:
    """Notes the workspaces that it is given, and may do something while it has one."""

    workspace_bytes = 1000

    def __init__(self, backend=None):
        self._backend = backend

    def empty(self, shape, dtype):
        return np.empty(shape, dtype)

    def run(self, inputs, outputs, workspace, stream=None):
        assert workspace.size == self.workspace_bytes
        self._backend.seen.append(workspace)
        workspace[...] = mine = len(self._backend.seen)
        self._backend.meanwhile()
        assert (workspace == mine).all()


@pytest.fixture
def scratch(fake):
    """Return the registered backend "fake" with a plan that has a workspace."""
    fake.seen, fake.meanwhile = [], lambda: None
    fake.plan = lambda problem, decision: ScratchPlan(fake)
    return fake


def address(array):
    return array.__array_interface__["data"][0]


def test_workspaces_start_on_a_cache_line_and_are_used_again(arguments, scratch):
    for _ in range(3):
        fastconv.conv2d(*arguments, backend="fake")
    assert address(scratch.seen[0]) % 64 == 0
    assert len(set(map(address, scratch.seen))) == 1


def test_a_call_from_inside_a_run_gets_a_workspace_of_its_own(arguments, scratch):
    def call_again():
        scratch.meanwhile = lambda: None
        fastconv.conv2d(*arguments, backend="fake")

    scratch.meanwhile = call_again
    fastconv.conv2d(*arguments, backend="fake")
    assert len(scratch.seen) == len(set(map(address, scratch.seen))) == 2


def test_a_run_that_fails_leaves_nothing_behind_that_others_use(arguments, scratch):
    scratch.meanwhile = lambda: 1 // 0
    with pytest.raises(ZeroDivisionError):
        fastconv.conv2d(*arguments, backend="fake")
    scratch.meanwhile = lambda: None
    fastconv.conv2d(*arguments, backend="fake")
    assert address(scratch.seen[0]) != address(scratch.seen[1])


def test_a_workspace_grows_with_what_is_asked_for(arguments, scratch, monkeypatch):
    fastconv.conv2d(*arguments, backend="fake")
    monkeypatch.setattr(ScratchPlan, "workspace_bytes", 10**6)
    fastconv.conv2d(arguments[0][:1], arguments[1], backend="fake")
    assert [each.size for each in scratch.seen] == [1000, 10**6]


def test_idle_blocks_are_bounded():
    plan = ScratchPlan()
    borrowed = [borrow(plan, 100)[0] for _ in range(100)]
    for block in borrowed:
        give_back(block)
    assert len(workspace._FREE) == 32


def test_a_block_forgets_cuts_rather_than_grow():
    block = workspace.Block(np.empty(1000, np.uint8))
    cuts = [block.cut(size) for size in range(900)]
    assert [cut.size for cut in cuts] == list(range(900))
    assert len(block._cuts) <= 64
    assert block.cut(1001) is None


@pytest.mark.parametrize("there", [300, 0])
def test_without_memory_for_a_workspace_a_smaller_one_is_tried(there, arguments, fake):
    """A device may have less memory than the limit allows."""
    asked = []

    class Short:
        workspace_bytes = 0

        def empty(self, shape, dtype):
            if dtype == "uint8" and shape != (0,):
                asked.append(self.workspace_bytes)
                if self.workspace_bytes > there:
                    raise MemoryError("the card is full")
            return np.empty(shape, dtype)

        def run(self, inputs, outputs, workspace, stream=None):
            assert workspace.nbytes == self.workspace_bytes <= there
            outputs[0][...] = 5

    def decide(problem, policy):
        size = min(policy.workspace_limit, 1000)
        return [replace(fake.decision, workspace_bytes=size, can=size >= 100)]

    def plan(problem, decision):
        made = Short()
        made.workspace_bytes = decision.workspace_bytes
        return made

    fake.decide, fake.plan = decide, plan
    fastconv.release_memory()
    for _ in range(2):
        asked.clear()
        if there:
            assert (fastconv.conv2d(*arguments, backend="fake") == 5).all()
            assert asked == [1000, 500, 250]
            fastconv.release_memory()
        else:
            with pytest.raises(MemoryError, match=r"1\d\d bytes \(the card is full\)"):
                fastconv.conv2d(*arguments, backend="fake")
            assert asked == [1000, 500, 250, 125]
