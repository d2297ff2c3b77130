"""Choosing a device, and moving tensors to it."""

import re

import torch
from torch import Tensor

from ganopt.errors import UserError


def pick_device(name: str) -> torch.device:
    """The device of a name; `auto` is CUDA, else MPS, else the CPU. Raises UserError if it is not available."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    message = f"The device '{name}' is not available here; use cpu or auto."
    if not re.fullmatch(r"cpu|mps|cuda(:[0-9]{1,3})?", name):
        raise UserError(message)
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise UserError(message) from error
    return torch.device(name)


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Move a CPU tensor to a device; the copy to a GPU is asynchronous."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
