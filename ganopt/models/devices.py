"""Devices: choosing one, moving tensors to it, and its peak memory."""

import os
import re
import sys
from pathlib import Path

import torch
from torch import Tensor

from ganopt import distributed
from ganopt.errors import UserError


def pick_device(name: str) -> torch.device:
    """The device of a name; `auto` is CUDA, else MPS, else the CPU.

    Of several processes, each has its own GPU. Raises UserError if the device is not available.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    message = f"The device '{name}' is not available here; use cpu or auto."
    if not re.fullmatch(r"cpu|mps|cuda(:[0-9]{1,3})?", name):
        raise UserError(message)
    if distributed.processes() > 1:
        name = _of_this_process(name)
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise UserError(message) from error
    return torch.device(name)


def _of_this_process(name: str) -> str:
    """The device of one of several processes. Raises UserError unless it is the CPU or each can have its own GPU."""
    if name == "cpu":
        return name
    if name != "cuda":
        raise UserError(f"Several processes cannot share the device '{name}'; use --device cuda or --device cpu.")
    number, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if number >= count > 0:
        raise UserError(
            f"There are more processes than GPUs, of which there are {count}; start fewer, or use --device cpu."
        )
    if count:
        torch.cuda.set_device(number)
    return f"cuda:{number}"


def computes_bfloat16(device: torch.device) -> bool:
    """Whether a GPU, or a CPU by the flags of Linux, multiplies matrices of bfloat16 with units of its own."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return device.type == "cpu" and bool({"avx512_bf16", "amx_bf16"} & set(flags.split()))


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Move a CPU tensor to a device; the copy to a GPU is asynchronous."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def peak_memory(device: torch.device) -> int:
    """Peak bytes so far of CUDA's allocator or of the process (resident); for MPS, the bytes of its driver now."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    if sys.platform == "linux":  # getrusage would also count the parent process
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
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
