"""Peak memory of a device or of this process."""

import sys
from pathlib import Path

import torch


def peak_memory(device: torch.device) -> int:
    """Peak bytes so far of CUDA's allocator or of the process (resident); for MPS, the bytes of its driver now."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    if sys.platform == "linux":  # getrusage would also count the parent process
        return _kilobytes("VmHWM")
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def reset_peak_memory(device: torch.device) -> None:
    """Reset `peak_memory`, on CUDA and for the process on Linux."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")


def _kilobytes(field: str) -> int:
    """A field of this process's status on Linux, given in kilobytes, returned in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(f"{field}:")).split()[1])
