"""How fast a card is, as far as its description tells. Predictions only rank candidates."""

from __future__ import annotations

from fastconv_cuda.device import Card

LAUNCH_SECONDS = 4e-6

# Multiply-adds a cycle and multiprocessor, from NVIDIA's CUDA programming guide (arithmetic
# instructions) and white papers (dense tensor cores), by compute capability.
_RATES = {
    (7, 5): {"float32": 64, "float64": 2, "float16": 512, "int8": 1024},
    (8, 0): {"float32": 64, "float64": 32, "tf32": 512, "bfloat16": 1024, "int8": 2048},
    (8, 6): {"float32": 128, "float64": 2, "tf32": 128, "bfloat16": 256, "int8": 512},
    (8, 9): {"float32": 128, "float64": 2, "tf32": 256, "bfloat16": 512, "int8": 1024},
    (9, 0): {"float32": 128, "float64": 64, "tf32": 1024, "bfloat16": 2048, "int8": 4096},
    (10, 0): {"float32": 128, "float64": 64, "tf32": 2048, "bfloat16": 4096, "int8": 8192},
    (12, 0): {"float32": 128, "float64": 2, "tf32": 256, "bfloat16": 512, "int8": 1024},
}


def peak_flops(card: Card, precision: str) -> float:
    """Return a card's operations a second in a precision; a multiply-add is two.

    Examples
    --------
    >>> h100 = Card(0, "H100", (9, 0), 132, 1.755e9, 80 << 30, 3.35e12)
    >>> round(peak_flops(h100, "bfloat16") / 1e12), round(peak_flops(h100, "float32") / 1e12)
    (949, 59)
    """
    known = max((c for c in _RATES if c <= card.capability), default=min(_RATES))
    rates = _RATES[known]
    name = "bfloat16" if precision == "float16" and precision not in rates else precision
    return 2.0 * rates.get(name, rates["float32"]) * card.processors * card.clock


def seconds(card: Card, flops: float, precision: str, share: float, moved: float) -> float:
    """Predict a kernel's time: arithmetic at a share of the peak, or traffic, whichever is more."""
    compute = flops / (peak_flops(card, precision) * share)
    return LAUNCH_SECONDS + max(compute, moved / (0.8 * card.bandwidth))
