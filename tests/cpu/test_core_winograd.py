"""What the compiled core's Winograd objects refuse."""

import numpy as np
import pytest

core = pytest.importorskip("fastconv.cpu._core", reason="needs the compiled core")


def arguments():
    geometry = core.Geometry((8, 8), (3, 3), (1, 1), (1, 1), (1, 1), (8, 8))
    kernels = core.Winograd(geometry, 1, 1, 2, 3, (6, 6), False, 0, 0.0)
    rows, lanes = core.gemm_tile("float32")[0], core.lanes("float32")
    each, _ = kernels.scratch_bytes(lanes, rows, True, False)
    return kernels, {
        "x": np.ones((1, 2, 8, 8), "f4"),
        "weight": None,
        "packed": np.zeros(kernels.packed_bytes, np.uint8),
        "y": np.full((1, 3, 8, 8), np.nan, "f4"),
        "bias": None,
        "width": lanes,
        "group": rows,
        "inputs": None,
        "scratch": np.empty(each, np.uint8),
        "threads": 1,
    }


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("x", lambda a: a[..., 1:], "x: expected shape"),
        ("x", lambda a: a.astype("f8"), "x: expected items of 4 bytes"),
        ("y", lambda a: a[:, 1:], "y: expected shape"),
        ("packed", lambda a: a[1:], "packed: .* bytes are too few"),
        ("bias", lambda _: np.ones(2, "f4"), "bias: expected 3"),
        ("width", lambda w: w + 1, "multiples of lanes"),
        ("group", lambda g: g + 1, "multiples of lanes"),
        ("width", lambda w: w * 4, "scratch: .* bytes are too few"),
        ("inputs", lambda _: np.empty(64, np.uint8), "inputs: 64 bytes are too few"),
        ("scratch", lambda a: a[1:], "scratch: .* bytes are too few for 1 threads"),
        ("threads", lambda _: 2, "scratch: .* bytes are too few for 2 threads"),
    ],
)
def test_what_does_not_fit_is_refused(name, change, message):
    kernels, given_ = arguments()
    given_[name] = change(given_[name])
    with pytest.raises(ValueError, match=message):
        kernels.run(**given_)
    assert np.isnan(given_["y"]).all()


def test_unknown_cuts_are_refused():
    geometry = core.Geometry((8, 8), (3, 3), (1, 1), (1, 1), (1, 1), (8, 8))
    with pytest.raises(ValueError, match="alpha: expected"):
        core.Winograd(geometry, 1, 1, 2, 3, (5, 5), False, 0, 0.0)
    strided = core.Geometry((8, 8), (3, 3), (2, 2), (1, 1), (2, 2), (4, 4))
    with pytest.raises(ValueError, match="expected dilation 1"):
        core.Winograd(strided, 1, 1, 2, 3, (6, 6), False, 0, 0.0)
    with pytest.raises(ValueError, match="expected dilation 1"):
        core.WinogradGrad(strided, 1, 1, 2, 3, (6, 6), 16, 8, 16, 1)
    for up in ((2,), (3, 1), (2, 3)):
        with pytest.raises(ValueError, match="up: expected"):
            core.Winograd(geometry, 1, 1, 2, 3, (6, 6), True, 0, 0.0, 0, up)
    with pytest.raises(ValueError, match="expected multiples"):
        core.WinogradGrad(geometry, 1, 1, 2, 3, (6, 6), 5, 5, 5, 1)
    lanes, (rows, _) = core.lanes("float32"), core.gemm_tile("float32")
    with pytest.raises(ValueError, match="splits: expected no more than there are chunks"):
        core.WinogradGrad(geometry, 1, 1, 2, 3, (6, 6), lanes, rows, lanes, 9)
