"""Training methods: from scratch, transfer, distillation. Each is registered by its module."""

from ganopt.training.methods import distillation, presets, transfer  # noqa: F401 - importing them registers them
from ganopt.training.methods.registry import (  # noqa: F401 - for other packages
    METHODS,
    Method,
    borrowed_critic,
    check,
    check_given,
    find_method,
    from_scratch,
    method_of,
    new_networks,
    new_state,
    quickest,
    recipe,
    register,
    resolved,
)  # fmt: skip
