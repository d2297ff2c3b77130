"""Recipes: what a training run is, as frozen dataclasses that check themselves.

A recipe's fields are its whole description: they are written beside the weights and into them, and the command line
offers each as an option with the help given here. Those of transfer and distillation stand with their `methods`.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from ganopt.errors import UserError
from ganopt.models.networks import Architecture, parse_architecture
from ganopt.training.adversarial.augment import POLICIES
from ganopt.training.adversarial.games import GAMES, RULES
from ganopt.training.settings import check_settings, setting


def parse_critics(text: str, side: int) -> list[tuple[Architecture, float]]:
    """Read `plain-critic/2,projected:0.5`: critics of pictures of a side, and their weights, 1 where none is given.

    Raises UserError for what names no critics, for two of a kind, and where a further one has no rules of its own.
    """
    critics: list[tuple[Architecture, float]] = []
    for part in text.split(","):
        name, colon, number = part.partition(":")
        critic = parse_architecture(name, "critic", side)
        if critic.kind in (kind.kind for kind, _ in critics):
            raise UserError(f"--critic names {critic.kind} twice; leave one out.")
        if critics and critic.kind not in RULES:
            raise UserError(f"{critic.kind} can only be the first critic; a further one may be {', '.join(RULES)}.")
        try:
            weight = float(number) if colon else 1.0
        except ValueError:
            weight = math.nan
        if not 0 < weight <= 100:
            raise UserError(f"The weight '{number}' of {name} must be a number above 0, up to 100.")
        critics.append((critic, weight))
    return critics


def format_critics(critics: list[tuple[Architecture, float]]) -> str:
    """What `parse_critics` reads as these."""
    return ",".join(f"{critic}" + (f":{weight:g}" if weight != 1 else "") for critic, weight in critics)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What every run has in common. Raises UserError for a value that makes no sense."""

    name: ClassVar[str]
    epoch_steps: ClassVar[int] = 100  # generator updates in the thesis's unit of reporting
    origin_setting: ClassVar[str] = ""  # which setting names the model that it starts from or learns from, if one does

    data: str = setting("", "folder of pictures, or sample:MODEL for faces that a model of ours draws")
    classes: str = setting("", "use only the folders of this name, as in cat")
    generator: str = setting("big", "network: big, big/2, big/4, kd, shuffle/4, or smaller with @64, @32")
    critic: str = setting("critic", "networks: critic, plain-critic/2, or plain-critic/2,projected:0.5 with weights")
    loss: str = setting("r1", "adversarial loss", choices=GAMES)
    penalty: float = setting(0.0, "weight of the loss's gradient penalty: lambda or gamma", low=0)
    penalty_every: int = setting(1, "critic updates from one gradient penalty to the next", low=1)
    critic_chunk: int = setting(0, "pictures that the critic judges at once: fewer, less memory; 0 for all", low=0)
    n_critic: int = setting(1, "critic updates to one of the generator", low=1, high=100)
    batch: int = setting(16, "pictures in a batch", low=2, high=4096)
    lr_g: float = setting(2e-4, "Adam's learning rate, generator", low=0)
    lr_d: float = setting(2e-4, "Adam's learning rate, critic", low=0)
    beta1: float = setting(0.0, "Adam's beta1", low=0, high=0.9999)
    beta2: float = setting(0.99, "Adam's beta2", low=0, high=0.99999)
    ema: float = setting(0.999, "decay of the generator's moving average; 0 for none", low=0, high=0.99999)
    augment: tuple[str, ...] = setting((), "DiffAugment: any of color,translation,cutout")
    flip: bool | None = setting(None, "mirror real pictures at random; by default all but letters and digits")
    precision: str = setting("float32", "arithmetic of the convolutions", choices=("float32", "bfloat16"))
    channels_last: bool = setting(False, "memory format channels-last, faster on CUDA")
    device: str = setting("auto", "auto, cpu, cuda, cuda:1, mps")
    seed: int = setting(0, "of the first weights and of every random draw", low=0, high=2**32 - 1)
    steps: int | None = setting(None, "budget in generator updates", low=1, high=1e12)
    images: int | None = setting(None, "budget in real pictures seen by the critic", low=1, high=1e12)
    minutes: float | None = setting(None, "budget in minutes of training", low=1e-6, high=1e6)
    preview_every: int = setting(100, "steps from one drawing of the six fixed latents to the next", low=1)
    save_every: int = setting(500, "steps from one save to the next", low=1)
    snapshots: int = setting(0, "copies of the generator to keep on the way, evenly over the budget", low=0, high=1000)
    live_fids: int = setting(0, "times to measure fid100 on the way, evenly over the budget", low=0, high=1000)

    def __post_init__(self) -> None:
        check_settings(self)
        generator = parse_architecture(self.generator, "generator")
        critics = parse_critics(self.critic, generator.side)  # they judge what the generator draws
        object.__setattr__(self, "critic", format_critics(critics))
        if wrong := [critic for critic, _ in critics if critic.side != generator.side]:
            raise UserError(f"{self.generator} draws {generator.side} pixels, but {wrong[0]} judges {wrong[0].side}.")
        if unknown := set(self.augment) - set(POLICIES):
            raise UserError(f"Unknown augmentation '{min(unknown)}'; take any of {', '.join(POLICIES)}.")
        if self.steps is self.images is self.minutes is None:
            raise UserError("The run needs a budget: give steps, images or minutes.")

    @property
    def origin(self) -> str:
        """The model that it starts from or learns from; "" for none."""
        return getattr(self, self.origin_setting) if self.origin_setting else ""

    @property
    def needs_pictures(self) -> bool:
        """Whether it trains on pictures, and has a critic, which judges them."""
        return True

    @property
    def critics(self) -> list[tuple[str, float]]:
        """The names of the critics, and the weights of their parts in the generator's loss."""
        return [(str(critic), weight) for critic, weight in parse_critics(self.critic, self.side)]

    @property
    def side(self) -> int:
        """Side of the pictures, in pixels."""
        return parse_architecture(self.generator).side

    def progress(self, steps: int, images: int, seconds: float) -> float:
        """The share of the budget that is spent; 1 or more when it is."""
        spent = ((self.steps, steps), (self.images, images), (self.minutes, seconds / 60))
        return max(done / budget for budget, done in spent if budget)


