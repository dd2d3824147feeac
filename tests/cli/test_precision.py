"""``fastconv precision``: its rows, its figure, what it refuses."""

import gzip

import handwriting
import numpy as np
import pytest

import fastconv
from fastconv.cli.demo.training import load_digits, train
from fastconv.cli.precision import variants
from fastconv.cli.precision.data import load_mnist
from fastconv.precision import PRECISIONS

pytestmark = pytest.mark.filterwarnings("ignore::fastconv.PerformanceWarning")


@pytest.fixture(scope="module")
def rows():
    digits = load_digits(0)
    net = variants.build_network(0, 8)
    train(net, digits, 1, 0)
    with np.errstate(over="ignore"):
        return {r.name: r for r in variants.measure(variants.variants(net, digits), digits, 64, 1)}


def test_there_is_a_row_for_every_precision(rows):
    assert set(PRECISIONS) - {"auto", "float64"} < rows.keys()
    assert {"float64 arrays", "float16 arrays", "int8 net"} < rows.keys()


def test_errors_are_of_the_precision_s_size(rows):
    assert rows["float64 arrays"].error == 0
    assert 0 < rows["float32"].error < 1e-5
    assert rows["float32"].error < rows["float16"].error < 0.02
    assert rows["float16"].error < rows["bfloat16"].error < 0.1
    assert rows["float32"].error < rows["int8"].error < 0.2
    exact = rows["float64 arrays"].accuracy
    assert all(abs(row.accuracy - exact) < 0.05 for row in rows.values())


def test_narrow_arrays_take_and_move_less(rows):
    assert rows["float16 arrays"].moved < 0.6 * rows["float32"].moved
    assert rows["float16 arrays"].memory < 0.8 * rows["float32"].memory
    assert rows["float64 arrays"].moved == pytest.approx(2 * rows["float32"].moved, rel=0.01)
    assert rows["int8 net"].moved < 0.3 * rows["float32"].moved
    assert all(row.seconds > 0 for row in rows.values())


def test_the_table_and_the_figure(run, tmp_path):
    target = tmp_path / "precision.svg"
    with np.errstate(over="ignore"):
        result = run("precision", "--quick", "--batch", "32", "--output", str(target))
    assert result.exit_code == 0
    for part in (
        "right",
        "error",
        "memory",
        "moved",
        "bfloat16",
        "int8 net",
        "32 images at a time",
    ):
        assert part in result.stdout
    drawn = target.read_text(encoding="utf-8")
    assert drawn.startswith("<?xml")
    assert "<svg" in drawn


def test_bad_options(run, tmp_path):
    result = run("precision", "--output", "x.bmp")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--output: got 'x.bmp', expected a name ending in .png" in result.stderr
    result = run("precision", "--output", str(tmp_path / "none" / "x.png"))
    assert "is no folder" in result.stderr
    result = run("precision", "--mnist", str(tmp_path), "--output", str(tmp_path / "x.png"))
    assert result.exit_code == 2
    assert "--mnist: " in result.stderr
    assert "got no t10k-images-idx3-ubyte.gz" in result.stderr


def test_mnist_s_files_are_read(tmp_path):
    images, labels, test_images, test_labels = handwriting.digits()
    digits = load_mnist(handwriting.FOLDER)
    np.testing.assert_array_equal(digits.train_images, images)
    np.testing.assert_array_equal(digits.test_labels, test_labels)
    assert len(digits.test_images) == len(test_images) == 1000
    assert len(labels) == len(digits.train_labels)


@pytest.mark.parametrize("raw", [b"", b"\0\0\x08\x03" + b"\0" * 11, b"\0\0\x09\x01\0\0\0\0"])
def test_other_files_are_refused(tmp_path, raw):
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(raw))
    with pytest.raises(ValueError, match=r"images-idx3-ubyte\.gz: got other bytes, expected"):
        load_mnist(tmp_path)


def test_variants_keep_the_net_itself_as_it_is():
    digits = load_digits(0)
    net = variants.build_network(0, 8)
    before = net.state_dict()
    variants.variants(net, digits)
    for name, value in before.items():
        np.testing.assert_array_equal(net.state_dict()[name], value)
    assert all(layer.compute_dtype is None for layer in net)
    assert fastconv.layers.Sequential is type(net)
