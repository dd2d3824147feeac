"""What fewer bits gain: the suite's convolutions of images forward in every precision, in one run.

Rivals are PyTorch in bfloat16, in its faster layout and with plain weights, and ONNX Runtime's
QLinearConv, which packs its weight, as fastconv's in int8 is packed.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from math import inf
from typing import Any

import numpy as np

import fastconv
from asv_bench.cases import Case, all_cases, operands
from asv_bench.options import Configuration
from asv_bench.timing import Call, interleaved
from fastconv.backend import Policy
from fastconv.cpu.backend import BACKEND
from fastconv.problem import IntegerConvProblem, Operand

STRICT, SINGLE, HALF, BRAIN, BYTES = "float32_strict", "float32", "float16", "bfloat16", "int8"
TORCH_BRAIN = "PyTorch bfloat16"
ONNX_BYTES = "ONNX Runtime int8"
# Whose seconds are divided by whose, and the least and the goal of these on layers that are bound
# by arithmetic.
RATIOS = (
    (STRICT, BRAIN, 1.8, 1.8),
    (STRICT, BYTES, 3.0, 3.0),
    (SINGLE, HALF, 0.95, 1.0),
    (TORCH_BRAIN, BRAIN, 1.0, 1.2),
    (ONNX_BYTES, BYTES, 1.0, 1.3),
)
MOST_SECONDS = 2.0
# Such layers have kernels of 3x3 or 1x1 and so many channels on either side.
LEAST_CHANNELS = 128
_SCALES = (0.02, 0.01, 0.5)  # of x, the weight and y
_ZERO = 128


def is_bound_by_arithmetic(case: Case) -> bool:
    """Whether a layer is one that arithmetic binds, and least figures hold for."""
    channels = min(case.x[1], case.weight[0]) if case.weight else 0
    return case.groups == 1 and case.kernel in ((3, 3), (1, 1)) and channels >= LEAST_CHANNELS


def wanted(configuration: Configuration) -> list[Case]:
    """Return the convolutions of images among a configuration's layers."""
    return [
        case
        for case in all_cases()
        if case.name in configuration.layers and case.kind == "convolution" and case.axes == 2
    ]


