"""Recipes: all settings of a training run, as frozen dataclasses that validate themselves.

The settings are saved beside the weights and in their metadata, and each one is a command-line option with the help
text given here. The recipes of transfer and distillation are in `methods`.
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
    """Parse a list of critics such as `plain-critic/2,projected:0.5`, with weights, by default 1.

    `side` is that of critics without a `@side`. Raises UserError for an unknown critic, for two of the same kind, and
    for a kind that can only come first.
    """
    critics: list[tuple[Architecture, float]] = []
    for part in text.split(","):
        name, colon, number = part.partition(":")
        critic = parse_architecture(name, "critic", side)
        if critic.kind in (kind.kind for kind, _ in critics):
            raise UserError(f"--critic contains {critic.kind} twice; leave one out.")
        if critics and critic.kind not in RULES:
            raise UserError(f"{critic.kind} can only be the first critic; use {', '.join(RULES)} for further ones.")
        try:
            weight = float(number) if colon else 1.0
        except ValueError:
            weight = math.nan
        if not 0 < weight <= 100:
            raise UserError(f"The weight of {name} is '{number}'; it must be a number above 0, up to 100.")
        critics.append((critic, weight))
    return critics


def format_critics(critics: list[tuple[Architecture, float]]) -> str:
    """The text for a list of critics, the inverse of `parse_critics`."""
    return ",".join(f"{critic}" + (f":{weight:g}" if weight != 1 else "") for critic, weight in critics)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings of all runs. Raises UserError for an invalid value."""

    name: ClassVar[str]
    epoch_steps: ClassVar[int] = 100  # generator updates in an epoch, as the thesis counts them
    origin_setting: ClassVar[str] = ""  # the setting that names the source or teacher model, if there is one

    data: str = setting("", "folder of pictures, or sample:MODEL for faces drawn by one of our models")
    classes: str = setting("", "use only folders of this name, as in cat")
    generator: str = setting("big", "network: big, big/2, big/4, kd, shuffle/4; add @64 or @32 for smaller pictures")
    critic: str = setting(
        "critic", "critic, plain-critic/2, or critics with weights, as in plain-critic/2,projected:0.5"
    )
    loss: str = setting("r1", "adversarial loss", choices=GAMES)
    penalty: float = setting(0.0, "weight of the gradient penalty (lambda or gamma)", low=0)
    penalty_every: int = setting(1, "apply the gradient penalty in every N-th critic update", low=1)
    critic_chunk: int = setting(0, "pictures in a critic's chunk; fewer need less memory; 0 for the whole batch", low=0)
    n_critic: int = setting(1, "critic updates per generator update", low=1, high=100)
    batch: int = setting(16, "pictures in a batch", low=2, high=4096)
    lr_g: float = setting(2e-4, "Adam's learning rate for the generator", low=0)
    lr_d: float = setting(2e-4, "Adam's learning rate for the critic", low=0)
    lr_decay: float = setting(0.0, "last share of the budget, in which the learning rates fall to 0", low=0, high=1)
    beta1: float = setting(0.0, "Adam's beta1", low=0, high=0.9999)
    beta2: float = setting(0.99, "Adam's beta2", low=0, high=0.99999)
    ema: float = setting(0.999, "decay of the generator's moving average; 0 to switch it off", low=0, high=0.99999)
    augment: tuple[str, ...] = setting((), "DiffAugment policies, from color,translation,cutout")
    flip: bool | None = setting(None, "mirror real pictures at random; by default yes, except for letters and digits")
    precision: str = setting("float32", "precision of the convolutions", choices=("float32", "bfloat16"))
    channels_last: bool = setting(False, "use the memory format channels-last, which is faster on CUDA")
    device: str = setting("auto", "auto, cpu, cuda, cuda:1, mps")
    seed: int = setting(0, "seed of the initial weights and all random numbers", low=0, high=2**32 - 1)
    steps: int | None = setting(None, "budget in generator updates", low=1, high=1e12)
    images: int | None = setting(None, "budget in real pictures seen by the critic", low=1, high=1e12)
    minutes: float | None = setting(None, "budget in minutes of training", low=1e-6, high=1e6)
    preview_every: int = setting(100, "draw a preview of the six fixed latents every N steps", low=1)
    save_every: int = setting(500, "save every N steps", low=1)
    snapshots: int = setting(0, "copies of the generator to keep, evenly spaced over the budget", low=0, high=1000)
    live_fids: int = setting(0, "how often to measure fid100, evenly spaced over the budget", low=0, high=1000)

    def __post_init__(self) -> None:
        check_settings(self)
        generator = parse_architecture(self.generator, "generator")
        critics = parse_critics(self.critic, generator.side)  # they have the generator's side by default
        object.__setattr__(self, "critic", format_critics(critics))
        if wrong := [critic for critic, _ in critics if critic.side != generator.side]:
            raise UserError(
                f"{self.generator} is for {generator.side} pixels, but {wrong[0]} for {wrong[0].side}; use the same."
            )
        if unknown := set(self.augment) - set(POLICIES):
            raise UserError(f"Unknown augmentation '{min(unknown)}'; choose from {', '.join(POLICIES)}.")
        if self.steps is self.images is self.minutes is None:
            raise UserError("The run needs a budget; set steps, images or minutes.")
        if self.steps is self.minutes is None and not self.needs_pictures:
            raise UserError("The run sees no real pictures, so that --images is no budget; set --steps or --minutes.")

    @property
    def origin(self) -> str:
        """The name of the source or teacher model; "" if there is none."""
        return getattr(self, self.origin_setting) if self.origin_setting else ""

    @property
    def needs_pictures(self) -> bool:
        """Whether the run needs pictures and a critic."""
        return True

    @property
    def critics(self) -> list[tuple[str, float]]:
        """The names of the critics, and the weights of their terms in the generator's loss."""
        return [(str(critic), weight) for critic, weight in parse_critics(self.critic, self.side)]

    @property
    def side(self) -> int:
        """Side of the pictures, in pixels."""
        return parse_architecture(self.generator).side

    def progress(self, steps: int, images: int, seconds: float) -> float:
        """The share of the budget that is spent; 1 or more at the end."""
        spent = ((self.steps, steps), (self.images, images), (self.minutes, seconds / 60))
        return max(done / budget for budget, done in spent if budget)


