"""ONNX Runtime: models of one node, whose constant weight it packs when it loads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import onnx
import onnxruntime
from onnx import helper, numpy_helper

from asv_bench.cases import Case, Operands
from asv_bench.libraries import Calls, LeftOut
from asv_bench.names import ONNX
from asv_bench.options import Configuration

_OPERATORS = {
    "convolution": "Conv",
    "transposed": "ConvTranspose",
    "max pool": "MaxPool",
    "global average": "GlobalAveragePool",
}


class OnnxRuntime:
    """Forward only: its inference packages have no gradients."""

    name = "ONNX Runtime"
    version = onnxruntime.__version__

    def __init__(self, threads: int) -> None:
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = threads
        self._options.inter_op_num_threads = 1
        # Workers may spin while a model runs, but not on the next contender's cores.
        self._options.add_session_config_entry("session.force_spinning_stop", "1")
        self._options.log_severity_level = 3

    def calls(self, case: Case, operands: Operands) -> Calls:
        """Return the forward call; its input and output are ONNX Runtime's, not copies."""
        model = one_node(case, operands.weight).SerializeToString()
        session = onnxruntime.InferenceSession(
            model, self._options, providers=["CPUExecutionProvider"]
        )
        inputs = {"x": onnxruntime.OrtValue.ortvalue_from_numpy(operands.x)}
        return {"forward": {ONNX: partial(session.run_with_ort_values, ["y"], inputs)}}


def one_node(case: Case, weight: Any) -> onnx.ModelProto:
    """Return a model of one layer whose weight is a constant."""
    attributes: dict[str, Any] = {}
    if case.kind != "global average":
        attributes = {
            "kernel_shape": case.kernel,
            "strides": [case.stride] * case.axes,
            "pads": [case.padding] * 2 * case.axes,
            "dilations": [case.dilation] * case.axes,
        }
    constants = []
    if weight is not None:
        attributes["group"] = case.groups
        constants.append(numpy_helper.from_array(weight, "weight"))
    inputs = ["x"] + [constant.name for constant in constants]
    node = helper.make_node(_OPERATORS[case.kind], inputs, ["y"], **attributes)
    float32 = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [node],
        case.name,
        [helper.make_tensor_value_info("x", float32, case.x)],
        [helper.make_tensor_value_info("y", float32, case.y)],
        constants,
    )
    # An old enough version for every release that the extra admits.
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@contextmanager
def opened(configuration: Configuration) -> Iterator[OnnxRuntime]:
    """Give ONNX Runtime with so many threads."""
    if configuration.dtype != "float32":
        raise LeftOut(f"ONNX Runtime is left out: it has no convolution of {configuration.dtype}")
    if configuration.isa:
        raise LeftOut(f"ONNX Runtime is left out: nothing holds it to {configuration.isa}")
    yield OnnxRuntime(configuration.threads)
