"""Ranges that integers cover: extremes, percentiles, least error."""

import numpy as np
import pytest

import fastconv
from fastconv.quantization import METHODS, Calibrator


def calibrated(*batches, **options):
    calibrator = Calibrator(**options)
    for batch in batches:
        calibrator.observe(batch)
    return calibrator.result()


def error(x, found, **options):
    steps = fastconv.quantize(x, *found, **options)
    return float(np.square(fastconv.dequantize(steps, *found) - x).mean())


@pytest.fixture
def tailed():
    """Values of which a few are far out."""
    return np.random.default_rng(2).standard_t(3, 20_000).astype(np.float32)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_the_extremes_are_reached_and_zero_is_exact(dtype):
    x = np.float32([-0.5, 0, 1.5])
    found = calibrated(x, dtype=dtype)
    steps = fastconv.quantize(x, *found, dtype=dtype)
    ends = np.iinfo(dtype)
    assert (steps[0], steps[2]) == (ends.min, ends.max)
    assert steps[1] == found.zero_point
    assert found.scale.dtype == np.float32


def test_ranges_of_one_sign_hold_zero():
    found = calibrated(np.float32([2, 3]), dtype="uint8")
    assert found.zero_point == 0
    assert found.scale == np.float32(3 / 255)
    assert calibrated(np.float32([-3, -2])).zero_point == 127


@pytest.mark.parametrize(("dtype", "zero"), [("int8", 0), ("uint8", 128)])
def test_symmetric(dtype, zero):
    found = calibrated(np.float32([-1, 2.54]), dtype=dtype, symmetric=True)
    assert found.zero_point == zero
    assert found.scale == np.float32(2.54 / 127)


def test_least_error_is_least(tailed):
    found = {method: calibrated(tailed, method=method) for method in METHODS}
    errors = {method: error(tailed, found[method]) for method in METHODS}
    assert errors["mse"] < 0.99 * errors["minmax"]
    assert errors["mse"] < 0.99 * errors["percentile"]


def test_percentile(tailed):
    found = calibrated(tailed, method="percentile", percentile=99, symmetric=True)
    outside = (np.abs(tailed) > found.scale * 127).mean()
    assert 0.01 < outside < 0.03
    whole = calibrated(tailed, method="percentile", percentile=100)
    assert whole.scale == pytest.approx(calibrated(tailed).scale, rel=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_batches_are_as_good_as_all_at_once(tailed, method):
    parts = np.array_split(tailed * np.linspace(0.1, 1, len(tailed)).astype(np.float32), 9)
    together = calibrated(np.concatenate(parts), method=method)
    apart = calibrated(*parts, method=method)
    assert apart.scale == pytest.approx(together.scale, rel=0.03)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("axis", [0, -1])
def test_channels_apart(method, axis):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((6, 400)).astype(np.float32) * np.float32(10.0) ** np.arange(6)[:, None]
    found = calibrated(x if axis == 0 else x.T, method=method, axis=axis, symmetric=True)
    assert found.scale.shape == found.zero_point.shape == (6,)
    each = [calibrated(row, method=method, symmetric=True).scale for row in x]
    np.testing.assert_array_equal(found.scale, each)


def test_nothing_but_zero():
    found = calibrated(np.zeros(5, np.float32))
    assert found.scale > 0
    assert fastconv.quantize(np.zeros(2, np.float32), *found).tolist() == [found.zero_point] * 2
    assert calibrated(np.full(3, 0.5)).scale == np.float32(0.5 / 255)


def test_bad_arguments():
    with pytest.raises(ValueError, match="method: got 'best', expected one of minmax"):
        Calibrator("best")
    with pytest.raises(ValueError, match="dtype: got 'int4'"):
        Calibrator(dtype="int4")
    with pytest.raises(ValueError, match=r"percentile: got 0\.999, expected above 50"):
        Calibrator(percentile=0.999)
    with pytest.raises(ValueError, match="got no samples, expected observe"):
        Calibrator().result()
    with pytest.raises(ValueError, match="batch: got NaN or inf"):
        Calibrator().observe([np.inf])
    with pytest.raises(TypeError, match="batch: got dtype int64"):
        Calibrator().observe([1])
    with pytest.raises(ValueError, match="expected one with axis 2"):
        Calibrator(axis=2).observe([[1.0]])
    several = Calibrator(axis=0)
    several.observe([[1.0], [2.0]])
    with pytest.raises(ValueError, match="got 1 places along axis 0, expected 2, as before"):
        several.observe([[1.0]])
