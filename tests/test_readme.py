"""What the README and the guide show must run."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


def blocks(name: str) -> list[str]:
    """Return a document's Python examples."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_readme_trains_a_network() -> None:
    scope: dict[str, object] = {}
    example, *_ = blocks("README.md")
    source, printed = example.rsplit("\nprint(", 1)
    exec(source, scope)
    accuracy = eval(printed.rstrip().removesuffix(")"), scope)
    assert accuracy > 0.85


def test_the_readme_s_functions_run() -> None:
    _, functions, _patch, policy, *_ = blocks("README.md")
    rng = np.random.default_rng(0)
    scope: dict[str, object] = {"x": rng.standard_normal((2, 3, 8, 8)).astype("f4")}
    scope["weight"] = rng.standard_normal((4, 3, 3, 3)).astype("f4")
    scope["bias"], scope["dy"] = np.zeros(4, "f4"), np.ones((2, 4, 4, 4), "f4")
    scope["net"] = lambda x: x
    exec("import fastconv\n" + functions + policy.replace("print(", "str("), scope)


def test_the_guide_trains_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("docs/guide.md")
    rng = np.random.default_rng(0)
    scope: dict[str, object] = {
        "x": rng.standard_normal((4, 1, 28, 28)).astype("f4"),
        "labels": np.arange(4),
    }
    exec(example, scope)
    assert (tmp_path / "net.npz").exists()


def test_the_page_on_precision_says_what_comes_out() -> None:
    failed, tried = doctest.testfile(str(ROOT / "docs" / "precision.md"), module_relative=False)
    assert tried > 0
    assert not failed
