"""The benchmark's parts that need no GPU."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import stand_in_torch
from fastconv_cuda.backend import CudaBackend
from fastconv_cuda.bench import __main__ as command
from fastconv_cuda.bench import beside_cpu
from fastconv_cuda.bench.contenders import PRECISIONS, chosen, settle
from fastconv_cuda.bench.layers import LAYERS, PASSES, problem
from fastconv_cuda.bench.report import Row, geomean, markdown, summary
from fastconv_cuda.bench.timing import interleaved
from fastconv_cuda.finding import Found
from simt.device import simulated

from fastconv.backend import Policy
from fastconv.testing.networks import Layer


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("pass_", PASSES)
def test_every_layer_is_taken_in_both_layouts(pass_, precision):
    backend = CudaBackend(simulated)
    dtype, asked = PRECISIONS[precision]
    for name, layer in LAYERS.items():
        for last in (False, True):
            wanted = problem(layer, pass_, dtype, "cuda:0", last=last)
            best = backend.decide(wanted, Policy(precision=asked, workspace_limit=1 << 30))[0]
            assert best.can, (name, best.reason)
            # With so few channels a tile is mostly empty.
            few = min(layer.x[1] // layer.groups, layer.channels) < 4
            assert best.algorithm != "direct" or few, name


def test_a_layer_of_another_batch():
    assert LAYERS["vgg-512"].of(1).y == (1, 512, 14, 14)


def test_an_algorithm_may_be_named_instead_of_the_first_choice():
    wanted = problem(LAYERS["vgg-512"], "conv_forward", "float16", "cuda:0", last=True)
    decisions = CudaBackend(simulated).decide(wanted, Policy(workspace_limit=1 << 30))
    assert chosen(decisions) is decisions[0]
    assert decisions[0].algorithm == "implicit_gemm_wgmma"
    assert chosen(decisions, "implicit_gemm_mma").algorithm == "implicit_gemm_mma"
    with pytest.raises(RuntimeError, match="cuBLAS"):
        chosen(decisions, "im2col_blas")
    with pytest.raises(RuntimeError, match="no algorithm nothing"):
        chosen(decisions, "nothing")


def row(precision="tf32", layout="NCHW", ours=2e-6, theirs=1e-6):
    return Row("layer", "conv_forward", precision, layout, "direct", ours, theirs, 0.25)


def test_ratios_above_one_are_wins_and_groups_stay_apart():
    rows = [row(), row(ours=0.5e-6), row(layout="NHWC", ours=1e-6)]
    assert [r.ratio for r in rows] == [0.5, 2.0, 1.0]
    assert summary(rows) == [
        ("tf32", "conv_forward", "NCHW", pytest.approx(1.0), 0.5),
        ("tf32", "conv_forward", "NHWC", pytest.approx(1.0), 1.0),
    ]
    assert geomean([]) != geomean([])
    text = markdown(rows, "today")
    assert "| tf32 | conv_forward | NCHW | 1.00 | 0.50 |" in text
    assert "| layer | conv_forward | tf32 | NCHW | direct | 2.0 | 0.50 | 25% |" in text


def test_graphs_take_turns_and_medians_count():
    clock, order = SimpleNamespace(now=0.0), []

    class Event:
        def __init__(self, enable_timing):
            pass

        def record(self):
            self.at = clock.now

        def synchronize(self):
            pass

        def elapsed_time(self, end):
            return end.at - self.at

    class Graph:
        def __init__(self, name, milliseconds):
            self.name, self.times = name, iter(milliseconds)

        def replay(self):
            order.append(self.name)
            clock.now += next(self.times)

    torch = SimpleNamespace(cuda=SimpleNamespace(Event=Event))
    graphs = {"a": (Graph("a", [8.0, 2.0, 4.0]), 2), "b": (Graph("b", [1.0, 1.0, 9.0]), 1)}
    assert interleaved(torch, graphs, 3) == {"a": pytest.approx(2e-3), "b": pytest.approx(1e-3)}
    assert order == ["a", "b"] * 3


@pytest.mark.parametrize("new", [True, False])
def test_what_float32_means_is_said_in_either_words(new):
    def part(**more):
        return SimpleNamespace(**({"fp32_precision": "?"} if new else {}), **more)

    cudnn = SimpleNamespace(conv=part(), benchmark=False, allow_tf32="?")
    torch = SimpleNamespace(
        backends=SimpleNamespace(cudnn=cudnn, cuda=SimpleNamespace(matmul=part(allow_tf32="?")))
    )
    for precision, kind in (("float32", "ieee"), ("tf32", "tf32")):
        settle(torch, precision)
        assert cudnn.benchmark
        if new:
            assert cudnn.conv.fp32_precision == torch.backends.cuda.matmul.fp32_precision == kind
        else:
            assert cudnn.allow_tf32 is torch.backends.cuda.matmul.allow_tf32 is (kind == "tf32")


@pytest.mark.simulated
def test_the_whole_of_it_runs_against_stand_ins(monkeypatch, capsys, tmp_path):
    asked = []
    monkeypatch.setitem(sys.modules, "torch", stand_in_torch.torch(asked))
    monkeypatch.setitem(sys.modules, "cupy", stand_in_torch.cupy())
    monkeypatch.setattr(command.BACKEND, "_found", simulated())
    monkeypatch.setattr("fastconv_cuda.bench.timing.MOST_COPIES", 2)
    tiny = {"tiny": Layer((2, 8, 6, 5), 8, (3, 3), 1, 1)}
    monkeypatch.setattr(command, "LAYERS", tiny)
    path = tmp_path / "results.md"
    assert command.main(["--rounds", "2", "--write", str(path)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    rows = [line for line in path.read_text().splitlines() if line.startswith("| tiny |")]
    assert len(rows) == len(PRECISIONS) * len(PASSES) * 2
    assert {name for name, _ in asked} == {"convolution", "convolution_backward"}
    assert {count for _, count in asked} == {9, 11}


def test_without_a_gpu_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(command.BACKEND, "_found", Found(reason="there is no card"))
    assert command.main([]) == 1
    assert "there is no card" in capsys.readouterr().err


@pytest.mark.simulated
def test_the_cpu_is_measured_beside_it(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(beside_cpu.BACKEND, "_found", simulated())
    monkeypatch.setattr(beside_cpu.HOST_BACKEND, "_found", simulated())
    tiny = Layer((2, 8, 6, 5), 8, (3, 3), 1, 1)
    broken = Layer((2, 8, 6, 5), 8, (3, 3, 3), 1, 1)
    monkeypatch.setattr(beside_cpu, "LAYERS", {"tiny": tiny, "broken": broken})
    path = tmp_path / "results.md"
    assert beside_cpu.main(["--write", str(path)]) == 0
    said = capsys.readouterr()
    assert "broken: " in said.err
    text = path.read_text()
    assert said.out.strip() == text.strip()
    assert [line.count("|") for line in text.splitlines() if line.startswith("| tiny")] == [7]
    assert "A cached call costs the host" in text


def test_a_gpu_is_compared_by_ratios():
    rows = [beside_cpu.Row("a", 8e-3, 1e-3, 2e-3), beside_cpu.Row("b", 2e-3, 1e-3, 8e-3)]
    text = beside_cpu.markdown(rows, 9.04e-6, "today")
    assert "4.0 times as fast as the CPU, 1.0 times with copies" in text
    assert "costs the host 9.0 us" in text
    assert "| a | 8000 | 1000 | 2000 | 8.0 | 4.00 |" in text
