"""Recipes: what a training run is, as frozen dataclasses that check themselves.

A recipe's fields are its whole description: they are written beside the weights and into them, and the command
line offers each as an option with the help given here.
"""

import dataclasses
import math
import types
from dataclasses import dataclass
from typing import Any, ClassVar, get_args, get_type_hints

from ganopt.errors import UserError
from ganopt.models.networks import CRITIC_KINDS, GENERATOR_KINDS, parse_architecture
from ganopt.training.augment import POLICIES
from ganopt.training.losses import ADVERSARIAL


def _option(default: Any, help: str, choices: tuple[str, ...] = (), low: float = -math.inf, high: float = math.inf):
    return dataclasses.field(default=default, metadata={"help": help, "choices": choices, "low": low, "high": high})


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What every run has in common. Raises UserError for a value that makes no sense."""

    name: ClassVar[str]
    epoch_steps: ClassVar[int] = 100  # generator updates in the thesis's unit of reporting

    data: str = _option("", "folder of pictures, or sample:MODEL for faces that a model of ours draws")
    classes: str = _option("", "use only the folders of this name, as in cat")
    generator: str = _option("big", "network: big, big/2, big/4, kd, shuffle/4, or smaller with @64, @32")
    critic: str = _option("critic", "network: critic, plain-critic, kd-critic, with /2, @64 and so on")
    loss: str = _option("r1", "adversarial loss", choices=tuple(ADVERSARIAL))
    penalty: float = _option(0.0, "weight of the loss's gradient penalty: lambda or gamma", low=0)
    penalty_every: int = _option(1, "critic updates from one gradient penalty to the next", low=1)
    critic_chunk: int = _option(0, "pictures that the critic judges at once: fewer, less memory; 0 for all", low=0)
    n_critic: int = _option(1, "critic updates to one of the generator", low=1, high=100)
    batch: int = _option(16, "pictures in a batch", low=2, high=4096)
    lr_g: float = _option(2e-4, "Adam's learning rate, generator", low=0)
    lr_d: float = _option(2e-4, "Adam's learning rate, critic", low=0)
    beta1: float = _option(0.0, "Adam's beta1", low=0, high=0.9999)
    beta2: float = _option(0.99, "Adam's beta2", low=0, high=0.99999)
    ema: float = _option(0.999, "decay of the generator's moving average; 0 for none", low=0, high=0.99999)
    augment: tuple[str, ...] = _option((), "DiffAugment: any of color,translation,cutout")
    flip: bool = _option(True, "mirror real pictures at random")
    precision: str = _option("float32", "arithmetic of the convolutions", choices=("float32", "bfloat16"))
    channels_last: bool = _option(False, "memory format channels-last, faster on CUDA")
    device: str = _option("auto", "auto, cpu, cuda, cuda:1, mps")
    seed: int = _option(0, "of the first weights and of every random draw", low=0, high=2**32 - 1)
    steps: int | None = _option(None, "budget in generator updates", low=1, high=1e12)
    images: int | None = _option(None, "budget in real pictures seen by the critic", low=1, high=1e12)
    minutes: float | None = _option(None, "budget in minutes of training", low=1e-6, high=1e6)
    preview_every: int = _option(100, "steps from one drawing of the six fixed latents to the next", low=1)
    save_every: int = _option(500, "steps from one save to the next", low=1)
    snapshots: int = _option(0, "copies of the generator to keep on the way, evenly over the budget", low=0, high=1000)
    live_fids: int = _option(0, "times to measure fid100 on the way, evenly over the budget", low=0, high=1000)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(type(self), field.name, getattr(self, field.name), field.metadata)
        generator = parse_architecture(self.generator, GENERATOR_KINDS)
        critic = parse_architecture(self.critic, CRITIC_KINDS)
        if "@" not in self.critic:  # it judges what the generator draws
            critic = dataclasses.replace(critic, side=generator.side)
            object.__setattr__(self, "critic", str(critic))
        if generator.side != critic.side:
            raise UserError(f"{self.generator} draws {generator.side} pixels, but {self.critic} judges {critic.side}.")
        if unknown := set(self.augment) - set(POLICIES):
            raise UserError(f"'{min(unknown)}' is no augmentation; take any of {', '.join(POLICIES)}.")
        if self.steps is self.images is self.minutes is None:
            raise UserError("The run needs a budget: give steps, images or minutes.")

    @property
    def needs_pictures(self) -> bool:
        """Whether it trains on pictures at all."""
        return True

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
    loss: str = _option("wgan-gp", "adversarial loss", choices=tuple(ADVERSARIAL))
    penalty: float = _option(10.0, "lambda of the gradient penalty", low=0)
    n_critic: int = _option(8, "critic updates to one of the generator", low=1, high=100)
    lr_g: float = _option(5e-4, "Adam's learning rate, generator", low=0)
    lr_d: float = _option(5e-4, "Adam's learning rate, critic", low=0)
    beta2: float = _option(0.999, "Adam's beta2", low=0, high=0.99999)


@dataclass(frozen=True, kw_only=True)
class Dcgan(Recipe):
    """DCGAN (Radford et al. 2016): the logistic loss without a penalty."""

    name: ClassVar[str] = "dcgan"
    loss: str = _option("dcgan", "adversarial loss", choices=tuple(ADVERSARIAL))
    critic: str = _option("kd-critic", "network: critic, plain-critic, kd-critic, with /2, @64 and so on")
    beta1: float = _option(0.5, "Adam's beta1", low=0, high=0.9999)
    beta2: float = _option(0.999, "Adam's beta2", low=0, high=0.99999)


@dataclass(frozen=True, kw_only=True)
class R1(Recipe):
    """Non-saturating logistic loss with lazy R1 (Mescheder et al. 2018; Karras et al. 2020), tuned for small sets."""

    name: ClassVar[str] = "r1"
    critic: str = _option("plain-critic", "network: critic, plain-critic, kd-critic, with /2, @64 and so on")
    penalty: float = _option(0.4, "gamma of R1", low=0)
    penalty_every: int = _option(8, "critic updates from one gradient penalty to the next", low=1)
    lr_g: float = _option(5e-4, "Adam's learning rate, generator", low=0)
    lr_d: float = _option(5e-4, "Adam's learning rate, critic", low=0)
    augment: tuple[str, ...] = _option(("color", "translation"), "DiffAugment: any of color,translation,cutout")


@dataclass(frozen=True, kw_only=True)
class R3(R1):
    """Relativistic pairing loss with zero-centred R1 and R2 at every update (R3GAN, Huang et al. 2024)."""

    name: ClassVar[str] = "r3"
    loss: str = _option("r3", "adversarial loss", choices=tuple(ADVERSARIAL))
    penalty: float = _option(0.4, "gamma of R1 and R2", low=0)
    penalty_every: int = _option(1, "critic updates from one gradient penalty to the next", low=1)
    lr_g: float = _option(2e-4, "Adam's learning rate, generator", low=0)
    lr_d: float = _option(2e-4, "Adam's learning rate, critic", low=0)


@dataclass(frozen=True, kw_only=True)
class Transfer(WganGp):
    """Go on from a trained model on other pictures, its first layers frozen; the networks are the source's."""

    name: ClassVar[str] = "transfer"
    source: str = _option("", "model to start from: a name, a file or user/repo")
    freeze_g: int = _option(2, "first generator layers to freeze", low=0, high=5)
    critic_chunk: int = _option(4, "pictures that the critic judges at once: fewer, less memory; 0 for all", low=0)
    freeze_d: int = _option(4, "first critic layers to freeze", low=0, high=5)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.source:
            raise UserError("A transfer needs a source; name a model, as in --source cats-teacher.")


