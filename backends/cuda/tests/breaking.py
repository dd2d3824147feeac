"""Kernels with something left out, to see that it is missed."""

from __future__ import annotations

from fastconv_cuda.units import KERNELS


def broken_kernels(folder, file, old, new, occurrence):
    """Copy all kernels into a folder, one occurrence of some text in one of them replaced."""
    for path in KERNELS.iterdir():
        text = path.read_text()
        if path.name == file:
            parts = text.split(old)
            assert len(parts) > occurrence + 1, "there is nothing left to break"
            before, after = parts[: occurrence + 1], parts[occurrence + 1 :]
            text = old.join(before) + new + old.join(after)
        (folder / path.name).write_text(text)
    return folder
