"""Transfer: fine-tune a trained model on other pictures, with its first layers frozen (the thesis)."""

from dataclasses import dataclass
from typing import ClassVar

from ganopt.errors import UserError
from ganopt.models import zoo
from ganopt.models.growing import deeper, grown
from ganopt.models.networks import Network, build_critic, parse_architecture
from ganopt.models.widening import widened, wider
from ganopt.training.methods.registry import Method, Networks, architecture_of, first_critic, register
from ganopt.training.recipes import WganGp
from ganopt.training.settings import setting


@dataclass(frozen=True, kw_only=True)
class Transfer(WganGp):
    """Fine-tune a trained model on other pictures with its first layers frozen; the networks are the source's."""

    name: ClassVar[str] = "transfer"
    origin_setting: ClassVar[str] = "source"
    source: str = setting("", "model to start from: a name, a file or user/repo", is_model=True)
    widen: int = setting(1, "factor for the generator's widths; at first, it draws the same (Net2Net)", low=1, high=64)
    grow: bool = setting(False, "add residual blocks to the generator (big or kd); at first, it draws the same")
    freeze_g: int = setting(2, "first generator layers to freeze", low=0, high=5)
    critic_chunk: int = setting(4, "pictures in a critic's chunk; fewer need less memory; 0 for the whole batch", low=0)
    freeze_d: int = setting(4, "first critic layers to freeze", low=0, high=5)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.source:
            raise UserError("Transfer needs a source; name a model, as in --source cats-teacher.")


def _architectures(recipe: Transfer) -> dict[str, str]:
    critic = first_critic(recipe, architecture_of(recipe.source, "critic"))
    generator = parse_architecture(architecture_of(recipe.source, "generator"))
    generator = wider(generator, recipe.widen)
    return {"generator": str(deeper(generator) if recipe.grow else generator), "critic": critic}


def _networks(recipe: Transfer) -> Networks:
    generator, critic = widened(zoo.load(recipe.source), recipe.widen, recipe.seed), zoo.load_critic(recipe.source)
    if recipe.grow:
        generator = grown(generator, recipe.seed)
    _freeze(generator, recipe.freeze_g)
    _freeze(critic, recipe.freeze_d)
    return Networks(generator, [critic, *(build_critic(name) for name, _ in recipe.critics[1:])])


def _freeze(network: Network, count: int) -> None:
    """Freeze the first stages. Raises UserError if none would be left to train."""
    if count >= len(network.stages):
        raise UserError(f"{network.architecture} has {len(network.stages)} layers; freeze fewer than that.")
    network.stages[:count].requires_grad_(False)


register(
    Method(Transfer, "Transfer: fine-tune a trained model on other pictures", _networks, architectures=_architectures)
)