@dataclass(frozen=True, kw_only=True)
class Distill(Dcgan):
    """Train a student to draw what a frozen teacher draws: alpha * adversarial + (1 - alpha) * (pixel + feature)."""

    name: ClassVar[str] = "distill"
    generator: str = _option("kd", "the student: kd, big/4, shuffle/4 and so on")
    batch: int = _option(8, "pictures in a batch", low=2, high=4096)
    lr_g: float = _option(5e-4, "Adam's learning rate, generator", low=0)
    lr_d: float = _option(5e-4, "Adam's learning rate, critic", low=0)
    beta1: float = _option(0.0, "Adam's beta1", low=0, high=0.9999)
    critic_chunk: int = _option(4, "pictures that the critic judges at once: fewer, less memory; 0 for all", low=0)
    teacher: str = _option("", "model to imitate: a name, a file or user/repo")
    alpha: float = _option(0.05, "weight of the adversarial term, 0 to 1", low=0, high=1)
    pixel: str = _option("mse", "pixel term", choices=("mse", "l1"))
    feature: float = _option(0.0, "weight of the feature term on the teacher's critic", low=0)
    inherit: bool = _option(False, "start from the teacher's most used channels")
    inherit_critic: bool = _option(False, "go on with the teacher's critic (Li et al. 2020), of its build")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.teacher:
            raise UserError("A distillation needs a teacher; name a model, as in --teacher cats-teacher.")

    @property
    def needs_pictures(self) -> bool:
        """Whether there is a critic, which judges real ones, too."""
        return self.alpha > 0


