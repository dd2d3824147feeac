"""``fastconv explain``: arguments from text, candidates as a table, faults in one line."""

import re

import numpy as np
import pytest

from fastconv.backend import Decision
from fastconv.cli.arguments import arguments_for, fill, parse_shape, parse_sizes
from fastconv.cli.explain import COLUMNS, row

CONV = ("explain", "conv2d", "--x", "8,64,56,56", "--weight", "64,64,3,3")


def line_of(result, text):
    (line,) = [line for line in result.stdout.splitlines() if text in line]
    return line


def test_candidates_of_a_convolution(run):
    result = run(*CONV, "--padding", "1", "--dtype", "float32")
    assert result.exit_code == 0
    assert "conv2d: conv_forward on cpu, float32" in result.stdout
    assert line_of(result, "->").split()[1].startswith("cpu/")
    assert "reference" in result.stdout


def test_the_policy_is_forwarded(run):
    result = run(*CONV, "--algorithm", "reference")
    assert line_of(result, "->").split()[1] == "cpu/reference"
    assert "algorithm='reference' was asked for" in result.stdout


def test_where_nobody_can_every_refusal_is_shown(run):
    result = run(*CONV, "--algorithm", "magic")
    assert result.exit_code == 0
    assert "->" not in result.stdout
    assert line_of(result, "cpu/reference").split()[0] == "no"


def test_layout_and_stride_are_forwarded(run):
    result = run(
        *("explain", "conv2d", "--x", "2,8,9,3", "--weight", "4,3,3,3", "--layout", "NHWC"),
        *("--stride", "2,1", "--padding", "0:1,1:0", "--dilation", "1", "--bias", "4"),
    )
    assert result.exit_code == 0, result.output


def test_a_gradient_has_a_table_for_each_problem(run):
    result = run(
        *("explain", "conv2d_backward", "--grad", "2,4,6,6", "--x", "2,3,8,8"),
        *("--weight", "4,3,3,3"),
    )
    assert result.exit_code == 0, result.output
    for operation in ("conv_input_grad", "conv_weight_grad"):
        assert f"conv2d_backward: {operation} on cpu" in result.stdout


def test_shapes_instead_of_arrays(run):
    result = run(
        *("explain", "conv2d_input_grad", "--x", "2,3,8,8", "--weight", "4,3,3,3"),
        *("--grad", "2,4,6,6"),
    )
    assert result.exit_code == 0, result.output
    assert "conv_input_grad" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("explain", "conv9d"), "got 'conv9d', expected one of "),
        (("explain", "use"), "got 'use', expected one of "),
        (("explain", "conv2d", "--x", "1,3,8,8"), "conv2d needs --weight"),
        (("explain", "conv2d", "--x", "1,three"), "--x: got '1,three', expected a shape"),
        ((*CONV, "--padding", "1:2:3"), "--padding: got '1:2:3', expected"),
        ((*CONV, "--kernel-size", "3"), "conv2d takes no --kernel-size"),
        ((*CONV, "--dtype", "float31"), "got --dtype 'float31'"),
        ((*CONV, "--groups", "7"), "conv2d: "),
        ((*CONV, "--precision", "float12"), "conv2d: precision: got 'float12'"),
        ((*CONV, "--backend", "nobody"), "backend: got 'nobody'"),
        ((*CONV, "--threads", "0"), "threads: got 0"),
    ],
)
def test_faults_cost_one_line(run, arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("fastconv explain: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


def test_row_of_a_choice():
    decision = Decision(
        True, "fits", "im2col", "float32", 1.2e-6, 0.00234, 3 << 20, "cpu", 2, isa="avx2",
        backend="cpu",
    )  # fmt: skip
    name = ("cpu/im2col", "float32", "avx2 x 2", "2.34 ms")
    rest = ("3 MiB", "1.2e-06", "fits")
    assert row(decision, chosen=True) == ("->", *name, "", *rest)
    assert row(decision, chosen=False, measured=0.0015) == ("can", *name, "1.50 ms", *rest)


def test_row_of_a_refusal():
    decision = Decision(False, "only 3 x 3", "winograd", backend="cpu")
    cells = row(decision, chosen=False)
    assert cells == ("no", "cpu/winograd", *("",) * 6, "only 3 x 3")
    assert len(cells) == len(COLUMNS)


def test_measuring_shows_times_beside_predictions(run):
    result = run(
        *("explain", "conv2d_backward", "--grad", "1,4,6,6", "--x", "1,3,8,8"),
        *("--weight", "4,3,3,3", "--measure"),
    )
    assert result.exit_code == 0, result.output
    for candidate in ("cpu/implicit_gemm", "cpu/reference"):
        lines = [line for line in result.stdout.splitlines() if candidate in line]
        assert lines
        assert all(len(re.findall(r"[0-9.]+ [nuµm]?s\b", line)) == 2 for line in lines)


def test_arrays_are_filled_in_place():
    arrays = [np.zeros((50, 2), dtype) for dtype in ("float16", "complex64", "int64")]
    fill([*arrays, "text", None, (1, 2)])
    assert [bool(np.any(array)) for array in arrays] == [True, True, False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1,2,3", (1, 2, 3)),
        ("0:1", ((0, 1),)),
        ("0:1,2:3", ((0, 1), (2, 3))),
        ("same_lower", "same_lower"),
        ("-1", -1),
    ],
)
def test_parse_sizes(text, expected):
    assert parse_sizes(text) == expected


@pytest.mark.parametrize("text", ["", "1,", "1:2,3", "1.5", "a b", "1:2:3"])
def test_sizes_that_are_none(text):
    with pytest.raises(ValueError, match="expected 1, 1,2"):
        parse_sizes(text)


@pytest.mark.parametrize("text", ["", "x", "1,-2", "3;4", "1.0"])
def test_shapes_that_are_none(text):
    with pytest.raises(ValueError, match="expected a shape"):
        parse_shape(text)


def test_shape_with_crosses():
    assert parse_shape("8x64X56x56") == (8, 64, 56, 56)


def sample(x, weight, /, bias=None, stride=1, *, layout=None, **options):
    """Stands for a function of fastconv."""


def test_arguments_are_bound_by_kind():
    options = {"x": (1, 2), "weight": (3,), "bias": (0,), "stride": 0, "layout": "NC", "threads": 2}
    positional, keywords = arguments_for(sample, options, "float64")
    assert [array.shape for array in positional] == [(1, 2), (3,)]
    assert positional[0].dtype == np.float64
    assert keywords.pop("bias").shape == (0,)
    assert keywords == {"stride": 0, "layout": "NC", "threads": 2}


def test_options_not_given_are_left_out():
    options = {"x": (1,), "weight": (1,), "bias": None, "deterministic": False, "ceil_mode": False}
    assert arguments_for(sample, options, "int8")[1] == {}


def test_indices_are_integers():
    def unpool(x, indices):
        """Stands for a function of fastconv."""

    _, keywords = arguments_for(unpool, {"x": (2,), "indices": (2,)}, "float16")
    assert (keywords["x"].dtype, keywords["indices"].dtype) == (np.float16, np.int64)


def test_bfloat16():
    (x, _), _ = arguments_for(sample, {"x": (2,), "weight": (1,)}, "bfloat16")
    assert x.dtype.name == "bfloat16"


def test_functions_that_need_what_no_option_gives_are_not_offered(run):
    result = run("explain", "nothing")
    assert "conv2d" in result.stderr
    assert "qconv2d" not in result.stderr
