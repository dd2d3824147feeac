"""Arguments of fastconv's functions from the text of a command line."""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from fastconv.backend import Policy

Arguments = tuple[list[Any], dict[str, Any]]

# Parameters that are arrays: only their shapes are given.
ARRAYS = frozenset({"x", "weight", "bias", "grad", "indices", "cols"})
_POLICY = frozenset(Policy.__dataclass_fields__)


def parse_shape(text: str) -> tuple[int, ...]:
    """A shape: "8,64,56,56" or "8x64x56x56".

    >>> parse_shape("8,64,56,56")
    (8, 64, 56, 56)
    """
    try:
        shape = tuple(int(part) for part in text.lower().replace("x", ",").split(","))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 0:
        raise ValueError(f"got {text!r}, expected a shape such as 8,64,56,56")
    return shape


def parse_sizes(text: str) -> Any:
    """A number, one per axis "1,2", pairs "0:1,2:3", or a name such as "same".

    >>> parse_sizes("1"), parse_sizes("1,2"), parse_sizes("0:1,2:3"), parse_sizes("same")
    (1, (1, 2), ((0, 1), (2, 3)), 'same')
    """
    parts = text.split(",")
    try:
        values = [tuple(int(end) for end in part.split(":")) for part in parts]
    except ValueError:
        if text.isidentifier():
            return text
        values = []
    widths = {len(value) for value in values}
    if widths == {2}:
        return tuple(values)
    if widths == {1}:
        numbers = tuple(value[0] for value in values)
        return numbers if len(numbers) > 1 else numbers[0]
    raise ValueError(f"got {text!r}, expected 1, 1,2 (one per axis), 0:1,2:3 (pairs) or a name")


def find_function(name: str, options: Collection[str]) -> Callable[..., Any]:
    """fastconv's public function of that name whose needs ``options`` can meet, else ValueError."""
    import fastconv

    known = {
        candidate: function
        for candidate in sorted(fastconv.__all__)
        if inspect.isfunction(function := getattr(fastconv, candidate))
        and _can_be_called(function, options)
    }
    if name not in known:
        raise ValueError(f"got {name!r}, expected one of {', '.join(known)}")
    return known[name]


def _can_be_called(function: Callable[..., Any], options: Collection[str]) -> bool:
    parameters = inspect.signature(function).parameters
    sources = {name: name.removesuffix("_shape") for name in parameters}
    return not ARRAYS.isdisjoint(sources.values()) and all(
        sources[name] in options
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    )


def arguments_for(
    function: Callable[..., Any], options: Mapping[str, Any], dtype: str
) -> Arguments:
    """Positional and keyword arguments for ``function``.

    Parameters
    ----------
    function : callable
        One that :func:`find_function` returned.
    options : mapping
        By parameter name; shapes for arrays. None and False mean: not given.
    dtype : str
        Element type of the arrays.

    Raises
    ------
    ValueError
        If the function takes no such parameter, needs one that is missing, or knows no such type.
    """
    # By identity: padding 0 equals False.
    given = {n: value for n, value in options.items() if value is not None and value is not False}
    parameters = inspect.signature(function).parameters
    takes_policy = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    for name, parameter in parameters.items():
        source = name.removesuffix("_shape")
        if source not in given:
            if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
                raise ValueError(f"{function.__name__} needs {_flag(source)}")
            continue
        value = given.pop(source)
        if name in ARRAYS:
            value = _array(value, "int64" if name == "indices" else dtype)
        if parameter.kind is parameter.POSITIONAL_ONLY:
            positional.append(value)
        else:
            keywords[name] = value
    if takes_policy:
        keywords |= {name: given.pop(name) for name in sorted(_POLICY & given.keys())}
    if given:
        taken = [_flag(name.removesuffix("_shape")) for name in parameters if name != "out"]
        raise ValueError(
            f"{function.__name__} takes no {', '.join(map(_flag, given))}. Besides the policy it "
            f"takes {', '.join(taken[: len(taken) - takes_policy])}"
        )
    return positional, keywords


def fill(values: Iterable[Any]) -> None:
    """Put random numbers into the floating arrays among some values, in place.

    Zeros that were never written all lie in one page of memory: no cache would be short of room.
    """
    import numpy as np

    rng = np.random.default_rng(0)
    for value in values:
        if isinstance(value, np.ndarray):
            floating = value.dtype.kind in "fc" or value.dtype.name == "bfloat16"
            value[...] = rng.standard_normal(value.shape, np.float32) if floating else 0


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _array(shape: tuple[int, ...], dtype: str) -> Any:
    import numpy as np

    # np.zeros reserves addresses without touching memory, so that large shapes cost nothing.
    if dtype == "bfloat16":
        try:
            from ml_dtypes import bfloat16
        except ModuleNotFoundError:
            raise ValueError('bfloat16 needs ml_dtypes: pip install "ml_dtypes"') from None
        return np.zeros(shape, bfloat16)
    try:
        return np.zeros(shape, dtype)
    except TypeError:
        raise ValueError(f"got --dtype {dtype!r}, expected a type such as float32") from None
