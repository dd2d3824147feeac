"""The distribution has what it says."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

import fastconv_cuda
import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("name", PROJECT["entry-points"]["fastconv.backends"])
def test_a_backends_entry_point_has_its_name(name):
    module, _, attribute = PROJECT["entry-points"]["fastconv.backends"][name].partition(":")
    assert getattr(importlib.import_module(module), attribute).info.name == name


def test_the_version_is_the_projects():
    assert fastconv_cuda.BACKEND.info.version == PROJECT["version"]


def test_cupy_is_an_extra_for_each_cuda():
    assert not any("cupy" in each for each in PROJECT["dependencies"])
    for cuda in ("12", "13"):
        assert any(
            f"cupy-cuda{cuda}x" in e for e in PROJECT["optional-dependencies"][f"cuda{cuda}"]
        )


def test_kernels_say_nothing_in_ptx_outside_the_primitives():
    for path in (ROOT / "fastconv_cuda" / "kernels").iterdir():
        text = path.read_text(encoding="utf-8")
        assert path.name in ("primitives.cuh", "hopper.cuh") or "asm" not in text, path
        assert "atomic" not in text, path
        assert max(map(len, text.splitlines())) <= 100, path
