"""ONNX's node tests of convolutions and Col2Im, and those that it converted from PyTorch.

ONNX writes padding as all beginnings and then all ends, names it by auto_pad, and may give a
transposed convolution's output shape instead: all are put into pairs and names here.
"""

import warnings
from pathlib import Path

import numpy as np
import pytest

import fastconv
from fastconv.cpu.isa import core

onnx = pytest.importorskip("onnx", reason="onnx isn't installed: its node tests can't be run")

ALGORITHMS = [None, "reference"] if core is None else [None, "im2col_blas", "reference"]
OPERATORS = ("Conv", "ConvTranspose", "Col2Im", "ConvInteger", "QLinearConv")
NAMES = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}

if core is None:  # everything is the reference's then, which says that it is slow
    pytestmark = pytest.mark.filterwarnings("ignore::fastconv.PerformanceWarning")


def _node_cases():
    """Yield (name, node, arrays by name, outputs) of the node tests of one operator each."""
    with warnings.catch_warnings():
        # Cases of other operators are made on import, and overflow on purpose.
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        found = collect_testcases(None)
    for case in found:
        graph = case.model.graph
        if len(graph.node) == 1 and graph.node[0].op_type in OPERATORS:
            for inputs, outputs in case.data_sets:
                names = (value.name for value in graph.input)
                arrays = dict(zip(names, inputs, strict=True))
                yield case.name, graph.node[0], arrays, outputs


def _stored_cases():
    """As above, of the models that ONNX stores with their inputs and outputs."""
    from onnx.backend.test.loader import load_model_tests

    for kind in ("pytorch-converted", "pytorch-operator"):
        for case in load_model_tests(kind=kind):
            graph = onnx.load(Path(case.model_dir) / "model.onnx").graph
            if len(graph.node) != 1 or graph.node[0].op_type not in OPERATORS:
                continue
            arrays = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
            free = [value.name for value in graph.input if value.name not in arrays]
            for folder in sorted(Path(case.model_dir).glob("test_data_set_*")):
                arrays |= {n: _tensor(folder / f"input_{i}.pb") for i, n in enumerate(free)}
                yield case.name, graph.node[0], arrays, [_tensor(folder / "output_0.pb")]


def _tensor(path):
    return onnx.numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))


def _pads(attributes, ndim):
    pads = attributes.get("pads", [0] * 2 * ndim)
    return tuple(zip(pads[:ndim], pads[ndim:], strict=True))


def _conv(arrays, attributes, algorithm):
    ndim = arrays[0].ndim - 2
    padding = NAMES.get(attributes.get("auto_pad", b"").decode()) or _pads(attributes, ndim)
    return getattr(fastconv, f"conv{ndim}d")(
        *arrays,
        stride=attributes.get("strides", 1),
        padding=padding,
        dilation=attributes.get("dilations", 1),
        groups=attributes.get("group", 1),
        algorithm=algorithm,
    )


def _conv_transpose(arrays, attributes, algorithm):
    x, weight = arrays[:2]
    ndim = x.ndim - 2
    strides = attributes.get("strides", [1] * ndim)
    dilations = attributes.get("dilations", [1] * ndim)
    extra = attributes.get("output_padding", [0] * ndim)
    padding = _pads(attributes, ndim)
    name = attributes.get("auto_pad", b"NOTSET").decode()
    shape = attributes.get("output_shape")
    if shape is None and name.startswith("SAME"):
        shape = [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
    if shape is not None:
        whole = [
            s * (n - 1) + e + (k - 1) * d + 1
            for s, n, e, k, d in zip(
                strides, x.shape[2:], extra, weight.shape[2:], dilations, strict=True
            )
        ]
        cut = [full - wanted for full, wanted in zip(whole, shape, strict=True)]
        # What is missing is added behind; the odd element comes off the end, or the beginning.
        extra = [e + max(-c, 0) for e, c in zip(extra, cut, strict=True)]
        halves = [(max(c, 0) // 2, max(c, 0) - max(c, 0) // 2) for c in cut]
        padding = halves if name == "SAME_UPPER" else [pair[::-1] for pair in halves]
    return getattr(fastconv, f"conv_transpose{ndim}d")(
        *arrays,
        stride=strides,
        padding=padding,
        output_padding=extra,
        groups=attributes.get("group", 1),
        dilation=dilations,
        algorithm=algorithm,
    )


def _col2im(arrays, attributes, algorithm):
    columns, image, block = arrays
    return fastconv.col2im(
        columns,
        image,
        block,
        attributes.get("strides", 1),
        _pads(attributes, len(image)),
        attributes.get("dilations", 1),
        algorithm="reference" if algorithm == "reference" else None,
    )


def _options(attributes, algorithm):
    """Return the keywords of an integer convolution, which BLAS has nothing for."""
    return {
        "stride": attributes.get("strides", 1),
        "padding": _pads(attributes, 2),
        "dilation": attributes.get("dilations", 1),
        "groups": attributes.get("group", 1),
        "algorithm": None if algorithm == "im2col_blas" else algorithm,
    }


def _conv_integer(arrays, attributes, algorithm):
    return fastconv.conv2d_integer(*arrays, **_options(attributes, algorithm))


def _qlinear_conv(arrays, attributes, algorithm):
    return fastconv.qconv2d(*arrays, **_options(attributes, algorithm))


FUNCTIONS = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Col2Im": _col2im,
    "ConvInteger": _conv_integer,
    "QLinearConv": _qlinear_conv,
}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(("cases", "least"), [(_node_cases, 25), (_stored_cases, 28)])
def test_all_cases_agree(cases, least, algorithm):
    agreed = []
    for name, node, arrays, outputs in cases():
        attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        operands = [arrays[argument] for argument in node.input]
        got = FUNCTIONS[node.op_type](operands, attributes, algorithm)
        assert got.dtype == outputs[0].dtype
        np.testing.assert_allclose(got, outputs[0], 1e-3, 1e-5, err_msg=name)
        agreed.append(name)
    assert len(agreed) >= least
