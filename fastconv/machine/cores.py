"""How many cores this process may use: CPU affinity and control-group quotas."""

import functools
import math
import os
from collections.abc import Iterator
from pathlib import Path

from fastconv.machine.files import read_int, read_text


def usable_cores() -> int:
    """Number of cores that this process may keep busy.

    The smallest of the scheduler's affinity mask, the control groups' CPU quota (rounded up: with
    1.5 cores two threads finish earlier than one) and the number of cores online; at least 1.
    ``FASTCONV_NUM_THREADS`` plays no part here.

    Returns
    -------
    int
        At least 1. Affinity is read at each call, as a process may pin itself or its children; the
        quota is read once.

    Examples
    --------
    >>> usable_cores() >= 1
    True
    """
    return limit_cores(_scheduled_cores(), _own_quota())


def limit_cores(scheduled: int, quota: float | None) -> int:
    """The whole number of threads that ``scheduled`` cores under ``quota`` can keep running."""
    allowed = scheduled if quota is None else min(scheduled, math.ceil(quota))
    return max(1, allowed)


def _scheduled_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    if affinity is not None:
        try:
            return len(affinity(0))
        except OSError:
            pass
    return os.cpu_count() or 1


@functools.cache
def _own_quota() -> float | None:
    return cpu_quota(Path("/"))


def cpu_quota(root: Path) -> float | None:
    """Cores that the control groups grant, or None where they set no bound.

    Version 2 writes quota and period into ``cpu.max``, version 1 into ``cpu.cfs_quota_us`` and
    ``cpu.cfs_period_us``. A parent's quota binds its children, so the tightest of the chain counts.
    """
    quotas = []
    for directory in _group_directories(root, "cpu"):
        quota, period = None, None
        words = (read_text(directory / "cpu.max") or "").split()
        if len(words) == 2 and words[0].isdigit() and words[1].isdigit():
            quota, period = int(words[0]), int(words[1])
        elif not words:
            quota = read_int(directory / "cpu.cfs_quota_us")
            period = read_int(directory / "cpu.cfs_period_us")
        if quota and period and quota > 0 and period > 0:
            quotas.append(quota / period)
    return min(quotas, default=None)


def memory_limit(root: Path) -> int | None:
    """Bytes that the control groups grant, or None where they set no bound."""
    limits = []
    for directory in _group_directories(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = read_int(directory / name)
            # Version 1 says "no limit" with the largest multiple of the page size below 2^63.
            if limit is not None and 0 < limit < 1 << 62:
                limits.append(limit)
    return min(limits, default=None)


def _group_directories(root: Path, controller: str) -> Iterator[Path]:
    """The directories of this process's control group and all its parents, both versions."""
    groups = {}
    for line in (read_text(root / "proc/self/cgroup") or "").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number == "0" and not controllers:
            groups["cgroup2"] = group
        elif controller in controllers.split(","):
            groups["cgroup"] = group
    for kind, mount_root, mount_point in _group_mounts(root, controller):
        if kind in groups:
            top = root / mount_point.lstrip("/")
            directory = top / _below(groups[kind], mount_root)
            yield directory
            while directory != top:
                directory = directory.parent
                yield directory


def _group_mounts(root: Path, controller: str) -> Iterator[tuple[str, str, str]]:
    """(file system, root within it, mount point) of each hierarchy that may hold the controller."""
    for line in (read_text(root / "proc/self/mountinfo") or "").splitlines():
        before, separator, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if not separator or len(fields) < 5 or len(kinds) < 3:
            continue
        options = kinds[2].split(",")
        if kinds[0] == "cgroup2" or (kinds[0] == "cgroup" and controller in options):
            yield kinds[0], fields[3], fields[4]


def _below(group: str, mount_root: str) -> str:
    """The group's path inside the mount.

    A container often sees only its own subtree mounted, while /proc still gives the path from the
    host's root: then the part up to the mount's root is cut. A path that leads outside the mount
    ("/../other") leaves the mount's own top directory.
    """
    parts = [part for part in group.split("/") if part]
    prefix = [part for part in mount_root.split("/") if part]
    if parts[: len(prefix)] == prefix:
        parts = parts[len(prefix) :]
    elif prefix:
        parts = []
    return "" if ".." in parts else "/".join(parts)
