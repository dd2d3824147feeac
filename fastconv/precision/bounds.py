"""How far a sum in a format may be off."""

from __future__ import annotations

from fastconv.precision.formats import COMPLEX, FORMATS, INTEGERS, real_format


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


def rounded_error_bound(precision: str, bound: float, out_dtype: str) -> float:
    """Bound the error of a sum of products whose operands are rounded to a format first.

    Each operand is off by one rounding, or by two where it comes to the format through float32;
    the sum of the rounded products by what a bound for it says; the result by one rounding more
    where it is narrower than float32. Operands beyond the format's largest number become
    infinite, and those below its smallest normal one are off by up to half its smallest number
    instead: that isn't relative to them, and not in the bound.

    Parameters
    ----------
    precision : str
        A name that the policy takes, of a floating format.
    bound : float
        That of the sum itself.
    out_dtype : str
        The format of the result.

    Returns
    -------
    float
        Bound on ``max |out - exact| / max sum(|x| |w|)`` of one output channel.

    Examples
    --------
    >>> bound = classical_error_bound(9, "float32", "float32")
    >>> round(rounded_error_bound("bfloat16", bound, "float32") / 2**-8, 2)
    2.0
    """
    single = FORMATS["float32"].unit_roundoff
    own = FORMATS[precision.removesuffix("_strict")].unit_roundoff
    twice = real_format(out_dtype).unit_roundoff < single and own > single
    operand = (1 + own) * (1 + single * twice)
    total = operand**2 * (1 + bound) - 1
    narrow = real_format(out_dtype).unit_roundoff
    return total + narrow * (1 + total) if narrow > single else total


def quantized_error_bound() -> float:
    """Bound the error of a sum of products in int8, relative to length max|x| max|w|.

    x has one scale, max|x| / 127, and each output channel's weights have theirs: both factors of
    each product are off by up to half a step. Integers are summed exactly; scaling the sums back
    costs a few roundings in float32. No bound relative to the sum of magnitudes holds for all
    values: a single large number makes the steps too coarse for all others.

    Returns
    -------
    float
        Bound on ``max |out - exact| / (length max|x| max|w|)`` of one output channel.

    Examples
    --------
    >>> round(127 * quantized_error_bound(), 2)
    1.0
    """
    half = 0.5 / INTEGERS["int8"].largest
    return half * (2 + half) + 8 * FORMATS["float32"].unit_roundoff


def integer_sum_limit(x_reach: int, weight_reach: int, bias_reach: int = 0) -> int:
    """Return how many products of integers an int32 sum can surely hold.

    Parameters
    ----------
    x_reach, weight_reach : int
        Largest magnitudes of the factors, each less its zero point.
    bias_reach : int, optional
        Largest magnitude of what is added.

    Examples
    --------
    >>> integer_sum_limit(127, 127), integer_sum_limit(255, 255)
    (133144, 33025)
    """
    return (2**31 - 1 - bias_reach) // max(x_reach * weight_reach, 1)
