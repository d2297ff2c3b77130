"""Devices by name."""

import re

import torch
from torch import Tensor

from ganopt.errors import UserError


def pick_device(name: str) -> torch.device:
    """`auto` takes CUDA, then MPS, then the CPU. Raises UserError for a device that is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    sentence = f"There is no device '{name}' here; take cpu, or auto."
    if not re.fullmatch(r"cpu|mps|cuda(:[0-9]{1,3})?", name):
        raise UserError(sentence)
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise UserError(sentence) from error
    return torch.device(name)


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device; a GPU gets it without being waited for."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