@dataclass(frozen=True, kw_only=True)
class WganGp(Recipe):
    """WGAN with gradient penalty, as for models 1 and 2 of the thesis; an epoch is 200 + 25 updates."""

    name: ClassVar[str] = "wgan-gp"
    epoch_steps: ClassVar[int] = 25
    loss: str = setting("wgan-gp", "adversarial loss", choices=GAMES)
    penalty: float = setting(10.0, "lambda of the gradient penalty", low=0)
    n_critic: int = setting(8, "critic updates per generator update", low=1, high=100)
    lr_g: float = setting(5e-4, "Adam's learning rate for the generator", low=0)
    lr_d: float = setting(5e-4, "Adam's learning rate for the critic", low=0)
    beta2: float = setting(0.999, "Adam's beta2", low=0, high=0.99999)


@dataclass(frozen=True, kw_only=True)
class Dcgan(Recipe):
    """DCGAN (Radford et al. 2016): the logistic loss without a penalty."""

    name: ClassVar[str] = "dcgan"
    loss: str = setting("dcgan", "adversarial loss", choices=GAMES)
    critic: str = setting(
        "kd-critic", "critic, plain-critic/2, or critics with weights, as in plain-critic/2,projected:0.5"
    )
    beta1: float = setting(0.5, "Adam's beta1", low=0, high=0.9999)
    beta2: float = setting(0.999, "Adam's beta2", low=0, high=0.99999)


@dataclass(frozen=True, kw_only=True)
class R1(Recipe):
    """Non-saturating logistic loss with lazy R1 (Mescheder et al. 2018; Karras et al. 2020), for small datasets."""

    name: ClassVar[str] = "r1"
    critic: str = setting(
        "plain-critic", "critic, plain-critic/2, or critics with weights, as in plain-critic/2,projected:0.5"
    )
    penalty: float = setting(0.4, "gamma of R1", low=0)
    penalty_every: int = setting(8, "apply the gradient penalty in every N-th critic update", low=1)
    lr_g: float = setting(5e-4, "Adam's learning rate for the generator", low=0)
    lr_d: float = setting(5e-4, "Adam's learning rate for the critic", low=0)
    augment: tuple[str, ...] = setting(("color", "translation"), "DiffAugment policies, from color,translation,cutout")


@dataclass(frozen=True, kw_only=True)
class R3(R1):
    """Relativistic pairing loss with zero-centred R1 and R2 in every update (R3GAN, Huang et al. 2024)."""

    name: ClassVar[str] = "r3"
    loss: str = setting("r3", "adversarial loss", choices=GAMES)
    penalty: float = setting(0.4, "gamma of R1 and R2", low=0)
    penalty_every: int = setting(1, "apply the gradient penalty in every N-th critic update", low=1)
    lr_g: float = setting(2e-4, "Adam's learning rate for the generator", low=0)
    lr_d: float = setting(2e-4, "Adam's learning rate for the critic", low=0)
