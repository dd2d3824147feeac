"""A number as its sign and its exact size, out of whatever a caller writes."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from numbers import Rational, Real
from typing import NamedTuple

from fastconv.errors import bad_argument

# A str can have exponents of any length; no format reaches as far as this.
_MOST_EXPONENT = 10_000


class Number(NamedTuple):
    """A number: whether it is negative, which a zero may be, and its size, inf or nan."""

    negative: bool
    size: Fraction | float

    @property
    def value(self) -> Fraction | float:
        """The number itself."""
        return -self.size if self.negative else self.size


def number(function: str, argument: str, value: object) -> Number:
    """Return a real number exactly, or the one that a str says.

    Raises
    ------
    TypeError
        If it is neither.
    ValueError
        If a str says no number.
    """
    if isinstance(value, str):
        try:
            return _parsed(value.strip().lower())
        except (InvalidOperation, ValueError, OverflowError, ZeroDivisionError):
            raise ValueError(
                bad_argument(
                    function,
                    argument,
                    got=repr(value),
                    expected='a number, such as "263.3", "1/3", "0x1.8p3", "inf" or "nan"',
                )
            ) from None
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        raise TypeError(
            bad_argument(function, argument, got=repr(value), expected="a real number or a str")
        )
    if isinstance(value, Rational):
        found = Fraction(int(value.numerator), int(value.denominator))
        return Number(found < 0, abs(found))
    return _of_float(value) if isinstance(value, Decimal) else _of_float(float(value))


def _parsed(text: str) -> Number:
    if "x" in text:
        return _of_float(float.fromhex(text))
    if "/" in text:
        found = Fraction(text)
        return Number(text.startswith("-"), abs(found))
    return _of_float(Decimal(text))


def _of_float(value: float | Decimal) -> Number:
    # Not the operators: they round Decimals to a context's precision, or overflow.
    negative = math.copysign(1, value) < 0
    size = abs(value) if isinstance(value, float) else value.copy_abs()
    if size != size or size == math.inf:
        return Number(negative, float(size))
    if isinstance(size, Decimal) and size and abs(size.adjusted()) > _MOST_EXPONENT:
        return Number(negative, Fraction(10) ** (_MOST_EXPONENT if size > 1 else -_MOST_EXPONENT))
    return Number(negative, Fraction(size))
