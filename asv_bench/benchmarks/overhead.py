"""What a call, and the import, cost beside the work."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

import fastconv


class Call:
    """A layer so small that only the overhead is left."""

    def setup(self) -> None:
        """Make the arrays, and the plan."""
        self.x, self.weight = np.ones((1, 1, 4, 4), "f4"), np.ones((1, 1, 3, 3), "f4")
        self.out = np.empty((1, 1, 2, 2), "f4")
        self.time_conv2d()

    def time_conv2d(self) -> None:
        """A plan that is in the cache."""
        fastconv.conv2d(self.x, self.weight)

    def time_conv2d_out(self) -> None:
        """The same into an array of the caller's."""
        fastconv.conv2d(self.x, self.weight, out=self.out)


class Import:
    """A fresh interpreter that imports the package, beside one that imports NumPy alone."""

    params = ("numpy", "fastconv")
    param_names = ("module",)

    def time_import(self, module: str) -> None:
        """Start, import, leave."""
        subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
