"""Rebinding the book's names in its own modules, and back."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from fastconv.compat.dlfs import dense, elementwise, spatial, util

_UTIL = {
    "im2col": util.im2col,
    "col2im": util.col2im,
    "conv_output_size": util.conv_output_size,
}
_LAYERS: dict[str, Any] = {
    **_UTIL,
    "Convolution": spatial.Convolution,
    "Pooling": spatial.Pooling,
    "Affine": dense.Affine,
    "SoftmaxWithLoss": dense.SoftmaxWithLoss,
    "softmax": dense.softmax,
    "cross_entropy_error": dense.cross_entropy_error,
    "Relu": elementwise.Relu,
    "Sigmoid": elementwise.Sigmoid,
    "Dropout": elementwise.Dropout,
    "BatchNormalization": elementwise.BatchNormalization,
}
# common.layers imports names from common.util: both hold them, and both are rebound.
_OURS: dict[str, dict[str, Any]] = {"common.util": dict(_UTIL), "common.layers": _LAYERS}

_originals: list[tuple[ModuleType, str, Any]] = []


class Patched(tuple[str, ...]):
    """The dotted names that `patch` rebound; a ``with`` block undoes it at its end."""

    __slots__ = ()

    def __enter__(self) -> Patched:
        """Return the names."""
        return self

    def __exit__(self, *_: object) -> None:
        """Call `unpatch`."""
        unpatch()


def patch(verbose: bool = False) -> Patched:
    """Put fastconv's versions in place of the book's, in ``common.util`` and ``common.layers``.

    Call it before importing modules that take names from there, such as the book's networks.
    Only names that exist are rebound. A second call does nothing more.

    Parameters
    ----------
    verbose : bool
        Whether to print each name.

    Returns
    -------
    Patched
        The names rebound, for instance "common.layers.Convolution": a tuple, which also serves
        as a context manager that calls `unpatch`.

    Raises
    ------
    ImportError
        If neither module can be imported.
    """
    modules = {name: module for name in _OURS if (module := _module(name)) is not None}
    if not modules:
        raise ImportError(
            "patch: neither common.util nor common.layers can be imported. Put the folder of "
            "the book's code, which holds 'common', on sys.path"
        )
    rebound = []
    for name, module in modules.items():
        for attribute, ours in _OURS[name].items():
            theirs = getattr(module, attribute, ours)
            if theirs is not ours:
                _originals.append((module, attribute, theirs))
                setattr(module, attribute, ours)
                rebound.append(f"{name}.{attribute}")
    if verbose:
        for dotted in rebound:
            print(f"fastconv: {dotted}")
    return Patched(rebound)


def unpatch() -> None:
    """Put everything back that `patch` rebound."""
    while _originals:
        module, attribute, theirs = _originals.pop()
        setattr(module, attribute, theirs)


def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # A module that the book's own code misses is the caller's to hear about.
        if error.name not in ("common", name):
            raise
        return None
