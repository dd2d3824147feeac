"""The command line: what it comes to, and what a mistake says."""

from __future__ import annotations

from pathlib import Path

import pytest

from asv_bench.options import parse


def fault(capsys, *arguments: str) -> str:
    """Return what a mistake prints; it must be one line, and status 2."""
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    message = capsys.readouterr().err
    assert ended.value.code == 2
    assert message.count("\n") == 1
    return message


def test_by_default_everything_but_memory_in_float32():
    options = parse([])
    first = options.configurations[0]
    assert (first.threads, first.dtype, first.isa, first.channels_last) == (
        1,
        "float32",
        None,
        False,
    )
    usual = ("layers", "network", "overhead", "precisions", "few_bits", "channels_last")
    assert first.parts == usual
    assert first.passes == ("forward", "input_grad", "weight_grad", "both_grads")
    assert {"resnet-3x3-64", "transposed-4x4-s2", "vgg-max-pool"} <= set(first.layers)
    assert len(options.configurations) <= 2


def test_each_number_of_threads_is_a_configuration_once():
    options = parse(["--threads", "2", "1", "2"])
    assert [c.threads for c in options.configurations] == [1, 2]


def test_layers_are_found_by_parts_of_their_names_and_come_alone():
    (configuration,) = parse(["-t", "1", "--layers", "depthwise", "audio"]).configurations
    assert configuration.layers == (
        "mobilenet-depthwise",
        "mobilenet-depthwise-s2",
        "convnext-depthwise",
        "audio-k9",
    )
    assert configuration.parts == ("layers",)


def test_parts_and_memory():
    (one,) = parse(["-t", "1", "--memory"]).configurations
    assert one.parts == (*parse([]).configurations[0].parts, "memory")
    (one,) = parse(["-t", "1", "--parts", "overhead", "network"]).configurations
    assert one.parts == ("network", "overhead")


def test_an_instruction_set_holds_every_library():
    (one,) = parse(["-t", "2", "--isa", "avx2"]).configurations
    environment = one.environment()
    assert environment["FASTCONV_THREADS"] == environment["OMP_NUM_THREADS"] == "2"
    assert environment["FASTCONV_MAX_ISA"] == environment["ATEN_CPU_CAPABILITY"] == "avx2"
    assert environment["ONEDNN_MAX_CPU_ISA"] == environment["MKL_ENABLE_INSTRUCTIONS"] == "AVX2"
    (free,) = parse(["-t", "2"]).configurations
    assert not any("ISA" in name for name in free.environment())


def test_freed_memory_is_kept_unless_the_systems_own_way_is_asked_for():
    (kept,) = parse(["-t", "1"]).configurations
    assert any(name.startswith("MALLOC_") for name in kept.environment())
    (usual,) = parse(["-t", "1", "--allocator", "system"]).configurations
    assert not any(name.startswith("MALLOC_") for name in usual.environment())


def test_an_unknown_layer_is_answered_with_the_known_ones(capsys):
    message = fault(capsys, "--layers", "resnet", "yolo")
    assert "--layers: no layer's name contains 'yolo'" in message
    assert "mnist-first" in message


@pytest.mark.parametrize("threads", ["0", "-1", "two", "1.5"])
def test_threads_are_whole_numbers_above_0(capsys, threads):
    assert "expected a whole number above 0" in fault(capsys, f"--threads={threads}")


def test_choices_are_listed(capsys):
    assert "input_grad" in fault(capsys, "--passes", "backward")
    assert "NHWC" in fault(capsys, "--layout", "CHWN")


def test_places_are_checked_before_anything_is_measured(capsys, tmp_path: Path):
    missing = tmp_path / "missing" / "run.json"
    assert "isn't a folder" in fault(capsys, "--json", str(missing))
    assert ".svg" in fault(capsys, "--figure", str(tmp_path / "figure.bmp"))
    kept = parse(["--json", str(tmp_path / "run.json"), "--figure", str(tmp_path / "a.svg")])
    assert kept.json == tmp_path / "run.json"
