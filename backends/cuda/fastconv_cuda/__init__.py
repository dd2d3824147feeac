"""fastconv on NVIDIA GPUs: two backends, found through their entry points.

``cuda`` serves CuPy arrays where they live; ``cuda_host`` takes NumPy arrays to a GPU and back
where the policy asks for it (``device="cuda"`` or ``device="auto"``). Importing this package
loads neither CuPy nor a driver.
"""

from fastconv_cuda.backend import BACKEND, CudaBackend
from fastconv_cuda.host import HOST_BACKEND, HostBackend

__all__ = ["BACKEND", "HOST_BACKEND", "CudaBackend", "HostBackend"]
