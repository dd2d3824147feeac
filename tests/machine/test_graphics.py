"""Graphics processors from PCI files and from the text that nvidia-smi prints."""

import os
import stat
import time

import pytest

from fastconv.machine import graphics
from fastconv.machine.graphics import merge, parse_nvidia_smi, pci_gpus
from fastconv.machine.model import Gpu

PORT = "sys/devices/pci0000:00/0000:00:01.0"
CARD = f"{PORT}/0000:01:00.0"


def card(**changes):
    files = {
        "vendor": "0x10de",
        "device": "0x2335",
        "class": "0x030200",
        "max_link_speed": "32.0 GT/s PCIe",
        "max_link_width": "16",
        "current_link_speed": "2.5 GT/s PCIe",
    } | changes
    return {f"{CARD}/{name}": text + "\n" for name, text in files.items()}


def list_card(root):
    devices = root / "sys/bus/pci/devices"
    devices.mkdir(parents=True)
    (devices / "0000:01:00.0").symlink_to(root / CARD)
    return root


def test_card_in_a_slower_slot(tree):
    port = {f"{PORT}/max_link_speed": "16.0 GT/s PCIe\n", f"{PORT}/max_link_width": "8\n"}
    (gpu,) = pci_gpus(list_card(tree(card() | port)))
    assert gpu == Gpu("NVIDIA device 0x2335", "0000:01:00.0", link_gts=16.0, link_width=8)
    assert gpu.link_bandwidth == pytest.approx(16e9 * 8 / 8 * 128 / 130)


def test_name_from_the_nvidia_driver(tree):
    information = "Model: \t\t NVIDIA H200\nIRQ:   \t\t 90\n"
    files = card() | {"proc/driver/nvidia/gpus/0000:01:00.0/information": information}
    (gpu,) = pci_gpus(list_card(tree(files)))
    assert gpu.name == "NVIDIA H200"
    assert (gpu.link_gts, gpu.link_width) == (32.0, 16)


def test_amd_accelerator_tells_name_and_memory(tree):
    files = card(
        vendor="0x1002",
        product_name="AMD Instinct MI300X",
        mem_info_vram_total=str(192 << 30),
        **{"class": "0x120000"},
    )
    (gpu,) = pci_gpus(list_card(tree(files)))
    assert (gpu.name, gpu.memory) == ("AMD Instinct MI300X", 192 << 30)


def test_virtual_machine_without_a_real_link(tree):
    (gpu,) = pci_gpus(list_card(tree(card(max_link_speed="Unknown", max_link_width="255"))))
    assert (gpu.link_gts, gpu.link_width, gpu.link_bandwidth) == (None, None, None)


@pytest.mark.parametrize(
    "changes",
    [{"vendor": "0x1a03"}, {"class": "0x020000"}, {"class": "rubbish"}, {"vendor": ""}],
)
def test_display_chips_of_boards_and_other_devices_do_not_count(tree, changes):
    assert pci_gpus(list_card(tree(card(**changes)))) == ()


@pytest.mark.parametrize(
    ("gts", "width", "expected"),
    [(2.5, 1, 0.25e9), (8.0, 16, 15.754e9), (64.0, 16, 121e9), (None, 16, None), (8.0, 0, None)],
)
def test_bandwidth_after_encoding(gts, width, expected):
    bandwidth = Gpu("card", link_gts=gts, link_width=width).link_bandwidth
    assert bandwidth == (None if expected is None else pytest.approx(expected, rel=1e-4))


SMI = (
    "00000000:01:00.0, NVIDIA H200, 143771, 570.124.06, 5, 16\n"
    "00000000:C1:00.0, NVIDIA A10G, [N/A], 570.124.06, [Not Supported], [N/A]\n"
)


def test_nvidia_smi_text():
    assert parse_nvidia_smi(SMI) == (
        Gpu("NVIDIA H200", "0000:01:00.0", 143771 << 20, "570.124.06", 32.0, 16),
        Gpu("NVIDIA A10G", "0000:c1:00.0", None, "570.124.06", None, None),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No devices were found\n",
        "NVIDIA-SMI has failed because, well\n",
        "a,b,c,d,e,f",
    ],
)
def test_nvidia_smi_garbage(text):
    assert parse_nvidia_smi(text) == ()


def test_the_driver_completes_the_list_and_hides_nothing():
    unserved = Gpu("AMD device 0x744c", "0000:c3:00.0")
    listed = (Gpu("NVIDIA device 0x2335", "0000:01:00.0", link_gts=16.0, link_width=8), unserved)
    served = (Gpu("NVIDIA H200", "0000:01:00.0", 1 << 37, "570"), Gpu("NVIDIA L4", "0000:02:00.0"))
    assert merge(listed, served) == (
        Gpu("NVIDIA H200", "0000:01:00.0", 1 << 37, "570", 16.0, 8),
        unserved,
        Gpu("NVIDIA L4", "0000:02:00.0"),
    )


@pytest.fixture
def fake_smi(tmp_path, monkeypatch):
    """Put a script of one's own in the place of nvidia-smi."""

    def install(script):
        program = tmp_path / "nvidia-smi"
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")

    return install


def test_the_tool_is_asked(fake_smi):
    fake_smi(
        'case "$1" in --query-gpu=*) printf "00000000:01:00.0, T4, 15360, 550, 3, 16\\n";; esac'
    )
    (gpu,) = parse_nvidia_smi(graphics._nvidia_smi())
    assert gpu == Gpu("T4", "0000:01:00.0", 15360 << 20, "550", 8.0, 16)


def test_a_tool_that_fails_is_left_out(fake_smi):
    fake_smi('echo "00000000:01:00.0, T4, 15360, 550, 3, 16"; exit 9')
    assert graphics._nvidia_smi() == ""


def test_a_tool_that_hangs_is_left_out(fake_smi):
    fake_smi("exec sleep 60")
    start = time.monotonic()
    assert graphics._nvidia_smi(timeout=0.2) == ""
    assert time.monotonic() - start < 30


def test_no_tool(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert graphics._nvidia_smi() == ""
