"""The node tests of ONNX's pools, through pairs, names, dilation= and ceil_mode=.

ONNX counts MaxPool's indices over the whole array and in either storage order, and MaxUnpool's
in the extents that it infers: both are converted here. Its LpPool takes |x|; PyTorch's rule,
which ours is, takes x, so that an odd p is given |x| here.
"""

import warnings
from math import prod

import numpy as np
import pytest

import fastconv
from fastconv.cpu.isa import core

ALGORITHMS = ["reference"] if core is None else ["compiled", "reference"]
pytest.importorskip("onnx", reason="onnx isn't installed: its node tests can't be run")

OPERATORS = (
    "AveragePool",
    "GlobalAveragePool",
    "GlobalLpPool",
    "GlobalMaxPool",
    "LpPool",
    "MaxPool",
    "MaxUnpool",
)


def _node_tests():
    with warnings.catch_warnings():
        # Cases of other operators are made on import, and overflow on purpose.
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        found = collect_testcases(None)
    return [
        case
        for case in found
        if len(case.model.graph.node) == 1 and case.model.graph.node[0].op_type in OPERATORS
    ]


def _attributes(node):
    from onnx.helper import get_attribute_value

    return {each.name: get_attribute_value(each) for each in node.attribute}


def _geometry(attributes):
    ndim = len(attributes["kernel_shape"])
    name = attributes.get("auto_pad", b"NOTSET").decode()
    names = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}
    pads = attributes.get("pads", [0] * 2 * ndim)
    return {
        "kernel_size": tuple(attributes["kernel_shape"]),
        "stride": tuple(attributes.get("strides", [1] * ndim)),
        "padding": names.get(name) or tuple(zip(pads[:ndim], pads[ndim:], strict=True)),
        "dilation": tuple(attributes.get("dilations", [1] * ndim)),
        "ceil_mode": bool(attributes.get("ceil_mode", 0)),
    }


def _average(function, x, attributes):
    counted = bool(attributes.get("count_include_pad", 0))
    return [function(x, **_geometry(attributes), count_include_pad=counted)]


def _norm(function, x, attributes):
    p = attributes.get("p", 2)
    return [function(np.abs(x) if p % 2 else x, p, **_geometry(attributes))]


def _maximum(function, x, attributes):
    y, indices = function(x, **_geometry(attributes), return_indices=True)
    if attributes.get("storage_order", 0):
        places = np.unravel_index(indices, x.shape[2:])
        indices = np.ravel_multi_index(places, x.shape[2:], order="F")
    planes = np.arange(prod(x.shape[:2])).reshape(*x.shape[:2], *(1,) * (x.ndim - 2))
    return [y, indices + planes * prod(x.shape[2:])]


def _unpool(function, x, indices, attributes, shape):
    geometry = _geometry(attributes)
    extents = [
        (extent - 1) * stride + kernel
        for extent, stride, kernel in zip(
            x.shape[2:], geometry["stride"], geometry["kernel_size"], strict=True
        )
    ]
    size = extents if shape is None else list(shape[2:])
    places = np.ravel_multi_index(np.unravel_index(indices, extents), size)
    return [function(x, places, geometry["kernel_size"], geometry["stride"], 0, size)]


def _run(case, inputs):
    node, x = case.model.graph.node[0], inputs[0]
    attributes, ndim = _attributes(node), inputs[0].ndim - 2
    kind = node.op_type.removeprefix("Global")
    stem = {"AveragePool": "avg", "LpPool": "lp", "MaxPool": "max", "MaxUnpool": "un"}[kind]
    if stem == "un":
        function = getattr(fastconv, f"max_unpool{ndim}d")
        return _unpool(function, x, inputs[1], attributes, (*inputs, None)[2])
    function = getattr(fastconv, f"{stem}_pool{ndim}d")
    if node.op_type != kind:
        attributes["kernel_shape"] = list(x.shape[2:])
    return {"avg": _average, "lp": _norm, "max": _maximum}[stem](function, x, attributes)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_node_tests_pass(algorithm):
    """One test for all: collecting the cases takes longer than running them."""
    cases = _node_tests()
    assert len(cases) >= 50
    assert {case.model.graph.node[0].op_type for case in cases} >= {
        "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LpPool", "MaxPool", "MaxUnpool"
    }  # fmt: skip
    for case in cases:
        for inputs, expected in case.data_sets:
            with fastconv.use(algorithm=algorithm):
                results = _run(case, inputs)
            for result, wanted in zip(results, expected, strict=False):
                assert result.dtype == wanted.dtype, case.name
                np.testing.assert_allclose(
                    result, wanted, rtol=case.rtol, atol=case.atol, err_msg=case.name
                )
