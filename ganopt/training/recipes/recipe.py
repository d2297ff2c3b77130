"""The recipe: the settings that all runs have.

They are saved beside the weights and in their metadata, and each one is a command-line option with the help text given
here. The recipes of transfer and distillation, and presets for the others, are in `methods`.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar

from ganopt.data.synthetic import PREFIX
from ganopt.errors import UserError
from ganopt.models.networks import parse_architecture
from ganopt.training.recipes.critics import CriticSettings
from ganopt.training.recipes.settings import check_settings, setting


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings of all runs. Raises UserError for an invalid value."""

    origin_setting: ClassVar[str] = ""  # the setting that names the source or teacher model, if there is one
    generator_from_origin: ClassVar[bool] = False  # whether the generator is that of the source, not a choice

    method: str  # the name of a registered method
    critics: tuple[CriticSettings, ...]
    data: str = setting(
        "", "folder of pictures, hub:USER/NAME for a dataset, or sample:MODEL for faces drawn by a model"
    )
    classes: str = setting("", "use only folders, or the class of a dataset, of this name, as in cat")
    generator: str = setting("big", "network: big, big/2, big/4, kd, shuffle/4; add @64 or @32 for smaller pictures")
    n_critic: int = setting(1, "critic updates per generator update", low=1, high=100)
    share_fakes: bool = setting(
        False, "train critics and generator on the same generated pictures, which saves a pass through the generator"
    )
    batch: int = setting(16, "pictures in a batch", low=2, high=4096)
    lr_g: float = setting(2e-4, "Adam's learning rate for the generator", low=0)
    lr_decay: float = setting(
        0.0, "last share of the budget, in which the learning rates fall to 0 by a cosine", low=0, high=1
    )
    beta1: float = setting(0.0, "Adam's beta1", low=0, high=0.9999)
    beta2: float = setting(0.99, "Adam's beta2", low=0, high=0.99999)
    ema: float = setting(0.999, "decay of the generator's moving average; 0 to switch it off", low=0, high=0.99999)
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
        if self.generator or not self.generator_from_origin:
            self._match_sides()
        if not self.critics:
            raise UserError("The run needs a critic; name one, as in --critic plain-critic/2.")
        if self.share_fakes and self.n_critic > 1:
            raise UserError("Only one critic update can share the generator's pictures; use --n-critic 1.")
        if self.steps is self.images is self.minutes is None:
            raise UserError("The run needs a budget; set steps, images or minutes.")
        if self.steps is self.minutes is None and not self.needs_pictures:
            raise UserError("The run sees no real pictures, so that --images is no budget; set --steps or --minutes.")

    def _match_sides(self) -> None:
        """Give critics the generator's side unless they name one, which must be the same."""
        architectures = [parse_architecture(critic.architecture, "critic", self.side) for critic in self.critics]
        if wrong := [each for each in architectures if each.side != self.side]:
            raise UserError(
                f"{self.generator} is for {self.side} pixels, but {wrong[0]} for {wrong[0].side}; use the same."
            )
        pairs = zip(self.critics, architectures, strict=True)
        critics = tuple(dataclasses.replace(critic, architecture=str(each)) for critic, each in pairs)
        object.__setattr__(self, "critics", critics)

    @property
    def origin(self) -> str:
        """The name of the source or teacher model; "" if there is none."""
        return getattr(self, self.origin_setting) if self.origin_setting else ""

    @property
    def needs_pictures(self) -> bool:
        """Whether the run needs pictures and a critic."""
        return True

    @property
    def uses_origin_critic(self) -> bool:
        """Whether the critic of the source or teacher takes part."""
        return False

    @property
    def side(self) -> int:
        """Side of the pictures, in pixels."""
        return parse_architecture(self.generator, "generator").side

    def without_effect(self) -> dict[str, str]:
        """The settings, by their names for users, that have no effect with these others, each with the reason."""
        found = {}
        if not any(critic.has_penalty for critic in self.critics):
            found["penalty"] = "with a loss that has no gradient penalty"
            found["penalty_every"] = "without a gradient penalty"
        if all(critic.batch_norm for critic in self.critics):
            found["critic_chunk"] = "with a critic whose batches cannot be split"
        if self.data.startswith(PREFIX):
            found["classes"] = "with faces that a model draws"
        return found

    def progress(self, steps: int, images: int, seconds: float) -> float:
        """The share of the budget that is spent; 1 or more at the end."""
        spent = ((self.steps, steps), (self.images, images), (self.minutes, seconds / 60))
        return max(done / budget for budget, done in spent if budget)

    def rate(self, progress: float) -> float:
        """The share of the learning rates that is left when a share `progress` of the budget is spent."""
        return falling_rate(progress, self.lr_decay)


def falling_rate(progress: float, share: float = 0.5) -> float:
    """The factor on a learning rate that falls to 0 by a cosine over the last `share` of a run."""
    falling = (progress - 1 + share) / share if share else 0.0
    return (1 + math.cos(math.pi * min(max(falling, 0.0), 1.0))) / 2
