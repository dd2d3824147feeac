"""A whole run, of one small layer, where no other library is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rich")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def alone(tmp_path):
    """Return an environment in which neither PyTorch nor ONNX Runtime can be imported."""
    for name in ("torch", "onnx", "onnxruntime"):
        (tmp_path / f"{name}.py").write_text(
            f"raise ModuleNotFoundError({name!r}, name={name!r})\n"
        )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"PYTHONPATH": path}


def test_missing_libraries_are_left_out_with_a_note(alone, tmp_path):
    path = tmp_path / "run.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "asv_bench", "-t", "1", "-r", "1", "--json", str(path)),
            *("--layers", "mobilenet-1x1", "resnet-global", "--parts", "layers", "overhead"),
        ],
        cwd=ROOT,
        env=alone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "torch is left out" in done.stdout
    assert "nobody to compare with" in done.stdout
    assert "mobilenet-1x1 (1 of 2)" in done.stderr
    (found,) = json.loads(path.read_text())["configurations"]
    measured = {(m["layer"], m["which"]): m["seconds"] for m in found["measurements"]}
    assert set(measured) == {
        *(("mobilenet-1x1", which) for which in found["configuration"]["passes"]),
        ("resnet-global-average", "forward"),
        ("resnet-global-average", "input_grad"),
    }
    assert all(seconds["fastconv"] > 0 for seconds in measured.values())
    assert "fastconv, prepared" in measured["mobilenet-1x1", "forward"]
    assert found["overhead"]["fastconv"] > 0
    assert found["roofline"]["bandwidth"] > 0


def test_a_failing_worker_ends_the_run(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "asv_bench", "-t", "1", "--layers", "mnist-first"],
        cwd=ROOT,
        env=os.environ | {"FASTCONV_WORKSPACE_LIMIT": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "a worker ended with status" in done.stderr
