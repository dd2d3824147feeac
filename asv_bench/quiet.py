"""Whether anything else runs on the cores that the contenders are to have."""

from __future__ import annotations

import os
import time
from pathlib import Path

_STAT = Path("/proc/stat")
TOO_BUSY = 0.05


def busy_share(seconds: float = 0.5) -> float | None:
    """Watch idly; return the share of this process's cores that others use, None if unknown."""
    try:
        cores = os.sched_getaffinity(0)
        before = times(_STAT.read_text(), cores)
        time.sleep(seconds)
        after = times(_STAT.read_text(), cores)
    except (OSError, AttributeError):
        return None
    idle, everything = (late - early for late, early in zip(after, before, strict=True))
    return 1 - idle / everything if everything else None


def times(stat: str, cores: set[int]) -> tuple[int, int]:
    """Return ticks of idleness, and ticks of everything, of some cores from /proc/stat's text."""
    idle = everything = 0
    for line in stat.splitlines():
        name, *numbers = line.split()
        if name.startswith("cpu") and name[3:].isdecimal() and int(name[3:]) in cores:
            ticks = [int(number) for number in numbers[:8]]  # guests are counted as users already
            idle += ticks[3] + ticks[4]
            everything += sum(ticks)
    return idle, everything


def warning() -> str | None:
    """Return a note where others use the cores, with which no times can be compared."""
    share = busy_share()
    if share is None or share < TOO_BUSY:
        return None
    return f"other work keeps {share:.0%} of the cores busy: these times mean little"
