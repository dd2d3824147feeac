"""As much of PyTorch and CuPy as the benchmark uses, on NumPy arrays."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np


class Tensor:
    """An array that says what PyTorch's would."""

    def __init__(self, array):
        self.array = array

    def to(self, dtype):
        """Convert; what NumPy has no type for keeps its size alone."""
        return Tensor(self.array.astype(dtype.numpy))

    def contiguous(self, memory_format):
        """Return a copy with its channels last."""
        axes = (0, *range(2, self.array.ndim), 1)
        memory = np.ascontiguousarray(self.array.transpose(axes))
        return Tensor(memory.transpose(np.argsort(axes)))

    def view(self, dtype):
        """Return the same memory by another type."""
        return Tensor(self.array.view(dtype.numpy))


@contextmanager
def entered(*_):
    """Stand for a stream or a graph that is being recorded."""
    yield


def kind(numpy):
    """Return what stands for a dtype."""
    return SimpleNamespace(numpy=np.dtype(numpy), itemsize=np.dtype(numpy).itemsize)


def torch(done):
    """Return the module; what cuDNN is asked for is appended to `done`."""
    clock = SimpleNamespace(now=0.0)

    class Event:
        def __init__(self, enable_timing):
            self.at = 0.0

        def record(self):
            clock.now += 1.0
            self.at = clock.now

        def synchronize(self):
            pass

        def elapsed_time(self, end):
            return end.at - self.at

    stream = SimpleNamespace(wait_stream=lambda other: None, cuda_stream=0)
    cuda = SimpleNamespace(
        Stream=lambda: stream,
        current_stream=lambda: stream,
        stream=entered,
        graph=entered,
        CUDAGraph=lambda: SimpleNamespace(replay=lambda: None),
        Event=Event,
    )
    aten = SimpleNamespace(
        convolution=lambda *given: done.append(("convolution", len(given))),
        convolution_backward=lambda *given: done.append(("convolution_backward", len(given))),
    )
    rng = np.random.default_rng(0)
    conv, matmul = SimpleNamespace(fp32_precision="?"), SimpleNamespace(fp32_precision="?")
    return SimpleNamespace(
        __version__="stand-in",
        cuda=cuda,
        backends=SimpleNamespace(
            cudnn=SimpleNamespace(conv=conv, benchmark=False, version=lambda: 0),
            cuda=SimpleNamespace(matmul=matmul),
        ),
        ops=SimpleNamespace(aten=aten),
        randn=lambda shape, device, dtype: Tensor(rng.standard_normal(shape).astype(dtype.numpy)),
        channels_last="channels last",
        channels_last_3d="channels last",
        float64=kind("f8"),
        float32=kind("f4"),
        float16=kind("f2"),
        bfloat16=kind("u2"),
        int16=kind("i2"),
    )


def cupy():
    """Return the module."""
    return SimpleNamespace(
        from_dlpack=lambda tensor: tensor.array,
        cuda=SimpleNamespace(ExternalStream=entered),
    )
