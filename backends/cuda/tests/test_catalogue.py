"""What plans ask for is in the catalogue, which tests compile for every kind of GPU."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fastconv_cuda.backend import CudaBackend
from fastconv_cuda.catalogue import FAMILIES, every_unit
from fastconv_cuda.finding import Found
from problems import conv_problem, linear_problem
from simt.device import CARD
from test_matrix_kernels import integer_problem

from fastconv.backend import Policy

KNOWN = {unit for family in FAMILIES for unit in every_unit(family)}
# Compiled for each layer's own kernel.
FREE = ("depthwise.cu", "depthwise_input.cu", "depthwise_weight.cu", "pool_2d.cu")
DTYPES = ("float64", "float32", "float16", "bfloat16")
PRECISIONS = (None, "auto", "float64", "float32", "tf32", "bfloat16", "float16", "int8")
LARGE = 1 << 28


class Recorder:
    """A device that launches nothing."""

    def __init__(self, capability):
        self.card = replace(CARD, capability=capability, processors=132, bandwidth=3e12)
        self.units = set()

    def empty(self, shape, dtype):
        return np.empty(shape, np.uint8)

    def pointer(self, array):
        return array.ctypes.data

    def tensor_map(self, wanted, address):
        return bytes(128)

    def launch(self, unit, *rest):
        self.units.add(unit)

    def matmul(self, *rest):
        pass


def ask(problem, precision, device):
    """Run each candidate's plan that can, on nothing."""
    backend = CudaBackend(lambda: Found({"cuda:0": device}))
    policy = Policy(precision=precision, workspace_limit=LARGE)
    for decision in backend.decide(problem, policy):
        if not decision.can or decision.algorithm in ("im2col_blas", "depthwise"):
            continue
        plan = backend.plan(problem, decision)
        block = np.zeros(1 << 12, np.uint8)
        aligned = block[-block.ctypes.data % 256 :]
        for start in (0, 8):
            count = len(problem.inputs)
            plan.run([aligned[start:]] * count, [aligned[start:]] * len(problem.outputs), aligned)


@pytest.mark.parametrize("capability", [(7, 5), (8, 0), (9, 0), (12, 0)], ids=str)
@pytest.mark.parametrize("pass_", ["forward", "input_grad", "weight_grad"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_matrix_plans_ask_for_what_is_known(dtype, pass_, capability):
    device = Recorder(capability)
    for precision in PRECISIONS:
        for last in (False, True):
            for x, w in (((2, 64, 9, 8), (256, 64, 3, 3)), ((1, 5, 9, 8), (7, 5, 1, 1))):
                problem = conv_problem(f"conv_{pass_}", x, w, dtype=dtype, last=last)
                ask(problem, precision, device)
        ask(linear_problem(f"linear_{pass_}", 300, 72, 24, dtype), precision, device)
    assert len(device.units) > 3
    asked = {unit for unit in device.units if unit.file not in FREE}
    assert asked <= KNOWN | {unit.unaligned() for unit in KNOWN}


@pytest.mark.parametrize("capability", [(7, 5), (8, 0), (9, 0), (12, 0)], ids=str)
def test_integer_plans_ask_for_what_is_known(capability):
    device = Recorder(capability)
    for kinds in (("uint8", "int8"), ("int8", "uint8"), ("int8", "int8")):
        for last in (False, True):
            for result in ("int32", kinds[0]):
                for x, w in (((2, 64, 9, 8), (256, 64, 3, 3)), ((1, 5, 9, 8), (7, 5, 1, 1))):
                    ask(integer_problem(x, w, last, kinds, result), None, device)
    asked = device.units
    assert len(asked) > 3
    assert asked <= KNOWN | {unit.unaligned() for unit in KNOWN}