@dataclass(frozen=True, kw_only=True)
class WganGp(Recipe):
    """WGAN with gradient penalty, as the thesis trains models 1 and 2: an epoch is 200 + 25 updates."""

    name: ClassVar[str] = "wgan-gp"
    epoch_steps: ClassVar[int] = 25
    loss: str = setting("wgan-gp", "adversarial loss", choices=GAMES)
    penalty: float = setting(10.0, "lambda of the gradient penalty", low=0)
    n_critic: int = setting(8, "critic updates to one of the generator", low=1, high=100)
    lr_g: float = setting(5e-4, "Adam's learning rate, generator", low=0)
    lr_d: float = setting(5e-4, "Adam's learning rate, critic", low=0)
    beta2: float = setting(0.999, "Adam's beta2", low=0, high=0.99999)


@dataclass(frozen=True, kw_only=True)
class Dcgan(Recipe):
    """DCGAN (Radford et al. 2016): the logistic loss without a penalty."""

    name: ClassVar[str] = "dcgan"
    loss: str = setting("dcgan", "adversarial loss", choices=GAMES)
    critic: str = setting("kd-critic", "networks: critic, plain-critic/2, or plain-critic/2,projected:0.5 with weights")
    beta1: float = setting(0.5, "Adam's beta1", low=0, high=0.9999)
    beta2: float = setting(0.999, "Adam's beta2", low=0, high=0.99999)


@dataclass(frozen=True, kw_only=True)
class R1(Recipe):
    """Non-saturating logistic loss with lazy R1 (Mescheder et al. 2018; Karras et al. 2020), tuned for small sets."""

    name: ClassVar[str] = "r1"
    critic: str = setting(
        "plain-critic", "networks: critic, plain-critic/2, or plain-critic/2,projected:0.5 with weights"
    )
    penalty: float = setting(0.4, "gamma of R1", low=0)
    penalty_every: int = setting(8, "critic updates from one gradient penalty to the next", low=1)
    lr_g: float = setting(5e-4, "Adam's learning rate, generator", low=0)
    lr_d: float = setting(5e-4, "Adam's learning rate, critic", low=0)
    augment: tuple[str, ...] = setting(("color", "translation"), "DiffAugment: any of color,translation,cutout")


@dataclass(frozen=True, kw_only=True)
class R3(R1):
    """Relativistic pairing loss with zero-centred R1 and R2 at every update (R3GAN, Huang et al. 2024)."""

    name: ClassVar[str] = "r3"
    loss: str = setting("r3", "adversarial loss", choices=GAMES)
    penalty: float = setting(0.4, "gamma of R1 and R2", low=0)
    penalty_every: int = setting(1, "critic updates from one gradient penalty to the next", low=1)
    lr_g: float = setting(2e-4, "Adam's learning rate, generator", low=0)
    lr_d: float = setting(2e-4, "Adam's learning rate, critic", low=0)
