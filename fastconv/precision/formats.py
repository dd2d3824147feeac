"""Number formats: how many bits they have for what, what they reach, and how fine they are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fastconv.errors import bad_argument


@dataclass(frozen=True, slots=True)
class Format:
    """A binary floating-point format with a sign, an exponent and a fraction.

    Attributes
    ----------
    name : str
        The name that arrays' dtypes and the ``precision=`` keyword use.
    exponent_bits, fraction_bits : int
        Bits of the two fields; the significand has one more than the fraction, the implicit one.
    storage_bits : int
        Bits that a value takes in memory: for tf32, which is computed with and never stored,
        those of float32.
    infinities : bool
        Whether the largest exponent is kept for infinities and NaN, as in IEEE 754. Where it
        isn't, only an exponent and fraction of ones alone are NaN, and nothing is infinite.

    Examples
    --------
    >>> FORMATS["bfloat16"].largest
    3.3895313892515355e+38
    >>> FORMATS["float8_e4m3fn"].largest, FORMATS["float16"].spacing(1000)
    (448.0, 0.5)
    """

    name: str
    exponent_bits: int
    fraction_bits: int
    storage_bits: int
    infinities: bool = True

    @property
    def bits(self) -> int:
        """Bits of the three fields together."""
        return 1 + self.exponent_bits + self.fraction_bits

    @property
    def significand_bits(self) -> int:
        """Bits of the significand, the implicit one included."""
        return self.fraction_bits + 1

    @property
    def bias(self) -> int:
        """What the exponent's field has more than the exponent."""
        return int(2 ** (self.exponent_bits - 1)) - 1

    @property
    def largest(self) -> float:
        """Largest finite number."""
        if self.infinities:
            return float(2.0**self.bias * (2 - 2.0**-self.fraction_bits))
        return float(2.0 ** (self.bias + 1) * (2 - 2 * 2.0**-self.fraction_bits))

    @property
    def lowest(self) -> float:
        """Lowest finite number."""
        return -self.largest

    @property
    def smallest_normal(self) -> float:
        """Smallest positive normal number; the absolute floor of an error budget."""
        return float(2.0 ** (1 - self.bias))

    @property
    def smallest_subnormal(self) -> float:
        """Smallest positive number."""
        return self.smallest_normal * 2.0**-self.fraction_bits

    @property
    def unit_roundoff(self) -> float:
        """Largest relative error of rounding a normal number to nearest."""
        return float(2.0**-self.significand_bits)

    def spacing(self, value: float) -> float:
        """Return the distance between neighbours with a finite value's exponent."""
        exponent = math.frexp(value)[1] - 1 if value else 0
        if abs(value) < self.smallest_normal:
            exponent = 1 - self.bias
        return math.ldexp(1.0, min(exponent, self._top) - self.fraction_bits)

    @property
    def _top(self) -> int:
        return self.bias + (not self.infinities)


@dataclass(frozen=True, slots=True)
class IntegerFormat:
    """Two's complement integers of so many bits, which a scale turns into numbers.

    Examples
    --------
    >>> INTEGERS["int8"].lowest, INTEGERS["int8"].largest
    (-128, 127)
    """

    name: str
    bits: int

    @property
    def storage_bits(self) -> int:
        """Bits that a value takes in memory."""
        return self.bits

    @property
    def lowest(self) -> int:
        """Lowest number."""
        return -int(2 ** (self.bits - 1))

    @property
    def largest(self) -> int:
        """Largest number."""
        return int(2 ** (self.bits - 1)) - 1

    def spacing(self, value: float) -> float:
        """Return the distance between neighbours: one, times the scale."""
        return 1.0


AnyFormat = Format | IntegerFormat

# OCP 8-bit Floating Point Specification, revision 1.0; tf32: NVIDIA A100 architecture white paper.
FORMATS = {
    known.name: known
    for known in (
        Format("float64", 11, 52, 64),
        Format("float32", 8, 23, 32),
        Format("tf32", 8, 10, 32),
        Format("float16", 5, 10, 16),
        Format("bfloat16", 8, 7, 16),
        Format("float8_e5m2", 5, 2, 8),
        Format("float8_e4m3fn", 4, 3, 8, infinities=False),
    )
}
INTEGERS = {"int8": IntegerFormat("int8", 8)}

COMPLEX = {"complex64": "float32", "complex128": "float64"}
# What arrays may have.
FLOATING = frozenset({"float64", "float32", "float16", "bfloat16"}) | frozenset(COMPLEX)


def real_format(dtype: str) -> Format:
    """Return the format of a dtype's real numbers: complex64 counts as float32."""
    return FORMATS[COMPLEX.get(dtype, dtype)]


def format_named(function: str, argument: str, name: object) -> AnyFormat:
    """Return a format by its name, for a function that was given it as an argument.

    Raises
    ------
    TypeError
        If it is no str.
    ValueError
        If there is no such format.
    """
    if isinstance(name, Format | IntegerFormat):
        return name
    if not isinstance(name, str):
        raise TypeError(
            bad_argument(function, argument, got=repr(name), expected="a format's name (str)")
        )
    known: dict[str, AnyFormat] = {**FORMATS, **INTEGERS}
    if name not in known:
        raise ValueError(
            bad_argument(function, argument, got=repr(name), expected="one of " + ", ".join(known))
        )
    return known[name]
