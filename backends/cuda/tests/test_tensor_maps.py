"""Tensor maps: what may be described, what the driver is told, and how long maps are kept."""

from __future__ import annotations

import ctypes
from dataclasses import replace

import numpy as np
import pytest
from fastconv_cuda.backend import CudaBackend
from fastconv_cuda.driver import encode
from fastconv_cuda.plan import Scratch, TensorMaps
from fastconv_cuda.tensor_maps import MAP_BYTES, Pixels, TensorMap, why_not
from fastconv_cuda.wgmma import TILES, shared_bytes
from fastconv_cuda.wgmma_gemm import WGMMA_GEMM
from fastconv_cuda.wgmma_integer import _MORE_BYTES as integers_more
from problems import conv_problem, linear_problem
from simt.device import CARD, SimulatedDevice, simulated

from fastconv.backend import Policy

WEIGHT = TensorMap("float16", (64, 9, 200), (128, 1152), (64, 1, 128))
IMAGE = TensorMap(
    "bfloat16",
    (64, 30, 20, 4),
    (128, 3840, 76800),
    (64, 128),
    Pixels((-1, -2), (-1, 0), (2, 1)),
)


def test_what_the_kernels_ask_for_may_be_described():
    assert why_not(WEIGHT) == why_not(IMAGE) == ""
    assert (WEIGHT.row_bytes, WEIGHT.bytes) == (128, 128 * 128)


def corners(axes, lower, upper=0):
    extents, strides = (64,) * (axes + 2), (128,) * (axes + 1)
    pixels = Pixels((lower,) * axes, (upper,) * axes, (1,) * axes)
    return TensorMap("float16", extents, strides, (64, 128), pixels)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (replace(WEIGHT, extents=(64, 0, 200)), "an extent of 0"),
        (replace(WEIGHT, extents=(64, 9, 2**32 + 1)), "2^32"),
        (replace(WEIGHT, strides=(120, 1152)), "120 bytes are not a multiple of 16"),
        (replace(WEIGHT, strides=(-128, 1152)), "-128 bytes are not between 0 and 2^40"),
        (replace(WEIGHT, strides=(128, 2**40)), "not between 0 and 2^40"),
        (replace(WEIGHT, box=(128, 1, 64)), "rows of 256 bytes have no swizzle"),
        (replace(WEIGHT, box=(8, 1, 64)), "rows of 16 bytes have no swizzle"),
        (replace(WEIGHT, box=(64, 1, 257)), "longer than 256"),
        (replace(IMAGE, box=(64, 1025)), "1025 pixels of 64 channels"),
        (replace(IMAGE, pixels=Pixels((0, 0), (0, 0), (9, 1))), "a stride of 9 is more than 8"),
        (corners(1, -32769), "beyond -32768 to 32767"),
        (corners(2, -129), "beyond -128 to 127"),
        (corners(2, 0, 128), "windows go 128"),
        (corners(3, -17), "beyond -16 to 15"),
    ],
)
def test_what_may_not_has_a_reason(wanted, reason):
    assert reason in why_not(wanted)


@pytest.mark.parametrize("wanted", [corners(1, -32768, 32767), corners(2, -128, 127)])
def test_limits_themselves_are_within(wanted):
    assert why_not(wanted) == ""


class StandInDriver:
    """As much of the driver as encoding takes: it writes down what it was told."""

    def __init__(self, status=0):
        self.status, self.told = status, None

    def _encode(self, *told):
        assert told[0].value % 64 == 0
        ctypes.memmove(told[0].value, bytes(range(MAP_BYTES)), MAP_BYTES)
        self.told = [list(t) if isinstance(t, ctypes.Array) else t.value for t in told[1:]]
        return self.status

    def cuTensorMapEncodeTiled(self, *told):
        assert len(told) == 12
        return self._encode(*told)

    def cuTensorMapEncodeIm2col(self, *told):
        assert len(told) == 15
        return self._encode(*told)


def test_the_driver_is_told_everything_in_its_order():
    driver = StandInDriver()
    assert encode(WEIGHT, 4096, driver) == bytes(range(MAP_BYTES))
    # Type, rank, address, extents, strides, box, steps; interleave, swizzle, promotion, filling.
    assert driver.told == [
        1, 3, 4096, [64, 9, 200], [128, 1152], [64, 1, 128], [1, 1, 1], 0, 3, 3, 0,
    ]  # fmt: skip
    encode(replace(IMAGE, box=(16, 128)), 8192, driver)
    # Corners, channels and pixels come in the box's place.
    assert driver.told == [
        1, 4, 8192, [64, 30, 20, 4], [128, 3840, 76800], [-1, -2], [-1, 0], 16, 128,
        [1, 2, 1, 1], 0, 1, 3, 0,
    ]  # fmt: skip
    encode(replace(WEIGHT, dtype="tf32", box=(16, 1, 8)), 0, driver)
    assert (driver.told[0], driver.told[-3]) == (11, 2)


def test_a_refusal_says_what_was_asked():
    with pytest.raises(RuntimeError, match=r"CUresult 1\): TensorMap\(dtype='float16'"):
        encode(WEIGHT, 4096, StandInDriver(status=1))


