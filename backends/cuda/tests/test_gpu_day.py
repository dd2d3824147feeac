"""The day with a GPU, rehearsed: its commands are those that there are, and end in time."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from fastconv_cuda.bench import __main__ as bench
from fastconv_cuda.bench import beside_cpu

SCRIPT = Path(__file__).parents[1] / "gpu_day.sh"
TEXT = SCRIPT.read_text(encoding="utf-8")
BASH = shutil.which("bash")
OPTIONS = {
    "fastconv_cuda.bench": bench.options,
    "fastconv_cuda.bench.beside_cpu": beside_cpu.options,
}


def rehearse(tmp_path, script):
    """Run the day with a shell script in Python's place; return its status, and what was asked."""
    log, stub = tmp_path / "asked", tmp_path / "python"
    stub.write_text(f'#!{BASH}\nprintf "%s\\n" "$(printf "%q " "$@")" >> {log}\n{script}\n')
    stub.chmod(0o755)
    result = subprocess.run(
        [BASH, str(SCRIPT)],
        env=os.environ | {"PYTHON": str(stub)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    asked = [shlex.split(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return result, asked


@pytest.mark.skipif(BASH is None, reason="there is no bash")
def test_each_step_asks_for_what_there_is(tmp_path):
    result, asked = rehearse(tmp_path, "exit 0")
    assert result.returncode == 0, result.stdout + result.stderr
    modules = [words[1:] for words in asked if words[0] == "-m"]
    assert {words[0] for words in modules} >= {*OPTIONS, "fastconv_cuda.ahead", "pytest"}
    for module, *words in modules:
        if module in OPTIONS:
            given = OPTIONS[module](words)
            assert (SCRIPT.parent / given.write).resolve().name == "gpu-results.md"
            assert (SCRIPT.parent / given.write).exists()
            assert set(getattr(given, "precisions", "tf32").split(",")) <= set(bench.PRECISIONS)
        elif module.startswith("fastconv"):
            assert find_spec(module) is not None
        elif module == "pytest":
            files = [word for word in words if word.endswith(".py")]
            assert all((SCRIPT.parent / file).exists() for file in files)


@pytest.mark.skipif(BASH is None, reason="there is no bash")
def test_without_a_gpu_it_ends_at_once_and_a_failed_step_is_told(tmp_path):
    result, asked = rehearse(tmp_path, '[ "$1" != - ]')
    assert result.returncode == 1
    assert asked[-1] == ["-"]
    (tmp_path / "asked").unlink()
    result, _ = rehearse(tmp_path, 'case "$*" in *conformance*) exit 1;; esac')
    assert result.returncode == 1
    assert "FAILED: timeout 120" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("== done after")


def test_all_of_it_ends_within_ten_minutes():
    rounds = len(re.search(r"for precision in (.+); do", TEXT)[1].split())
    body = re.search(r"; do\n(.*?)\ndone", TEXT, re.DOTALL)[1]
    limits = [int(n) for n in re.findall(r"timeout (\d+)", TEXT)]
    again = [int(n) for n in re.findall(r"timeout (\d+)", body)]
    assert sum(limits) + (rounds - 1) * sum(again) < 590
    for seconds, minutes in re.findall(r"timeout (\d+) .*?--minutes ([\d.]+)", TEXT):
        # Importing PyTorch and the last layer take their time.
        assert 60 * float(minutes) <= int(seconds) - 15