def measured(
    configuration: Configuration, say: Callable[[str], None], note: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    """Return median seconds by layer and contender."""
    found = {}
    rivals = _rivals(configuration, note)
    for case in wanted(configuration):
        say(f"{case.name} in every precision")
        calls = _own(case, configuration.threads)
        for rival in rivals:
            calls |= rival(case)
        times = interleaved(calls, configuration.rounds, MOST_SECONDS)
        found[case.name] = {name: statistics.median(taken) for name, taken in times.items()}
        layouts = [found[case.name].pop(name) for name in list(calls) if name.startswith("PyTorch")]
        if layouts:
            found[case.name][TORCH_BRAIN] = min(layouts)
    return found


def ratio(seconds: Mapping[str, float], slower: str, faster: str) -> float:
    """Return how many times faster a contender is, NaN where one of the two is missing."""
    return seconds.get(slower, np.nan) / seconds.get(faster, inf)


def _brain() -> Any:
    return __import__("ml_dtypes").bfloat16


def _own(case: Case, threads: int) -> dict[str, Call]:
    arrays = operands(case, "float32")
    x, weight = arrays.x, arrays.weight
    options: dict[str, Any] = dict(case.window)
    run = fastconv.conv2d
    found: dict[str, Call] = {
        STRICT: partial(run, x, weight, precision=STRICT, **options),
        SINGLE: partial(run, x, weight, **options),
        HALF: partial(run, x.astype("float16"), weight.astype("float16"), **options),
    }
    with suppress(ModuleNotFoundError):
        found[BRAIN] = partial(run, x.astype(_brain()), weight.astype(_brain()), **options)
    return found | {BYTES: own_bytes(case, threads)}


def byte_operands(case: Case) -> tuple[Any, Any]:
    """Return x in uint8 and a weight in int8, always the same."""
    rng = np.random.default_rng(0)
    return (
        rng.integers(0, 256, case.x, np.uint8, endpoint=False),
        rng.integers(-127, 128, case.weight, np.int8),
    )


def own_bytes(case: Case, threads: int) -> Call:
    """Return the call of a plan whose weight is packed, into a new array."""
    x, weight = byte_operands(case)
    zero = np.full(1, _ZERO, np.uint8)
    multiplier = np.full(case.weight[0], _SCALES[0] * _SCALES[1] / _SCALES[2], np.float32)
    problem = IntegerConvProblem(
        function="bench",
        operation="conv_requantized",
        device="cpu",
        x=_operand(x),
        weight=_operand(weight),
        x_zero_point=_operand(zero),
        y=_operand(np.empty(case.y, np.uint8)),
        multiplier=_operand(multiplier),
        y_zero_point=_operand(zero),
        stride=(case.stride,) * 2,
        padding=((case.padding,) * 2,) * 2,
        dilation=(case.dilation,) * 2,
        groups=case.groups,
    )
    decision = BACKEND.decide(problem, Policy(threads=threads))[0]
    plan: Any = BACKEND.plan(problem, decision)
    packs = hasattr(plan, "pack")
    ready = plan.pack(weight) if packs else weight
    run = plan.run_packed if packs else plan.run
    workspace = np.empty(plan.workspace_bytes, np.uint8)

    def call() -> Any:
        y = plan.empty(case.y, "uint8")
        run((x, ready, zero, multiplier, zero), (y,), workspace)
        return y

    return call


def _operand(array: Any) -> Operand:
    return Operand(array.shape, array.strides, array.dtype.name)


def _rivals(
    configuration: Configuration, note: Callable[[str], None]
) -> list[Callable[[Case], dict[str, Call]]]:
    found: list[Callable[[Case], dict[str, Call]]] = []
    for make in (_torch, _onnx):
        try:
            found.append(make(configuration.threads))
        except ModuleNotFoundError as error:
            note(f"no rival in few bits: {error}")
    return found


def _torch(threads: int) -> Callable[[Case], dict[str, Call]]:
    import torch

    _brain()
    torch.set_num_threads(threads)

    def calls(case: Case) -> dict[str, Call]:
        arrays = operands(case, "float32")
        x, weight = (torch.from_numpy(a).bfloat16() for a in (arrays.x, arrays.weight))
        rest = (None, case.stride, case.padding, case.dilation, case.groups)
        last = {"memory_format": torch.channels_last}
        pairs = {
            TORCH_BRAIN: (x, weight),
            f"{TORCH_BRAIN}, channels last": (x.contiguous(**last), weight.contiguous(**last)),
        }
        convolve = torch.inference_mode()(torch.conv2d)
        return {name: partial(convolve, *pair, *rest) for name, pair in pairs.items()}

    return calls


def _onnx(threads: int) -> Callable[[Case], dict[str, Call]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 3

    def calls(case: Case) -> dict[str, Call]:
        x, weight = byte_operands(case)
        model = _byte_model(case, weight).SerializeToString()
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        inputs = {"x": onnxruntime.OrtValue.ortvalue_from_numpy(x)}
        return {ONNX_BYTES: partial(session.run_with_ort_values, ["y"], inputs)}

    return calls


def _byte_model(case: Case, weight: Any) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    zero, channels = np.uint8(_ZERO), case.weight[0]
    constants = {
        "xs": np.float32(_SCALES[0]), "xz": zero, "w": weight,
        "ws": np.full(channels, _SCALES[1], np.float32), "wz": np.zeros(channels, np.int8),
        "ys": np.float32(_SCALES[2]), "yz": zero,
    }  # fmt: skip
    node = helper.make_node(
        "QLinearConv", ["x", *constants], ["y"], kernel_shape=case.kernel,
        strides=[case.stride] * 2, pads=[case.padding] * 4, dilations=[case.dilation] * 2,
        group=case.groups,
    )  # fmt: skip
    graph = helper.make_graph(
        [node],
        case.name,
        [helper.make_tensor_value_info("x", TensorProto.UINT8, case.x)],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, case.y)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
