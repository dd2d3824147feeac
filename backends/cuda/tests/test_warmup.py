"""The command that compiles ahead."""

from __future__ import annotations

import pytest
from fastconv_cuda.catalogue import FAMILIES, units_for
from fastconv_cuda.finding import Found
from simt.device import simulated

typer = pytest.importorskip("typer", reason="the command line needs fastconv[cli]")


def run(monkeypatch, found, *arguments):
    from fastconv_cuda import ahead, warmup
    from typer.testing import CliRunner

    done = []
    monkeypatch.setattr(warmup.BACKEND, "_found", found)
    monkeypatch.setattr(ahead, "compiled", lambda unit, capability: done.append(unit))
    app = typer.Typer()
    app.command()(warmup.warmup)
    return CliRunner().invoke(app, arguments), done


def test_every_family_is_compiled(monkeypatch):
    result, done = run(monkeypatch, simulated(), "--types", "float32,int8")
    assert result.exit_code == 0
    assert {unit.file for unit in done} == {
        unit.file for family in FAMILIES for unit in units_for(family, ["float32", "int8"])
    }
    assert f"{len(done)} units are ready" in result.output


def test_without_a_gpu_the_reason_is_shown(monkeypatch):
    result, done = run(monkeypatch, Found(reason="there is no card"))
    assert (result.exit_code, done) == (1, [])
    assert "there is no card" in result.output
