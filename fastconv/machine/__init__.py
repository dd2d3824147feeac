"""What this machine has: clock, cores, caches, memory, graphics processors; and its roofline.

Nothing is read at import, nothing here fails for want of a file, and what nobody tells is None.
"""

import functools
import os
import platform
from pathlib import Path

from fastconv.machine.cores import usable_cores
from fastconv.machine.darwin import parse_sysctl, sysctl_text
from fastconv.machine.graphics import gpus
from fastconv.machine.linux import read_linux
from fastconv.machine.model import Cache, Gpu, Machine
from fastconv.machine.roofline import levels_of, measure_bandwidth, peak_of

__all__ = [
    "Cache",
    "Gpu",
    "Machine",
    "describe",
    "gpus",
    "levels_of",
    "measure_bandwidth",
    "peak_flops",
    "usable_cores",
]


@functools.cache
def describe() -> Machine:
    """What this machine has, read once, on the first call (milliseconds).

    Returns
    -------
    Machine
        Frozen; ``usable_cores`` and ``memory_available`` are those of the first call. Linux and
        macOS are read in full, of other systems only name and cores are known.

    Examples
    --------
    >>> machine = describe()
    >>> machine.usable_cores >= 1
    True
    """
    system, architecture, usable = platform.system(), platform.machine(), usable_cores()
    if system == "Linux":
        return read_linux(Path("/"), architecture, usable)
    if system == "Darwin":
        return parse_sysctl(sysctl_text(), architecture, usable)
    return Machine(
        system=system,
        architecture=architecture,
        cpu_model=platform.processor() or None,
        logical_cores=os.cpu_count(),
        usable_cores=usable,
    )


def peak_flops(isa: str, dtype: str, cores: int) -> float:
    """Most floating-point operations a second that ``cores`` cores can do.

    Cores x clock x multiply-adds a cycle x lanes of a vector x 2. The clock is the highest one
    known; a virtual machine often tells only the nominal one, and its cores may then run faster
    than this. Where no clock is known, 2.5 GHz is assumed.

    Parameters
    ----------
    isa : {"baseline", "avx2", "avx512", "avx512_vnni", "avx512_bf16", "neon"}
        Instruction-set level. On ARM "baseline" is "neon".
    dtype : str
        Name of the element type. 16-bit floats count as float32, which they are summed in, but
        where an instruction adds up products of several.
    cores : int
        At least 1.

    Returns
    -------
    float
        Operations a second; a multiply-add is two.

    Raises
    ------
    ValueError
        If a level or type is unknown, or ``cores`` is less than 1.

    Examples
    --------
    >>> peak_flops("baseline", "float32", 2) == 2 * peak_flops("baseline", "float64", 2)
    True
    """
    return peak_of(describe(), isa, dtype, cores)
