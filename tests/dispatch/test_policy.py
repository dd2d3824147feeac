"""The policy: whose word counts, and what is refused."""

from __future__ import annotations

import threading
from contextvars import copy_context

import numpy as np
import pytest

import fastconv
from fastconv.backend import DEFAULT_WORKSPACE_LIMIT
from fastconv.dispatch.policy import current


def test_defaults():
    policy = current()
    assert policy.device is policy.backend is policy.algorithm is policy.precision is None
    assert policy.workspace_limit == DEFAULT_WORKSPACE_LIMIT == 64 * 2**20
    assert not policy.deterministic


def test_blocks_nest_and_none_leaves_a_name_as_it_is():
    with fastconv.use(threads=3, algorithm="reference"):
        with fastconv.use(threads=2, algorithm=None) as inner:
            assert (inner.threads, inner.algorithm) == (2, "reference")
            assert current() == inner
        assert current().threads == 3
    assert current().threads is None


def test_a_block_left_by_an_exception_is_over():
    with pytest.raises(KeyError), fastconv.use(threads=3):
        raise KeyError
    assert current().threads is None


def test_use_works_as_a_decorator(arguments):
    @fastconv.use(algorithm="reference")
    def ran():
        with fastconv.trace() as records:
            fastconv.conv2d(*arguments)
        return records[0].algorithm

    assert ran() == ran() == "reference"


def test_a_new_thread_starts_from_the_defaults_and_a_copied_context_does_not():
    seen = {}

    def look(name):
        seen[name] = current().threads

    with fastconv.use(threads=5):
        context = copy_context()
        threads = [
            threading.Thread(target=look, args=("plain",)),
            threading.Thread(target=context.run, args=(look, "copied")),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == {"plain": None, "copied": 5}


def test_threads_do_not_see_each_others_blocks():
    gate = threading.Barrier(2)
    seen = {}

    def hold(number):
        with fastconv.use(threads=number):
            gate.wait()
            seen[number] = current().threads
            gate.wait()

    threads = [threading.Thread(target=hold, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {1: 1, 2: 2}


def test_the_call_beats_the_block(arguments, fake):
    with fastconv.use(backend="fake"):
        assert fastconv.conv2d(*arguments).max() == fake.value
        with fastconv.trace() as ran:
            fastconv.conv2d(*arguments, backend="cpu")
        assert ran[0].backend == "cpu"


def test_block_beats_variable_and_call_beats_both(python):
    out = python(
        """
        import numpy as np, fastconv
        x, w = np.ones((1, 1, 5, 5)), np.ones((1, 1, 3, 3))
        def algorithm(**options):
            with fastconv.trace() as ran:
                fastconv.conv2d(x, w, **options)
            return ran[0].algorithm
        print(algorithm())
        with fastconv.use(algorithm="im2col_blas"):
            print(algorithm(), algorithm(algorithm="reference"))
        print(algorithm())
        """,
        FASTCONV_ALGORITHM="reference",
    )
    assert out.split() == ["reference", "im2col_blas", "reference", "reference"]


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("DEVICE", "cpu", "device", "cpu"),
        ("BACKEND", "cpu", "backend", "cpu"),
        ("PRECISION", "float64", "precision", "float64"),
        ("TOLERANCE", "1e-3", "tolerance", 1e-3),
        ("THREADS", "3", "threads", 3),
        ("NUM_THREADS", "2", "threads", 2),
        ("WORKSPACE_LIMIT", "4096", "workspace_limit", 4096),
        ("DETERMINISTIC", "1", "deterministic", True),
        ("DETERMINISTIC", "0", "deterministic", False),
        ("DETERMINISTIC", "false", "deterministic", False),
        ("THREADS", "", "threads", None),
    ],
)
def test_variables_set_the_policy(python, name, text, field, value):
    code = f"from fastconv.dispatch.policy import current; print(repr(current().{field}))"
    assert python(code, **{f"FASTCONV_{name}": text}) == f"{value!r}\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("THREADS", "many"),
        ("THREADS", "0"),
        ("THREADS", "-1"),
        ("WORKSPACE_LIMIT", "1MB"),
        ("TOLERANCE", "small"),
        ("TOLERANCE", "nan"),
        ("DETERMINISTIC", "perhaps"),
        ("PRECISION", "float33"),
    ],
)
def test_a_bad_variable_is_named_at_the_first_call(python, name, text):
    out = python(
        """
        import numpy as np, fastconv
        for _ in range(2):
            try:
                fastconv.conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)))
            except ValueError as error:
                print(error)
        """,
        **{f"FASTCONV_{name}": text},
    )
    lines = out.splitlines()
    assert len(lines) == 2
    assert all(name.lower() in line.lower() for line in lines)
    assert "fastconv: " in lines[0]


