"""Transfer: fine-tune a trained model on other pictures, with its first layers frozen (the thesis)."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from ganopt.errors import UserError
from ganopt.models import zoo
from ganopt.models.growing import deeper, grown
from ganopt.models.networks import Network, build_critic, parse_architecture
from ganopt.models.widening import widened, wider
from ganopt.training.methods import registry
from ganopt.training.methods.presets import WGAN_GP, WGAN_GP_EPOCH
from ganopt.training.methods.registry import Method, architecture_of, new_networks
from ganopt.training.recipes import Recipe, setting
from ganopt.training.state import Networks


@dataclass(frozen=True, kw_only=True)
class Transfer(Recipe):
    """The settings of a transfer. The generator and the first critic are the source's; see `zoo.find_critic`."""

    origin_setting: ClassVar[str] = "source"
    generator_from_origin: ClassVar[bool] = True
    generator: str = setting("", "network, which is that of the source, widened and grown as asked")
    source: str = setting("", "model to start from: a name, a file or user/repo", is_model=True, at_start=True)
    widen: int = setting(1, "factor for the generator's widths; at first, it draws the same (Net2Net)", low=1, high=64)
    grow: bool = setting(False, "add residual blocks to the generator (big or kd); at first, it draws the same")
    freeze_g: int = setting(2, "first generator layers to freeze", low=0, high=5)
    freeze_d: int = setting(4, "first layers of the first critic to freeze", low=0, high=5)

    @property
    def uses_origin_critic(self) -> bool:
        return True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.source:
            raise UserError("Transfer needs a source; name a model, as in --source cats-teacher.")


def _resolve(recipe: Transfer) -> Transfer:
    generator = wider(parse_architecture(architecture_of(recipe.source, "generator")), recipe.widen)
    generator = deeper(generator) if recipe.grow else generator
    if recipe.generator and parse_architecture(recipe.generator) != generator:
        raise UserError(f"The generator of this transfer is a {generator}, not a {recipe.generator}; do not name one.")
    critics = registry.with_first_critic(recipe, architecture_of(recipe.source, "critic"))
    return dataclasses.replace(recipe, generator=str(generator), critics=critics)


def _networks(recipe: Transfer) -> Networks:
    generator, critic = widened(zoo.load(recipe.source), recipe.widen, recipe.seed), zoo.load_critic(recipe.source)
    if recipe.grow:
        generator = grown(generator, recipe.seed)
    others = [build_critic(each.architecture) for each in recipe.critics[1:]]
    return _frozen(recipe, Networks(generator, [critic, *others]))


def _saved_networks(recipe: Transfer) -> Networks:
    return _frozen(recipe, new_networks(recipe))


def _frozen(recipe: Transfer, networks: Networks) -> Networks:
    _freeze(networks.generator, recipe.freeze_g, "--freeze-g")
    _freeze(networks.critics[0], recipe.freeze_d, "--freeze-d")
    return networks


def _freeze(network: Network, count: int, option: str) -> None:
    """Freeze the first stages. Raises UserError if none would be left to train."""
    most = max(len(network.stages) - 1, 0)
    if count > most:
        raise UserError(
            f"{network.architecture} has {len(network.stages)} layers, of which at most {most} can be frozen; "
            f"use {option} {most}."
        )
    network.stages[:count].requires_grad_(False)


registry.register(
    Method(
        name="transfer",
        title="Transfer: fine-tune a trained model on other pictures",
        recipe=Transfer,
        defaults=WGAN_GP | {"critic_chunk": 4},
        networks=_networks,
        saved_networks=_saved_networks,
        resolve=_resolve,
        labels={"freeze_g": "Frozen generator layers", "freeze_d": "Frozen critic layers"},
        epoch_steps=WGAN_GP_EPOCH,
    )
)
