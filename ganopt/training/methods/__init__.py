"""Training methods: from scratch, transfer, distillation. Each is a module that registers its recipe."""

from ganopt.training.methods import scratch
from ganopt.training.methods.distillation import Distill
from ganopt.training.methods.registry import (
    METHODS,
    Method,
    Networks,
    check,
    from_scratch,
    method_of,
    new_state,
    register,
    resolved,
)
from ganopt.training.methods.transfer import Transfer

__all__ = [
    "METHODS",
    "Distill",
    "Method",
    "Networks",
    "Transfer",
    "check",
    "from_scratch",
    "method_of",
    "new_state",
    "register",
    "resolved",
    "scratch",
]
