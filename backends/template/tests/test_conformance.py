"""The template passes fastconv's conformance kit."""

import subprocess
import sys


def test_the_kit_passes():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "fastconv.testing.plugin"]
    command += ["--pyargs", "fastconv.testing.conformance", "--fastconv-backend", "template"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "einsum float32" in result.stdout
    assert "it has no max_pool" in result.stdout
