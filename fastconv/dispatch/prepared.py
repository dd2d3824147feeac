"""Weights made ready for repeated use."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastconv.dispatch.arrays import take, type_name
from fastconv.dispatch.choose import allowed
from fastconv.dispatch.policy import current, settle
from fastconv.errors import bad_argument


class PreparedWeight:
    """An immutable copy of a weight, made by :func:`fastconv.prepare` for one backend.

    Attributes
    ----------
    backend : str
        The backend that it was prepared for; calls on another one refuse it.
    array : array
        The copy, C-contiguous and read-only.
    """

    __slots__ = ("array", "backend")

    array: Any
    backend: str

    def __init__(self, array: Any, backend: str) -> None:
        object.__setattr__(self, "array", array)
        object.__setattr__(self, "backend", backend)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a PreparedWeight is immutable: can't set {name}")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weight."""
        return tuple(self.array.shape)

    @property
    def dtype(self) -> Any:
        """Data type of the weight."""
        return self.array.dtype

    def __repr__(self) -> str:
        return f"PreparedWeight(shape={self.shape}, dtype={self.dtype}, backend={self.backend!r})"


def prepare(
    weight: Any, like: Any, *, backend: str | None = None, device: str | None = None
) -> PreparedWeight:
    """Make a weight ready for repeated use with inputs such as `like`.

    Parameters
    ----------
    weight : array
        A weight of a convolution or a linear layer, in any memory layout.
    like : array
        An input as the calls will get it; its type settles the backend.
    backend, device : str, optional
        As in :func:`fastconv.use`.

    Returns
    -------
    PreparedWeight
        An immutable copy, accepted wherever a weight is. Later changes to `weight` don't
        reach it. Calls that a policy sends to another backend refuse it.

    Raises
    ------
    TypeError
        If the two are of different array types.
    UnsupportedError
        If no backend serves them.

    Examples
    --------
    >>> import numpy as np, fastconv
    >>> x = np.ones((1, 1, 3, 3))
    >>> w = fastconv.prepare(np.ones((1, 1, 3, 3)), like=x)
    >>> fastconv.conv2d(x, w)
    array([[[[9.]]]])
    """
    weight, like = take("prepare", "weight", weight), take("prepare", "like", like)
    if type(weight) is not type(like):
        raise TypeError(
            bad_argument(
                "prepare",
                "weight",
                got=f"a {type_name(weight)}",
                expected=f"a {type_name(like)}, as like= is",
            )
        )
    policy = settle("prepare", current(), {"backend": backend, "device": device})
    candidates = allowed("prepare", policy, like)
    copy = weight.astype(weight.dtype.newbyteorder("="), order="C", copy=True)
    if isinstance(copy, np.ndarray):
        copy.setflags(write=False)
    return PreparedWeight(copy, candidates[0].info.name)