def test_maps_are_made_once_for_the_same_arrays():
    device = SimulatedDevice()
    maps = TensorMaps([(Scratch(32), WEIGHT), (0, None), (0, IMAGE)])
    first = maps.argument(device, [4096], 1024)
    assert maps.argument(device, [4096], 1024) is first
    assert [address for _, address in device.maps] == [1056, 4096]
    assert first.shape == (1,)
    assert first.nbytes == 3 * MAP_BYTES
    assert first.__array_interface__["data"][0] % 64 == 0
    assert first.tobytes()[MAP_BYTES : 2 * MAP_BYTES] == bytes(MAP_BYTES)
    assert maps.argument(device, [8192], 1024) is not first
    for address in range(0, 16 * 2 * TensorMaps.KEPT, 16):
        maps.argument(device, [address], 0)
    assert len(maps._made) <= TensorMaps.KEPT


def decision_of(problem, card=CARD, precision=None):
    return WGMMA_GEMM.decide(problem, Policy(precision=precision), card)


def layer(x=(2, 64, 9, 8), w=(64, 64, 3, 3), pass_="conv_forward", **more):
    return conv_problem(pass_, x, w, **({"dtype": "float16", "last": True} | more))


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (layer(last=False, groups=2, w=(64, 32, 3, 3), stride=9, padding=9), "a stride of 9"),
        (layer((2, 48, 9, 8), (64, 24, 3, 3), groups=2), "groups of 24 channels end inside a box"),
        (layer((2, 64, 99, 8), (64, 64, 3, 3), stride=(9, 1), padding=1), "a stride of 9"),
        (layer((1, 16, 300, 300), (8, 16, 200, 3)), "windows go -199 from the image's edge"),
        (layer((1, 16, 300, 9), (8, 16, 3, 3), dilation=(140, 1)), "beyond -128 to 127"),
        (layer((1, 16, 40, 9, 9), (8, 16, 20, 3, 3)), "beyond -16 to 15"),
        (layer(pass_="conv_input_grad", stride=(2, 5)), "10 phases"),
        (layer((0, 64, 9, 8)), "nothing to multiply"),
        (layer(dtype="float32"), 'takes precision="tf32"'),
        (layer(dtype="float64"), "not float64"),
    ],
)
def test_what_boxes_cannot_bring_is_declined(problem, reason):
    decision = decision_of(problem)
    assert not decision.can
    assert reason in decision.reason
    others = CudaBackend(simulated).decide(problem, Policy())
    assert any(d.can and d.algorithm != "implicit_gemm_wgmma" for d in others)


@pytest.mark.parametrize(
    "problem",
    [
        layer(last=False),
        layer(last=False, pass_="conv_input_grad", stride=2),
        layer((2, 5, 9, 8), (64, 5, 3, 3)),
        replace(layer(), x=replace(layer().x, strides=(-9216, 2, 1024, 128))),
    ],
)
def test_what_boxes_cannot_bring_as_it_lies_is_copied(problem):
    decision = decision_of(problem)
    assert decision.can, decision.reason
    assert "of a copy with its channels last" in decision.reason


@pytest.mark.parametrize("capability", [(8, 9), (10, 0), (12, 0)])
def test_only_hopper_has_it(capability):
    decision = decision_of(layer(), replace(CARD, capability=capability))
    assert not decision.can
    assert "capability 9.0 alone" in decision.reason


def test_on_hopper_it_is_the_first_choice_where_boxes_fit():
    backend = CudaBackend(simulated)
    for problem in (layer(), layer(pass_="conv_input_grad", stride=2)):
        assert backend.decide(problem, Policy())[0].algorithm == "implicit_gemm_wgmma"


def test_factors_that_may_be_cut_off_have_a_wider_bound():
    problem = layer(dtype="float32")
    policy = Policy(precision="tf32")
    found = {d.algorithm: d for d in CudaBackend(simulated).decide(problem, policy)}
    ours, others = (found[f"implicit_gemm_{name}"] for name in ("wgmma", "mma"))
    assert ours.can
    assert others.error_bound < ours.error_bound < 2.1 * others.error_bound


def test_blocks_fit_a_multiprocessor():
    for tile in TILES:
        for row_bytes in (128, 64, 32):
            size = shared_bytes(tile.columns, row_bytes, 1) + integers_more
            assert size <= CARD.shared_memory
    # Two of the smallest share one, which has 228 KiB, 1 KiB of each block taken.
    assert 2 * (shared_bytes(64, 128, 2) + 1024) <= 228 * 1024


def test_a_linear_layer_is_a_row_of_pixels():
    problem = linear_problem("linear_forward", 300, 64, 32, "float16")
    device = SimulatedDevice()
    plan = WGMMA_GEMM.plan(problem, decision_of(problem), device)
    x, w, y = (np.zeros(o.shape, o.dtype) for o in (problem.x, problem.weight, problem.y))
    plan.run([x, w], [y], np.zeros(plan.workspace_bytes, np.uint8))
    image = device.maps[1][0]
    assert (image.extents, image.strides) == ((64, 300, 1), (128, 128))
