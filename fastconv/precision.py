"""Number formats as the policy names them, and how far a sum in one may be off."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """A floating-point format.

    Attributes
    ----------
    name : str
        The name that arrays' dtypes and the ``precision=`` keyword use.
    significand_bits : int
        Bits of the significand, the implicit one included.
    smallest_normal : float
        Smallest positive normal number; the absolute floor of an error budget.
    """

    name: str
    significand_bits: int
    smallest_normal: float

    @property
    def unit_roundoff(self) -> float:
        """Largest relative error of rounding to nearest, 2 ** -significand_bits."""
        return float(2.0**-self.significand_bits)


FORMATS = {
    "float64": Format("float64", 53, 2.0**-1022),
    "float32": Format("float32", 24, 2.0**-126),
    "float16": Format("float16", 11, 2.0**-14),
    "bfloat16": Format("bfloat16", 8, 2.0**-126),
}
COMPLEX = {"complex64": "float32", "complex128": "float64"}
FLOATING = frozenset(FORMATS) | frozenset(COMPLEX)

# What the policy accepts. float32_strict is float32 by classical sums only: no transform
# (Winograd) that trades accuracy for fewer multiplications.
PRECISIONS = (
    "auto",
    "float64",
    "float32",
    "float32_strict",
    "tf32",
    "float16",
    "bfloat16",
    "int8",
)


def real_format(dtype: str) -> Format:
    """Return the format of a dtype's real numbers: complex64 counts as float32."""
    return FORMATS[COMPLEX.get(dtype, dtype)]


def sum_dtype(dtype: str) -> str:
    """Return the dtype in which sums of products of `dtype` are taken: at least float32."""
    return "float32" if dtype in ("float16", "bfloat16") else dtype


def classical_error_bound(length: int, sum_dtype: str, out_dtype: str) -> float:
    """Bound the error of a sum of `length` products, relative to the sum of magnitudes.

    The bound is the classical one, gamma_n = n u / (1 - n u), which holds for every order of
    summation (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section
    3.1), plus one rounding to the output's format. Products of complex numbers cost four
    more roundings (ibid., section 3.6).

    Parameters
    ----------
    length : int
        Number of products in the sum, plus one for a bias.
    sum_dtype, out_dtype : str
        The format of the running sum and the format of the result.

    Returns
    -------
    float
        Bound on ``max |out - exact| / max sum(|x| |w|)`` of one output channel.

    Examples
    --------
    >>> round(classical_error_bound(9, "float32", "float32") / 2**-24)
    13
    """
    unit = real_format(sum_dtype).unit_roundoff
    roundings = (length + 4) * (2 if sum_dtype in COMPLEX else 1)
    if roundings * unit >= 0.5:
        return float("inf")
    bound = roundings * unit / (1 - roundings * unit)
    if out_dtype != sum_dtype:
        bound += real_format(out_dtype).unit_roundoff * (1 + bound)
    return bound
