"""A MobileNetV2 and a small vision transformer whose random weights come from a generator of their own."""

import torch
from torch import Tensor, nn
from torchvision.models import mobilenet_v2

SIDE, PATCH = 64, 8  # pixels of the transformer's pictures and patches
WIDTH, HEADS, LAYERS = 64, 4, 3


def mobilenet(classes: int, chance: torch.Generator) -> nn.Module:
    """Torchvision's MobileNetV2, without its dropout, which has no generator of its own; weights as torchvision's."""
    with torch.device("meta"):
        network = mobilenet_v2(num_classes=classes, dropout=0.0)
    network.to_empty(device="cpu")
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", generator=chance)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 0.01, generator=chance)
            nn.init.zeros_(module.bias)
    return network.to(memory_format=torch.channels_last)  # a third faster on a CPU


class SmallViT(nn.Module):
    """A vision transformer (Dosovitskiy et al. 2021) of small pictures, (N, 3, 64, 64) -> logits (N, classes)."""

    def __init__(self, classes: int, chance: torch.Generator) -> None:
        super().__init__()
        with torch.device("meta"):
            layer = nn.TransformerEncoderLayer(
                WIDTH, HEADS, 2 * WIDTH, dropout=0, activation="gelu", batch_first=True, norm_first=True
            )
            self.patches = nn.Conv2d(3, WIDTH, PATCH, PATCH)
            self.places = nn.Parameter(torch.empty((SIDE // PATCH) ** 2, WIDTH))
            self.encoder = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(WIDTH), enable_nested_tensor=False)
            self.head = nn.Linear(WIDTH, classes)
        self.to_empty(device="cpu")
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter, generator=chance)
            else:
                nn.init.zeros_(parameter)
        for module in self.modules():
            if isinstance(module, nn.LayerNorm):
                module.reset_parameters()

    def forward(self, pixels: Tensor) -> Tensor:
        tokens = self.patches(pixels).flatten(2).transpose(1, 2) + self.places  # (N, 3, 64, 64) -> (N, 64, 64)
        return self.head(self.encoder(tokens).mean(1))
