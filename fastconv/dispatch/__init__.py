"""Which device, algorithm and precision each call gets: policy, plan cache, explain, trace."""

from fastconv.dispatch.arrays import namespace
from fastconv.dispatch.call import call, pack_ahead
from fastconv.dispatch.explain import (
    Explanation,
    backends,
    devices,
    explain,
    register_backend,
    unregister_backend,
)
from fastconv.dispatch.policy import PolicyOptions, use
from fastconv.dispatch.prepared import PreparedWeight
from fastconv.dispatch.trace import trace
from fastconv.dispatch.workspace import release_memory

__all__ = [
    "Explanation",
    "PolicyOptions",
    "PreparedWeight",
    "backends",
    "call",
    "devices",
    "explain",
    "namespace",
    "pack_ahead",
    "register_backend",
    "release_memory",
    "trace",
    "unregister_backend",
    "use",
]
