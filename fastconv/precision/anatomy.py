"""What a number becomes in a format: its fields, what is stored exactly, and how far off."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from fastconv.errors import bad_argument
from fastconv.precision.exact import Number, number
from fastconv.precision.formats import AnyFormat, Format, IntegerFormat, format_named


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A number in a format.

    Attributes
    ----------
    format : Format or IntegerFormat
        The format.
    sign, exponent, fraction : str
        The fields' bits, most significant first. An integer has no exponent; its fraction is
        what follows the sign in two's complement.
    stored : float
        The number that is stored, exactly.
    error : float
        The stored number less the given one; NaN if either isn't finite.
    """

    format: AnyFormat
    sign: str
    exponent: str
    fraction: str
    stored: float
    error: float

    @property
    def exact(self) -> str:
        """All decimal digits of the number that is stored."""
        if not math.isfinite(self.stored):
            return str(self.stored)
        text = f"{Decimal(self.stored):f}"
        if len(text) <= _MOST_DIGITS:
            return text
        return f"{Decimal(self.stored):e}".replace("e+", "e")

    def __str__(self) -> str:
        """Return the fields and the exact value in one line."""
        fields = " | ".join(bits for bits in (self.sign, self.exponent, self.fraction) if bits)
        return f"{fields} = {self.exact}"


_MOST_DIGITS = 60


def anatomy(value: object, format: str | AnyFormat) -> Anatomy:
    """Return what a number becomes in a format, rounded to nearest, ties to even.

    Parameters
    ----------
    value : int, float, Fraction, Decimal or str
        A number, taken exactly: 263.3 is the float64 nearest to it, "263.3" is 263.3 itself. A
        str may be decimal, a fraction such as "1/3", hexadecimal as in "0x1.8p3", "inf" or "nan".
    format : str
        A key of ``FORMATS`` or ``INTEGERS``.

    Returns
    -------
    Anatomy
        Fields, stored number and error. What is too large becomes infinite; NaN in
        ``float8_e4m3fn``, which has no infinities; the nearest end in ``int8``.

    Raises
    ------
    TypeError
        If the value is no real number.
    ValueError
        If a str is no number, there is no such format, or a NaN can't become an integer.

    References
    ----------
    IEEE 754-2019, section 3.4 (fields) and 4.3.1 (rounding).

    Examples
    --------
    >>> print(anatomy("263.3", "float32"))
    0 | 10000111 | 00000111010011001100110 = 263.29998779296875
    >>> found = anatomy("0.1", "float16")
    >>> found.stored, found.error
    (0.0999755859375, -2.44140625e-05)
    """
    wanted = format_named("anatomy", "format", format)
    given = number("anatomy", "value", value)
    if isinstance(wanted, IntegerFormat):
        return _integer(given, wanted)
    if isinstance(given.size, Fraction):
        return _finite(given.size, given, wanted)
    return _special(given, wanted)


def _special(given: Number, wanted: Format) -> Anatomy:
    """Return the anatomy of what is infinite, or no number, or too large."""
    sign, ones = str(int(given.negative)), "1" * wanted.exponent_bits
    if not wanted.infinities:
        return Anatomy(wanted, sign, ones, "1" * wanted.fraction_bits, math.nan, math.nan)
    zeros = "0" * (wanted.fraction_bits - 1)
    if given.size != given.size:
        return Anatomy(wanted, sign, ones, "1" + zeros, math.nan, math.nan)
    stored = -math.inf if given.negative else math.inf
    return Anatomy(wanted, sign, ones, "0" + zeros, stored, math.nan)


def _finite(size: Fraction, given: Number, wanted: Format) -> Anatomy:
    exponent = max(_exponent(size), 1 - wanted.bias)
    step = Fraction(2) ** (exponent - wanted.fraction_bits)
    steps = round(size / step)
    if steps * step > Fraction(wanted.largest):
        return _special(given, wanted)
    # Without the leading bit a number is subnormal; rounding up may carry into the exponent.
    code = steps + ((exponent + wanted.bias - 1) << wanted.fraction_bits)
    bits = f"{code:0{wanted.bits - 1}b}"
    stored = Number(given.negative, steps * step)
    return Anatomy(
        wanted,
        str(int(given.negative)),
        bits[: wanted.exponent_bits],
        bits[wanted.exponent_bits :],
        math.copysign(float(stored.size), -1.0 if given.negative else 1.0),
        _as_float(stored.value - given.value),
    )


def _exponent(size: Fraction) -> int:
    """Return the exponent of two of the leading bit; of zero, one below all formats'."""
    if size == 0:
        return -(2**20)
    found = size.numerator.bit_length() - size.denominator.bit_length()
    return found if size >= Fraction(2) ** found else found - 1


def _integer(given: Number, wanted: IntegerFormat) -> Anatomy:
    if given.size != given.size:
        raise ValueError(
            bad_argument(
                "anatomy", "value", got="nan", expected=f"a number, as {wanted.name} has no NaN"
            )
        )
    ends = wanted.lowest, wanted.largest
    value = given.value
    whole = min(max(round(value), ends[0]), ends[1]) if isinstance(value, Fraction) else None
    stored = ends[not given.negative] if whole is None else whole
    bits = f"{stored % 2**wanted.bits:0{wanted.bits}b}"
    return Anatomy(wanted, bits[0], "", bits[1:], float(stored), _as_float(stored - value))


def _as_float(value: Fraction | float) -> float:
    if isinstance(value, float):  # of an infinite number
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
