"""The picture."""

from __future__ import annotations

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("rich")

from asv_bench import figure


@pytest.fixture
def run(record):
    ratios = {"forward": {"good": 2.345, "bad": 0.567}, "input_grad": {"good": 1.234}}
    return [record(ratios), record({"forward": {"good": 3.456}}, threads=2)]


def test_every_layer_and_ratio_is_written_and_a_pass_without_ratios_has_no_panel(run, tmp_path):
    path = tmp_path / "figure.svg"
    figure.write(path, run)
    text = path.read_text()
    for expected in ("good", "bad", "2.35", "0.57", "1.23", "3.46", "2 threads", "PyTorch"):
        assert f">{expected}<" in text or expected in text
    assert "Forward" in text
    assert "Input gradient" in text
    assert "Weight gradient" not in text


def test_equal_runs_are_equal_files(run, tmp_path):
    for name in "ab":
        figure.write(tmp_path / f"{name}.svg", run)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_png_too(run, tmp_path):
    figure.write(tmp_path / "figure.png", run)
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_to_draw_is_said(record, tmp_path):
    with pytest.raises(SystemExit, match="nothing was compared"):
        figure.write(tmp_path / "figure.svg", [record({})])
