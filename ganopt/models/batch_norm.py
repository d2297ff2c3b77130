"""BatchNorm's statistics anew, for weights that no training step has left, such as averages."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@torch.no_grad()
def renew_statistics(network: nn.Module, batches: Iterable[Tensor], kept: Sequence[nn.Module] = ()) -> None:
    """Set BatchNorm's statistics to their means over batches of inputs, but for `kept` parts of the network.

    The kept parts use their own statistics meanwhile, as frozen layers do in training. The network must be in
    evaluation mode.
    """
    unchanged = {module for part in kept for module in part.modules()}
    found = (module for module in network.modules() if isinstance(module, _BatchNorm))
    norms = {norm: norm.momentum for norm in found if norm not in unchanged}
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative
        norm.train()
    for batch in batches if norms else ():
        network(batch)
    for norm, momentum in norms.items():
        norm.momentum = momentum
        norm.eval()
