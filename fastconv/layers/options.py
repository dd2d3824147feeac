"""Constructor arguments that many layers share: dtype, random numbers, policy and layout."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod, sqrt
from typing import Any, TypedDict

import numpy as np

from fastconv.backend import Policy
from fastconv.dispatch.policy import PolicyOptions, settle
from fastconv.errors import bad_argument
from fastconv.functional.parameters import is_channels_last
from fastconv.precision import array_dtype


class LayoutOption(TypedDict, total=False):
    """The order of an array's axes."""

    layout: str | None


class CallOptions(PolicyOptions, LayoutOption, total=False):
    """Keywords that a layer takes in its constructor and hands to every call."""


def call_options(layer: str, options: Mapping[str, object]) -> dict[str, Any]:
    """Check a layer's keywords; return those that were given."""
    given = {name: value for name, value in options.items() if value is not None}
    settle(layer, Policy(), {name: value for name, value in given.items() if name != "layout"})
    return given


def channels_last(layer: str, options: Mapping[str, Any], axes: int) -> bool:
    """Whether a layer's layout, checked, puts the channels last."""
    return "layout" in options and is_channels_last(layer, options["layout"], axes)


def float_dtype(layer: str, dtype: Any) -> np.dtype[Any]:
    """Return a parameter dtype: real floating, bfloat16 or complex."""
    kind = array_dtype(layer, "dtype", dtype)
    if kind.kind not in "fc" and kind.name != "bfloat16":
        raise TypeError(bad_argument(layer, "dtype", got=kind, expected="a floating dtype"))
    return kind


def generator(layer: str, seed: int | None, rng: np.random.Generator | None) -> np.random.Generator:
    """Return the generator to draw from; `seed` and `rng` exclude each other."""
    if rng is None:
        return np.random.default_rng(seed)
    if seed is not None:
        raise ValueError(
            bad_argument(layer, "seed", got=f"{seed} beside rng", expected="one of the two")
        )
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            bad_argument(
                layer,
                "rng",
                got=repr(rng),
                expected="a numpy.random.Generator",
                hint="Pass seed=0, or rng=numpy.random.default_rng(0)",
            )
        )
    return rng


def uniform_parameters(
    shape: tuple[int, ...],
    bias_size: int | None,
    dtype: np.dtype[Any],
    rng: np.random.Generator,
) -> tuple[Any, Any]:
    """Draw a weight and a bias as PyTorch does: uniform within 1 / sqrt(fan_in).

    That is Kaiming's uniform initialisation with a = sqrt(5), where fan_in is the number of
    weights of one output: ``prod(shape[1:])``. Complex numbers get that variance in all.

    References
    ----------
    He et al., "Delving deep into rectifiers", ICCV 2015.
    """
    bound = 1 / sqrt(prod(shape[1:]))

    def draw(size: tuple[int, ...]) -> Any:
        if dtype.kind != "c":
            return rng.uniform(-bound, bound, size).astype(dtype)
        real, imaginary = rng.uniform(-bound, bound, (2, *size)) / sqrt(2)
        return (real + 1j * imaginary).astype(dtype)

    weight = draw(shape)
    return weight, None if bias_size is None else draw((bias_size,))
