"""NumPy and the C++ compiler agree about what kernels are given."""

from __future__ import annotations

import subprocess

import pytest
from fastconv_cuda.params import STRUCTURES
from fastconv_cuda.units import KERNELS
from simt.device import COMPILER


@pytest.mark.simulated
def test_structures_have_the_same_members_at_the_same_places(tmp_path):
    lines = ["#include <stddef.h>", '#include "params.cuh"']
    for name, dtype in STRUCTURES.items():
        lines.append(f'static_assert(sizeof({name}) == {dtype.itemsize}, "{name}");')
        for member, (kind, offset) in dtype.fields.items():
            where = f"{name}.{member}"
            lines.append(f'static_assert(offsetof({name}, {member}) == {offset}, "{where}");')
            lines.append(f'static_assert(sizeof({name}::{member}) == {kind.itemsize}, "{where}");')
    source = tmp_path / "layout.cpp"
    source.write_text("\n".join(lines))
    command = [COMPILER, "-std=c++17", "-fsyntax-only", "-Wno-invalid-offsetof", f"-I{KERNELS}"]
    result = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_no_structure_is_larger_than_what_a_launch_may_pass():
    assert all(dtype.itemsize <= 4096 for dtype in STRUCTURES.values())
