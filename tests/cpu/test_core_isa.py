"""Instruction-set levels: listed, chosen, refused."""

from __future__ import annotations

import pytest

core = pytest.importorskip("fastconv.cpu._core")


def test_the_highest_usable_level_is_active_and_every_usable_one_can_be():
    levels = core.isa_levels()
    usable = [name for name, built, supported in levels if built and supported]
    before = core.active_isa()
    assert usable
    assert before in usable
    try:
        for name in usable:
            core.set_isa(name)
            assert core.active_isa() == name
    finally:
        core.set_isa(before)


def test_the_lowest_level_is_always_built():
    name, built, supported = core.isa_levels()[0]
    assert name in ("baseline", "neon")
    assert built
    assert supported


def test_levels_are_ordered():
    supported = [supported for _, _, supported in core.isa_levels()]
    assert supported == sorted(supported, reverse=True)


@pytest.mark.parametrize("name", ["", "sse9", "AVX2", "avx2\0"])
def test_an_unknown_level_is_refused_with_the_names_of_the_others(name):
    before = core.active_isa()
    with pytest.raises(ValueError, match=before):
        core.set_isa(name)
    assert core.active_isa() == before


def test_a_level_is_named_by_a_string():
    with pytest.raises(TypeError):
        core.set_isa(None)
