"""The state of a training run: networks, optimisers, moving average, random generator, order of the data.

`State.tensors` and `State.restore` save and restore it exactly.
"""

import copy
import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ganopt.errors import UserError
from ganopt.models.devices import pick_device, send
from ganopt.models.networks import LATENT_SIZE, Critic, Generator, Network
from ganopt.models.sampling import from_bytes
from ganopt.training.adam import LeanAdam
from ganopt.training.adversarial.augment import horizontal_flip
from ganopt.training.adversarial.games import GAMES, RULES, Game, Rules
from ganopt.training.recipes import Recipe


@dataclass(frozen=True)
class Opponent:
    """A critic of the generator, with its optimiser, game and settings."""

    critic: Critic
    weight: float  # of its term in the generator's loss
    optimiser: LeanAdam
    game: Game
    penalty: float  # weight of the game's gradient penalty
    penalty_every: int  # critic updates from one penalty to the next
    augment: tuple[str, ...]
    name: str = ""  # suffix of its tensors and losses; "" for the first critic


class State:
    """A run, initially at step 0, with its networks and pictures, uint8 (N, 3, side, side).

    Raises UserError if the device is not available, or the pictures are too few for a batch or have the wrong size.
    """

    def __init__(
        self,
        recipe: Recipe,
        generator: Generator,
        critics: list[Critic],
        frozen: dict[str, nn.Module],
        pictures: Tensor | None,
    ):
        self.recipe = recipe
        self.device = pick_device(recipe.device)
        self.random = torch.Generator().manual_seed(recipe.seed)
        self.generator, self.frozen = generator, frozen
        trained: list[Network] = [generator, *critics]
        for network in trained:
            self._place(network)
            network.train()
            for stage in network.stages:
                if not any(parameter.requires_grad for parameter in stage.parameters()):
                    stage.eval()  # keeps the statistics of its BatchNorm
        for other in frozen.values():
            self._place(other)
        self.average = _average_of(generator)
        self.optimiser = self._adam(generator, recipe.lr_g, (recipe.beta1, recipe.beta2))
        self.opponents = [self._opponent(index, critic) for index, critic in enumerate(critics)]
        self.pictures = None if pictures is None else _checked(pictures, recipe).to(self.device)
        self.data_hash = "" if pictures is None else hashlib.sha256(pictures.contiguous().numpy().data).hexdigest()
        self.order, self.cursor = torch.empty(0, dtype=torch.int64), 0
        self.step, self.images, self.seconds = 0, 0, 0.0

    def _place(self, network: nn.Module) -> None:
        """Move a network to the device, in the memory format of the recipe."""
        memory_format = torch.channels_last if self.recipe.channels_last else torch.contiguous_format
        network.to(self.device, memory_format=memory_format)  # type: ignore[call-overload]

    def _opponent(self, index: int, critic: Critic) -> Opponent:
        """The first critic follows the recipe's settings, others the rules of their kind."""
        recipe, (_, weight), kind = self.recipe, self.recipe.critics[index], critic.architecture.kind
        if index:
            rules = RULES[kind]
        else:
            betas = (recipe.beta1, recipe.beta2)
            rules = Rules(recipe.loss, recipe.lr_d, betas, recipe.augment, recipe.penalty, recipe.penalty_every)
        return Opponent(
            critic,
            weight,
            self._adam(critic, rules.rate, rules.betas),
            GAMES[rules.loss],
            rules.penalty,
            rules.penalty_every,
            rules.augment,
            f"_{kind}" if index else "",
        )

    def _adam(self, network: nn.Module, rate: float, betas: tuple[float, float]) -> LeanAdam:
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        adam = LeanAdam(trained, rate, betas, fused=self.device.type in ("cpu", "cuda"))
        adam.param_groups[0]["initial_lr"] = rate
        return adam

    def decay_rates(self, progress: float) -> None:
        """Set the learning rates of the next step. `progress` is the share of the budget that is spent."""
        if self.recipe.lr_decay:
            factor = min(1.0, (1 - progress) / self.recipe.lr_decay)
            for optimiser in self._optimisers().values():
                optimiser.param_groups[0]["lr"] = optimiser.param_groups[0]["initial_lr"] * factor

    def autocast(self) -> torch.autocast:
        """Autocast to the precision of the recipe."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16")

    def real_batch(self) -> Tensor:
        """The next real pictures, float32 (batch, 3, side, side) in [-1, 1], shuffled in each pass over the data."""
        assert self.pictures is not None
        if self.cursor + self.recipe.batch > len(self.order):
            self.order, self.cursor = torch.randperm(len(self.pictures), generator=self.random), 0
        chosen = self.order[self.cursor : self.cursor + self.recipe.batch]
        self.cursor += self.recipe.batch
        pictures = from_bytes(self.pictures[send(chosen, self.device)])
        return horizontal_flip(pictures, self.random) if self.recipe.flip else pictures

    def latents(self) -> Tensor:
        """Fresh latents, (batch, 100, 1, 1)."""
        return send(torch.randn(self.recipe.batch, LATENT_SIZE, 1, 1, generator=self.random), self.device)

    @torch.no_grad()
    def update_average(self) -> None:
        """Update the moving average of the generator. Its decay is lower in the first steps."""
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        average, current = [], []
        for a, b in zip(self.average.state_dict().values(), self.generator.state_dict().values(), strict=True):
            if _same(a, b):  # a frozen layer
                continue
            if a.is_floating_point():
                average.append(a)
                current.append(b)
            else:
                a.copy_(b)
        get_ema_multi_avg_fn(decay)(average, current, self.step)

    def tensors(self) -> dict[str, Tensor]:
        """The state without the counters, as named CPU tensors."""
        tensors = {"random": self.random.get_state(), "order": self.order}
        generator = self.generator.state_dict()
        own = {name: value for name, value in self.average.state_dict().items() if not _same(value, generator[name])}
        groups = {"generator": generator, "average": own}
        groups |= {f"critic{opponent.name}": opponent.critic.state_dict() for opponent in self.opponents}
        for name, values in groups.items():
            tensors |= {f"{name}.{key}": value for key, value in values.items()}
        for name, optimiser in self._optimisers().items():
            for index, entries in optimiser.state_dict()["state"].items():
                tensors |= {f"{name}.{index}.{key}": value for key, value in entries.items()}
        return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}

    def _optimisers(self) -> dict[str, LeanAdam]:
        """The optimisers by the names under which they are saved."""
        critics = {f"optimiser_d{opponent.name}": opponent.optimiser for opponent in self.opponents}
        return {"optimiser_g": self.optimiser, **critics}

    def counters(self) -> dict[str, int | float | str]:
        return {
            "step": self.step,
            "images": self.images,
            "seconds": self.seconds,
            "cursor": self.cursor,
            "data": self.data_hash,
            "frozen": ",".join(opponent.critic.frozen_digest for opponent in self.opponents),
        }

    def restore(self, tensors: dict[str, Tensor], counters: dict[str, int | float | str]) -> None:
        """Restore a saved state. Raises UserError if its pictures or networks were different."""
        if counters["data"] != self.data_hash:
            raise UserError("The pictures have changed since the run was saved; restore them or start a new run.")
        try:
            self._restore(tensors, counters)
        except (RuntimeError, LookupError, TypeError, ValueError) as error:
            raise UserError(
                "The saved state does not fit the networks of config.json; restore that file or start a new run."
            ) from error
        if counters.get("frozen", own := self.counters()["frozen"]) != own:
            raise UserError("The run used another frozen network; restore that one or start a new run.")

    def _restore(self, tensors: dict[str, Tensor], counters: dict[str, int | float | str]) -> None:
        self.random.set_state(tensors["random"])
        self.order = tensors["order"]
        groups: dict[str, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            group, _, key = name.partition(".")
            groups.setdefault(group, {})[key] = value
        critics = {f"critic{opponent.name}" for opponent in self.opponents}
        if critics != {name for name in groups if name.startswith("critic")}:
            raise LookupError("other critics")
        groups["average"] = groups["generator"] | groups["average"]  # the average shares the generator's frozen layers
        self.generator.load_state_dict(groups["generator"])
        self.average.load_state_dict(groups["average"])
        for opponent in self.opponents:
            opponent.critic.load_state_dict(groups[f"critic{opponent.name}"])
        for name, optimiser in self._optimisers().items():
            entries: dict[int, dict[str, Tensor]] = {}
            for key, value in groups.get(name, {}).items():
                index, _, entry = key.partition(".")
                entries.setdefault(int(index), {})[entry] = value
            optimiser.load_state_dict({**optimiser.state_dict(), "state": entries})
            for parameter, moments in optimiser.state.items():  # fused Adam needs the memory layout of the parameter
                for key in ("exp_avg", "exp_avg_sq"):
                    moments[key] = torch.empty_like(parameter).copy_(moments[key])
        self.step, self.images = int(counters["step"]), int(counters["images"])
        self.seconds, self.cursor = float(counters["seconds"]), int(counters["cursor"])


def _average_of(generator: Generator) -> Generator:
    """A copy for the moving average, in evaluation mode. Frozen layers are shared."""
    frozen = {id(p): p for p in generator.parameters() if not p.requires_grad}
    buffers = {id(b): b for layer in generator.stages if not layer.training for b in layer.buffers()}
    return copy.deepcopy(generator, memo={**frozen, **buffers}).requires_grad_(False).eval()


def _same(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors share memory, as in the frozen layers of a generator and its average."""
    return first.data_ptr() == second.data_ptr()


def _checked(pictures: Tensor, recipe: Recipe) -> Tensor:
    if len(pictures) < recipe.batch:
        raise UserError(f"{len(pictures)} pictures are too few for batches of {recipe.batch}; use a smaller --batch.")
    if pictures.shape[1:] != (3, recipe.side, recipe.side):
        raise UserError(f"The pictures have the shape {tuple(pictures.shape[1:])}; use ones of {recipe.side} pixels.")
    return pictures
