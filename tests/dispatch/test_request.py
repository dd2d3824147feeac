"""Views of a caller's arrays."""

from __future__ import annotations

import numpy as np
import pytest

from fastconv.dispatch.request import View


@pytest.mark.parametrize(
    "view",
    [
        View(dtype=np.dtype(np.float64)),  # which NumPy says is equal to None
        View(dtype=np.dtype(np.float32), axes=(1, 0)),
        View(shape=(6,)),
        View(expand=True),
        View(axes=(1, 0)),
    ],
)
def test_a_step_does_what_its_view_does(view):
    array = np.arange(6, dtype=">f8").reshape(2, 3)
    stepped, viewed = view.step()(array), view(array)
    assert (stepped.shape, stepped.strides, stepped.dtype) == (
        viewed.shape,
        viewed.strides,
        viewed.dtype,
    )
    np.testing.assert_array_equal(stepped, viewed)


def test_a_view_that_changes_nothing_has_no_step():
    assert View().step() is None
