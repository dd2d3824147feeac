"""The examples in the backend author's guide run as written."""

from __future__ import annotations

import doctest
from pathlib import Path

from fastconv.problem import OPERATIONS

GUIDE = Path(__file__).parents[2] / "docs" / "backend-authors.md"


def test_the_guide():
    result = doctest.testfile(str(GUIDE), module_relative=False)
    assert result.attempted > 10
    assert result.failed == 0


def test_the_guide_names_every_operation():
    text = GUIDE.read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in OPERATIONS)
