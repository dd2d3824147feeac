"""The backend on the simulated device, as a module that an entry point may name."""

from dataclasses import replace

from fastconv_cuda.backend import INFO, CudaBackend

from simt.device import simulated

SIMULATED = CudaBackend(
    simulated, replace(INFO, name="cuda", namespace="numpy", array_types=("numpy.ndarray",))
)
