"""Every example in a docstring runs, and every public function has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import pytest

import fastconv

# Collected by the kit's own command only.
LEFT_OUT = ("fastconv.__main__", "fastconv.testing.conformance", "fastconv.cpu._core")
MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(fastconv.__path__, "fastconv.")
    if not found.name.startswith(LEFT_OUT)
)
FUNCTIONS = sorted(name for name in fastconv.__all__ if inspect.isfunction(getattr(fastconv, name)))


@pytest.mark.parametrize("name", ["fastconv", *MODULES])
def test_examples_run(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_functions_are_documented(name: str) -> None:
    text = inspect.getdoc(getattr(fastconv, name)) or ""
    if name.endswith("register_backend"):
        assert text
        return
    assert "Examples\n--------" in text
    assert ">>> " in text
