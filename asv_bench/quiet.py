"""How busy others kept the cores meanwhile: times on shared cores can't be compared."""

from __future__ import annotations

import os
import time
from pathlib import Path

_STAT = Path("/proc/stat")
TOO_BUSY = 0.05


class Watch:
    """Counts, from now on, what is computed on this process's cores."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._used = _used()
        self._own = _own()

    def share(self) -> float | None:
        """Return the share of the cores' time that others took, None where nobody tells."""
        used, wall = _used(), time.perf_counter() - self._started
        if used is None or self._used is None or wall <= 0:
            return None
        others = (used - self._used) - (_own() - self._own)
        return max(0.0, others / (wall * len(os.sched_getaffinity(0))))

    def note(self) -> str | None:
        """Return what to say where others took so much that times mean little."""
        share = self.share()
        if share is None or share < TOO_BUSY:
            return None
        return f"other work took {share:.0%} of the cores' time meanwhile: these times mean little"


def busy_ticks(stat: str, cores: set[int]) -> int:
    """Return the ticks that some cores weren't idle, from /proc/stat's text."""
    busy = 0
    for line in stat.splitlines():
        name, *numbers = line.split()
        if name.startswith("cpu") and name[3:].isdecimal() and int(name[3:]) in cores:
            # user, nice, system, idle, iowait, irq, softirq, steal; guests are users already.
            ticks = [int(number) for number in numbers[:8]]
            busy += sum(ticks) - ticks[3] - ticks[4]
    return busy


def _used() -> float | None:
    """Return seconds of work on this process's cores since the machine started."""
    try:
        return busy_ticks(_STAT.read_text(), os.sched_getaffinity(0)) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError):  # not Linux
        return None


def _own() -> float:
    return sum(os.times()[:4])  # children that have ended included