RECIPES: dict[str, type[Recipe]] = {kind.name: kind for kind in (WganGp, Dcgan, R1, R3, Transfer, Distill)}
SCRATCH_RECIPES = [name for name, kind in RECIPES.items() if not issubclass(kind, (Transfer, Distill))]


def describe(recipe: Recipe) -> dict[str, Any]:
    """A recipe as plain values, for JSON; `parse` reads it back."""
    return {"recipe": recipe.name, **dataclasses.asdict(recipe)}


def parse(values: dict[str, Any]) -> Recipe:
    """The recipe that `describe` wrote down. Raises UserError for one that it did not write."""
    values = dict(values)
    kind = RECIPES.get(str(values.pop("recipe", "")))
    if kind is None:
        raise UserError(f"That names no recipe; take one of {', '.join(RECIPES)}.")
    if unknown := set(values) - {field.name for field in dataclasses.fields(kind)}:
        raise UserError(f"The recipe {kind.name} has no setting '{min(unknown)}'.")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    return kind(**values)


def argv(recipe: Recipe) -> list[str]:
    """The arguments of the command line that make a recipe; settings that are its defaults are left out."""
    arguments = ["train", "--recipe", recipe.name] if recipe.name in SCRATCH_RECIPES else [recipe.name]
    for field in dataclasses.fields(recipe):
        value, option = getattr(recipe, field.name), f"--{field.name.replace('_', '-')}"
        if value == field.default:
            continue
        if isinstance(value, bool):
            arguments.append(option if value else f"--no-{option[2:]}")
        else:
            arguments += [option, ",".join(value) if isinstance(value, tuple) else str(value)]
    return arguments


def option_type(kind: type[Recipe], name: str) -> type:
    """The plain type of a setting: `int` for `int | None`."""
    hint = get_type_hints(kind)[name]
    return get_args(hint)[0] if isinstance(hint, types.UnionType) else hint


def _check(kind: type[Recipe], name: str, value: Any, metadata: Any) -> None:
    option = f"--{name.replace('_', '-')}"
    if not _is_of_type(value, get_type_hints(kind)[name]):
        raise UserError(f"'{value}' is no value for {option}; take {_TYPES[option_type(kind, name)]}.")
    if metadata["choices"] and value not in metadata["choices"]:
        raise UserError(f"'{value}' is no value for {option}; take one of {', '.join(metadata['choices'])}.")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = metadata["low"], metadata["high"]
        if not (math.isfinite(value) and low <= value <= high):
            bounds = f"from {low:g}" + (f" to {high:g}" if math.isfinite(high) else "")
            raise UserError(f"{option} is {value:g}; take a number {bounds}.")


_TYPES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", tuple[str, ...]: "a list"}


def _is_of_type(value: Any, hint: Any) -> bool:
    if isinstance(hint, types.UnionType):
        return any(_is_of_type(value, part) for part in get_args(hint))
    if hint == tuple[str, ...]:
        return isinstance(value, tuple) and all(isinstance(name, str) for name in value)
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)