BAD = [
    ("device", 3, TypeError, "name"),
    ("device", "", ValueError, "name"),
    ("backend", b"cpu", TypeError, "name"),
    ("backend", "", ValueError, "name"),
    ("algorithm", 1.0, TypeError, "name"),
    ("precision", "float33", ValueError, "float64, float32"),
    ("precision", np.float32, TypeError, "name"),
    ("tolerance", "small", TypeError, "number"),
    ("tolerance", -1e-3, ValueError, "0 or more"),
    ("tolerance", float("nan"), ValueError, "finite"),
    ("tolerance", float("inf"), ValueError, "finite"),
    ("tolerance", 1j, TypeError, "number"),
    ("threads", 0, ValueError, "1 or more"),
    ("threads", -2, ValueError, "1 or more"),
    ("threads", 2.0, TypeError, "int"),
    ("threads", True, TypeError, "int"),
    ("threads", "2", TypeError, "int"),
    ("workspace_limit", 0, ValueError, "1 or more"),
    ("workspace_limit", 1e6, TypeError, "int"),
    ("workspace_limit", "1MB", TypeError, "int"),
    ("deterministic", 1, TypeError, "True or False"),
    ("deterministic", "yes", TypeError, "True or False"),
]


@pytest.mark.parametrize(("name", "value", "error", "expected"), BAD)
def test_bad_values_are_refused_by_name(arguments, name, value, error, expected):
    with (
        pytest.raises(error, match=f"^use: {name}: got .*expected .*{expected}"),
        fastconv.use(**{name: value}),
    ):
        pass
    with pytest.raises(error, match=f"^conv2d: {name}: got .*expected .*{expected}"):
        fastconv.conv2d(*arguments, **{name: value})


def test_an_unknown_keyword_lists_the_known_ones(arguments):
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'thread'.*workspace_limit"):
        fastconv.conv2d(*arguments, thread=1)
    with pytest.raises(TypeError, match="unexpected keyword"):
        fastconv.use(thread=1)


def test_numpy_integers_and_numbers_will_do(arguments):
    fastconv.conv2d(*arguments, workspace_limit=np.int64(2**20), tolerance=np.float32(0.5))


def test_an_unknown_name_lists_what_there_is(arguments):
    with pytest.raises(ValueError, match=r"algorithm: got 'fourier'.*im2col_blas.*reference"):
        fastconv.conv2d(*arguments, algorithm="fourier")
    with pytest.raises(ValueError, match=r"backend: got 'nobody'.*cpu"):
        fastconv.conv2d(*arguments, backend="nobody")
    with pytest.raises(fastconv.UnsupportedError, match=r"device: got 'tpu:3'.*cpu"):
        fastconv.conv2d(*arguments, device="tpu:3")


def test_a_tolerance_refuses_what_is_less_accurate(arguments):
    single = [a.astype(np.float32) for a in arguments]
    with pytest.raises(fastconv.UnsupportedError, match="exceeds tolerance"):
        fastconv.conv2d(*single, tolerance=1e-12)
    assert fastconv.conv2d(*single, tolerance=1e-3).dtype == np.float32


def test_backend_and_algorithm_are_exclusive_there_is_no_fallback(arguments, fake):
    x, w = arguments
    with pytest.raises(fastconv.UnsupportedError, match="fake: it has no operation"):
        fastconv.conv2d_weight_grad(x, w.shape, np.ones((2, 4, 6, 7)), backend="fake")
    with pytest.raises(ValueError, match="algorithm: got 'reference', expected one of fakery"):
        fastconv.conv2d(x, w, backend="fake", algorithm="reference")
    assert fake.runs == 0


def test_the_settled_policy_reaches_the_backend(arguments, fake):
    with fastconv.use(threads=3, tolerance=0.5):
        fastconv.conv2d(*arguments, backend="fake", deterministic=True, workspace_limit=12345)
    (_, policy) = fake.asked[0]
    assert (policy.threads, policy.tolerance, policy.deterministic) == (3, 0.5, True)
    assert (policy.workspace_limit, policy.backend) == (12345, "fake")


def test_a_block_s_algorithm_holds_where_there_is_one_of_that_name():
    x, weight = np.ones((1, 1, 6, 6)), np.ones((1, 1, 3, 3))
    with fastconv.use(algorithm="im2col_blas"), fastconv.trace() as ran:
        y = fastconv.max_pool2d(fastconv.conv2d(x, weight), 2)
        fastconv.conv2d_backward(np.ones((1, 1, 4, 4)), x, weight)
    assert y.shape == (1, 1, 2, 2)
    assert [r.algorithm for r in ran][:2] == ["im2col_blas", "compiled"]
    assert {r.algorithm for r in ran if r.operation.startswith("conv_")} == {"im2col_blas"}


def test_an_algorithm_that_nothing_has_is_an_error_everywhere():
    with (
        fastconv.use(algorithm="im2cul"),
        pytest.raises(ValueError, match="max_pool2d: algorithm: got 'im2cul'"),
    ):
        fastconv.max_pool2d(np.ones((1, 1, 4, 4)), 2)


def test_a_call_s_own_algorithm_must_be_one_of_its_operation():
    with pytest.raises(ValueError, match="max_pool2d: algorithm: got 'im2col_blas'"):
        fastconv.max_pool2d(np.ones((1, 1, 4, 4)), 2, algorithm="im2col_blas")
