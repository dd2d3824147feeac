"""patch() and unpatch(), on stand-ins of the book's modules."""

from __future__ import annotations

import importlib
import sys
import textwrap

import numpy as np
import pytest

from fastconv.compat import dlfs

UTIL = """
    def im2col(*args):
        raise AssertionError("the book's im2col")

    def conv_output_size(*args):
        raise AssertionError("the book's conv_output_size")

    def smooth_curve(x):
        return x
"""
LAYERS = """
    from common.util import im2col

    class Convolution:
        def forward(self, x):
            return im2col(x, 2, 2)

    class Affine:
        pass

    class MyOwn:
        pass
"""
NETWORK = """
    from common.layers import *
"""


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A folder on sys.path for stand-ins; the modules are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(**modules):
        folder = tmp_path / "common"
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        for name, source in modules.items():
            place = tmp_path if name == "network" else folder
            (place / f"{name}.py").write_text(textwrap.dedent(source))
        importlib.invalidate_caches()

    yield write
    dlfs.unpatch()
    for name in [n for n in sys.modules if n.partition(".")[0] in ("common", "network")]:
        del sys.modules[name]


def test_patch_rebinds_what_both_modules_have(book):
    book(util=UTIL, layers=LAYERS, network=NETWORK)
    rebound = dlfs.patch()
    assert sorted(rebound) == [
        "common.layers.Affine",
        "common.layers.Convolution",
        "common.layers.im2col",
        "common.util.conv_output_size",
        "common.util.im2col",
    ]
    network = importlib.import_module("network")
    assert network.Convolution is dlfs.Convolution
    assert network.im2col is dlfs.im2col
    assert network.MyOwn.__module__ == "common.layers"
    assert not hasattr(sys.modules["common.util"], "col2im")


def test_classes_taken_before_call_the_new_columns(book):
    book(util=UTIL, layers=LAYERS, network=NETWORK)
    network = importlib.import_module("network")
    dlfs.patch()
    assert network.Convolution is not dlfs.Convolution
    assert network.Convolution().forward(np.ones((1, 1, 2, 2))).tolist() == [[1, 1, 1, 1]]


def test_unpatch_puts_everything_back(book):
    book(util=UTIL, layers=LAYERS)
    layers = importlib.import_module("common.layers")
    before = dict(vars(layers))
    dlfs.patch()
    assert dlfs.patch() == ()  # a second call rebinds nothing
    dlfs.unpatch()
    assert vars(layers) == before
    with pytest.raises(AssertionError, match="the book's im2col"):
        sys.modules["common.util"].im2col()
    dlfs.unpatch()  # and is harmless twice


def test_patch_is_a_context_manager(book):
    book(util=UTIL)
    with dlfs.patch() as rebound:
        util = sys.modules["common.util"]
        assert rebound == ("common.util.im2col", "common.util.conv_output_size")
        assert util.im2col is dlfs.im2col
    assert util.im2col is not dlfs.im2col


def test_verbose_prints_the_names(book, capsys):
    book(util=UTIL)
    dlfs.patch()
    assert capsys.readouterr().out == ""
    dlfs.unpatch()
    dlfs.patch(verbose=True)
    assert "common.util.im2col" in capsys.readouterr().out


def test_one_module_is_enough(book):
    book(layers="class Pooling:\n    pass\n")
    assert dlfs.patch() == ("common.layers.Pooling",)


def test_no_module_is_an_error():
    with pytest.raises(ImportError, match=r"sys\.path"):
        dlfs.patch()


def test_a_module_that_the_book_misses_is_reported(book):
    book(util="import a_module_that_is_not_there\n")
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there"):
        dlfs.patch()
