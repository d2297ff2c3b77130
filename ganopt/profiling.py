"""What a network or a run costs."""

import sys

import torch


def peak_memory(device: torch.device) -> int:
    """The most bytes held so far: by CUDA's allocator, by MPS's driver now, else by the process (resident)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
