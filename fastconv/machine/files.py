"""Reading the small text files of /proc and /sys, where any one of them may be missing."""

import re
from pathlib import Path


def read_text(path: Path) -> str | None:
    """The file's text without outer white space, or None where it can't be read.

    sysfs answers some reads with EINVAL or ENODEV although the file is there, hence every OSError.
    """
    try:
        return path.read_bytes().decode("utf-8", errors="replace").strip()
    except OSError:
        return None


def read_int(path: Path) -> int | None:
    """The file's text as an integer (decimal, or hexadecimal with 0x), or None."""
    return to_int(read_text(path))


def to_int(text: str | None) -> int | None:
    """``text`` as an integer (decimal, or hexadecimal with 0x), or None where it is none."""
    if text is None:
        return None
    try:
        return int(text, 16 if text.lower().startswith("0x") else 10)
    except ValueError:
        return None


def to_float(text: str | None) -> float | None:
    """The number that ``text`` starts with ("16.0 GT/s PCIe" gives 16.0), or None."""
    match = re.match(r"\s*(\d+(?:\.\d+)?)", text or "")
    return float(match[1]) if match else None


def to_bytes(text: str | None) -> int | None:
    """A sysfs or meminfo size ("48K", "32 MB", "24684084 kB", "512") in bytes, or None."""
    match = re.fullmatch(r"(\d+)\s*([KMG]?)i?B?", (text or "").strip(), re.IGNORECASE)
    if match is None:
        return None
    return int(match[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[match[2].upper()]


def to_cpu_list(text: str | None) -> frozenset[int]:
    """A kernel CPU list ("0-3,8,10-11") as a set; what can't be read is left out."""
    cpus: set[int] = set()
    for part in (text or "").split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if match:
            first, last = int(match[1]), int(match[2] or match[1])
            # A broken range ("0-99999999999") must cost neither memory nor time.
            cpus.update(range(first, min(last, first + 65535) + 1))
    return frozenset(cpus)
