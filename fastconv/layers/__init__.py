"""Trainable layers, losses and optimisers, on any array type that a backend serves.

PyTorch's names and defaults; every layer has ``forward`` and ``backward``. Parameters are NumPy
arrays until :meth:`Layer.to` moves them.

Examples
--------
>>> import numpy as np
>>> from fastconv.layers import Conv2d, Flatten, Linear, ReLU, Sequential
>>> net = Sequential(Conv2d(1, 4, 3, seed=0), ReLU(), Flatten(), Linear(4 * 6 * 6, 10, seed=1))
>>> net(np.zeros((2, 1, 8, 8), np.float32)).shape
(2, 10)
>>> list(net.parameters())
['0.weight', '0.bias', '3.weight', '3.bias']
"""

from fastconv.layers.activations import GELU, LeakyReLU, ReLU, ReLU6, Sigmoid, SiLU, Tanh
from fastconv.layers.adam import Adam
from fastconv.layers.adaptive_pool import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AdaptiveMaxPool3d,
)
from fastconv.layers.avg_pool import AvgPool1d, AvgPool2d, AvgPool3d
from fastconv.layers.base import Layer
from fastconv.layers.batch_norm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from fastconv.layers.conv import Conv1d, Conv2d, Conv3d
from fastconv.layers.conv_transpose import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from fastconv.layers.cross_entropy import SoftmaxCrossEntropy
from fastconv.layers.dropout import Dropout
from fastconv.layers.flatten import Flatten
from fastconv.layers.linear import Linear
from fastconv.layers.lp_pool import LPPool1d, LPPool2d, LPPool3d
from fastconv.layers.max_pool import MaxPool1d, MaxPool2d, MaxPool3d
from fastconv.layers.mixed import LossScaler
from fastconv.layers.optimizer import Optimizer
from fastconv.layers.sequential import Sequential
from fastconv.layers.sgd import SGD

__all__ = [
    "GELU",
    "SGD",
    "Adam",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Dropout",
    "Flatten",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "Layer",
    "LeakyReLU",
    "Linear",
    "LossScaler",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "Optimizer",
    "ReLU",
    "ReLU6",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "Tanh",
]
