"""The table of backends: ready ones, and others with their reason."""

from fastconv.backend import Info
from fastconv.cli.backends import COLUMNS, row
from fastconv.registry import Entry


def test_the_built_in_backend_is_ready(run):
    result = run("backends")
    assert result.exit_code == 0
    assert all(column in result.stdout for column in COLUMNS)
    (line,) = [line for line in result.stdout.splitlines() if line.split()[:1] == ["cpu"]]
    assert line.split()[1] == "ready"
    assert "conv_forward" in result.stdout


def test_row_of_a_ready_backend():
    info = Info("cuda", 1, "cupy", ("cupy.ndarray",), ("cuda",), ("conv_forward", "pool"), "2.0")
    entry = Entry("cuda", "ready", "", "fastconv-cuda 2.0", info, ("cuda:0", "cuda:1"))
    assert row(entry) == ("cuda", "ready", "2.0", "cuda:0, cuda:1", "conv_forward, pool", "")


def test_row_of_a_broken_backend():
    entry = Entry("bad", "broken", "import failed: [x]", "bad-plugin 0.1")
    assert row(entry) == ("bad", "broken", "bad-plugin 0.1", "", "", "import failed: [x]")
