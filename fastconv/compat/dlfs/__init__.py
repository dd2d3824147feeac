"""The layers of "Deep Learning from Scratch" (``common.util``, ``common.layers``), by fastconv.

Use the names from here, or call :func:`patch` and leave the book's code as it is::

    import fastconv.compat.dlfs
    fastconv.compat.dlfs.patch()          # before importing the networks
    from ch08.deep_convnet import DeepConvNet

What the book does, these do: `im2col`, `col2im` and with them `Convolution` and `Pooling` give
float64 whatever they are given; ``W`` is read anew at every call, because ``load_params``
rebinds it and the optimisers change it in place; `Pooling` ignores ``pad`` in its output's size;
`BatchNormalization` keeps statistics per element. Unlike the book's, columns are built only
when ``col`` is read, and a layer's ``x`` must not be changed between forward and backward.
"""

from fastconv.compat.dlfs.dense import Affine, SoftmaxWithLoss, cross_entropy_error, softmax
from fastconv.compat.dlfs.elementwise import BatchNormalization, Dropout, Relu, Sigmoid
from fastconv.compat.dlfs.patching import Patched, patch, unpatch
from fastconv.compat.dlfs.spatial import Convolution, Pooling
from fastconv.compat.dlfs.util import col2im, conv_output_size, im2col

__all__ = [
    "Affine",
    "BatchNormalization",
    "Convolution",
    "Dropout",
    "Patched",
    "Pooling",
    "Relu",
    "Sigmoid",
    "SoftmaxWithLoss",
    "col2im",
    "conv_output_size",
    "cross_entropy_error",
    "im2col",
    "patch",
    "softmax",
    "unpatch",
]
