"""Saving and loading, hostile files included."""

from __future__ import annotations

import io
import os
import pickle
import stat
import zipfile

import ml_dtypes
import numpy as np
import pytest

from fastconv import layers as L


def net(seed=0, dtype="float32"):
    return L.Sequential(
        L.Conv2d(1, 2, 3, seed=seed, dtype=dtype),
        L.BatchNorm2d(2, dtype=dtype),
        L.Flatten(),
        L.Linear(8, 3, seed=seed + 1, dtype=dtype),
    )


def equal(first, second):
    assert list(first) == list(second)
    for name in first:
        assert first[name].dtype == second[name].dtype
        np.testing.assert_array_equal(first[name], second[name])


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "net.npz"
    net().save(path)
    return path


def contents(path):
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16, "float32", "complex64", ">f8"])
def test_save_and_load_round_trip(tmp_path, dtype):
    first, second = (L.Conv2d(2, 3, 3, seed=seed, dtype=dtype) for seed in (0, 1))
    path = tmp_path / "weights"
    first.save(path)
    parameters = second.parameters()
    second.load(str(path))
    equal(first.state_dict(), second.state_dict())
    for name, array in second.parameters().items():
        assert array is parameters[name]
    assert os.listdir(tmp_path) == ["weights"]


def test_buffers_are_saved(tmp_path):
    first, second = net(), net(5)
    first(np.random.default_rng(0).normal(size=(4, 1, 4, 4)).astype(np.float32))
    first.save(tmp_path / "a.npz")
    second.load(tmp_path / "a.npz")
    assert second[1].num_batches_tracked == 1
    equal(first.state_dict(), second.state_dict())


def test_numpy_reads_what_save_writes(saved):
    equal(contents(saved), net().state_dict())


def test_save_replaces_at_once_and_leaves_the_old_file_on_failure(saved, monkeypatch):
    before = saved.read_bytes()

    def fail(*_args, **_kwargs):
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(np.lib.format, "write_array", fail)
        with pytest.raises(OSError, match="disk full"):
            net(9).save(saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_saved_files_follow_the_umask(saved):
    plain = saved.with_name("plain")
    plain.write_bytes(b"")
    assert stat.S_IMODE(saved.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def rewrite(path, **changes):
    arrays = contents(path)
    for name, value in changes.items():
        if value is None:
            del arrays[name]
        else:
            arrays[name] = value
    np.savez(path, **arrays)


def refuse(path, *messages):
    layer = net(3)
    before = layer.state_dict()
    with pytest.raises(ValueError, match="nothing was loaded") as caught:
        layer.load(path)
    for message in messages:
        assert message in str(caught.value)
    equal(layer.state_dict(), before)


def test_all_faults_are_listed_and_nothing_is_loaded(saved):
    rewrite(
        saved,
        **{
            "0.weight": np.zeros((2, 1, 5, 5), np.float32),
            "0.bias": None,
            "3.bias": np.zeros(3),
            "evil": np.zeros(1),
        },
    )
    refuse(
        saved,
        "0.weight has shape (2, 1, 5, 5)",
        "expected (2, 1, 3, 3)",
        "3.bias has shape (3,) and dtype float64, expected (3,) and float32",
        "missing: 0.bias",
        "unexpected: evil",
    )


def test_strict_false_takes_what_is_there(saved):
    rewrite(saved, **{"0.bias": None, "extra": np.zeros(1)})
    layer = net(3)
    bias = layer[0].bias.copy()
    layer.load(saved, strict=False)
    np.testing.assert_array_equal(layer[0].bias, bias)
    np.testing.assert_array_equal(layer[3].weight, net()[3].weight)
    rewrite(saved, **{"3.bias": np.zeros(4, np.float32)})
    with pytest.raises(ValueError, match=r"3.bias has shape \(4,\)"):
        layer.load(saved, strict=False)


class Bomb:
    """Leaves a mark when it is unpickled."""

    armed = False

    def __reduce__(self):
        return (setattr, (Bomb, "armed", True))


def test_pickled_objects_are_refused_unopened(saved):
    evil = np.empty((2,), object)
    evil[:] = Bomb()
    rewrite(saved, **{"0.bias": evil})
    refuse(saved, "0.bias has shape (2,) and dtype object")
    saved.write_bytes(pickle.dumps(Bomb()))
    refuse(saved)
    assert not Bomb.armed


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
def test_truncated_files_are_refused(saved, share):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(len(whole) * share)])
    refuse(saved)


def test_flipped_bytes_are_refused(saved):
    whole = bytearray(saved.read_bytes())
    place = whole.find(net()[3].weight.tobytes())
    whole[place] ^= 0xFF
    saved.write_bytes(bytes(whole))
    refuse(saved, "not a whole .npz file")


def test_any_damage_is_refused_or_harmless(saved):
    whole, wanted = saved.read_bytes(), net().state_dict()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        saved.write_bytes(bytes(damaged))
        layer = net(3)
        before = layer.state_dict()
        try:
            layer.load(saved)
        except ValueError:
            refused += 1
            equal(layer.state_dict(), before)
        else:  # a date, or another field that says nothing about the arrays
            equal(layer.state_dict(), wanted)
    assert refused > 150


def test_a_header_that_promises_terabytes_is_refused_before_reading(saved):
    arrays = contents(saved)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (2**40,)}
    )
    with zipfile.ZipFile(saved, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                if name == "0.weight":
                    member.write(header.getvalue())
                else:
                    np.lib.format.write_array(member, array)
    refuse(saved, "0.weight has shape (1099511627776,)")


def test_a_name_that_occurs_twice_is_refused(saved):
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(2, np.float32))
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("0.bias", buffer.getvalue())
    refuse(saved, "occurs twice")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04nonsense", b"\x93NUMPY\x01\x00garbage"])
def test_other_files_are_refused(saved, content):
    saved.write_bytes(content)
    refuse(saved)


def test_a_member_that_is_no_array_is_refused(saved):
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["0.bias.npy"] = b"hello"
    with zipfile.ZipFile(saved, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    refuse(saved)


def test_a_missing_file_is_a_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        net().load(tmp_path / "none.npz")


def test_state_dict_is_a_copy_and_loads_in_place():
    first, second = net(), net(5)
    snapshot = first.state_dict()
    first[0].weight += 1
    parameters = second.parameters()
    second.load_state_dict(snapshot)
    equal(second.state_dict(), snapshot)
    for name, array in second.parameters().items():
        assert array is parameters[name]


def test_load_state_dict_checks_everything_first():
    layer = net()
    before = layer.state_dict()
    values = net(5).state_dict()
    values["3.bias"] = values["3.bias"].astype("float64")
    with pytest.raises(ValueError, match=r"3\.bias has shape"):
        layer.load_state_dict(values)
    values["3.bias"] = [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="dtype list"):
        layer.load_state_dict(values)
    with pytest.raises(TypeError, match="expected a mapping"):
        layer.load_state_dict(list(values))
    equal(layer.state_dict(), before)
