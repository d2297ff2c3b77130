"""The state of a training run: networks, optimisers, moving average, random generator, order of the data.

`State.tensors` and `State.restore` save and restore it exactly.
"""

import copy
import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ganopt import distributed
from ganopt.data.real_pictures import RealPictures, Source
from ganopt.errors import UserError
from ganopt.models.devices import pick_device, send
from ganopt.models.networks import LATENT_SIZE, Critic, Generator, Network
from ganopt.models.sampling import from_bytes
from ganopt.training.adam import LeanAdam
from ganopt.training.augment import horizontal_flip
from ganopt.training.losses import LOSSES, AdversarialLoss
from ganopt.training.recipes import CriticSettings, Recipe


@dataclass(frozen=True)
class Networks:
    """The initial networks of a run. Frozen parameters have `requires_grad=False`."""

    generator: Generator
    critics: list[Critic]  # empty if there is no adversarial loss
    frozen: dict[str, nn.Module] = field(default_factory=dict)  # further networks, which are not trained, by name


@dataclass(frozen=True)
class TrainedCritic:
    """A critic with its settings and optimiser."""

    network: Critic
    settings: CriticSettings
    optimiser: LeanAdam
    suffix: str  # of the names of its tensors and losses; "" for the first critic

    @property
    def loss(self) -> AdversarialLoss:
        """Its losses."""
        return LOSSES[self.settings.loss]

    @property
    def chunk(self) -> int:
        """Pictures in a chunk; 0 for the whole batch."""
        return 0 if self.settings.batch_norm else self.settings.chunk


# from a state, latents (N, 100, 1, 1) and their pictures (N, 3, side, side): the generator's loss, its terms by name
Loss = Callable[["State", Tensor, Tensor], tuple[Tensor, dict[str, Tensor]]]


class State:
    """A run, initially at step 0, with its networks and pictures, uint8 (N, 3, side, side).

    Raises UserError if the device is not available, or the pictures are too few for a batch or have the wrong size.
    """

    def __init__(self, recipe: Recipe, networks: Networks, pictures: Source | None, loss: Loss):
        self.recipe, self.generator_loss = recipe, loss
        self.device = pick_device(recipe.device)
        self.random = torch.Generator().manual_seed(recipe.seed)
        self.generator, self.frozen = networks.generator, networks.frozen
        trained: list[Network] = [networks.generator, *networks.critics]
        for network in trained:
            self._move(network)
            distributed.share_statistics(network)
            network.train()
            for stage in network.stages:
                if not any(parameter.requires_grad for parameter in stage.parameters()):
                    stage.eval()  # keeps the statistics of its BatchNorm
        for other in self.frozen.values():
            self._move(other)
        self.average = _average_of(self.generator)
        self.optimiser = self._adam(self.generator, recipe.lr_g, (recipe.beta1, recipe.beta2))
        self.critics = [self._trained(index, critic) for index, critic in enumerate(networks.critics)]
        self.pictures = None if pictures is None else RealPictures(pictures, recipe.batch, recipe.side, self.device)
        self.data_hash = self.pictures.hash if self.pictures else ""
        self.order, self.cursor = torch.empty(0, dtype=torch.int64), 0
        self.step, self.images, self.seconds = 0, 0, 0.0
        self.rate = 1.0  # the share of the learning rates that is left

    def _move(self, network: nn.Module) -> None:
        """Move a network to the device, in the memory format of the recipe."""
        memory_format = torch.channels_last if self.recipe.channels_last else torch.contiguous_format
        network.to(self.device, memory_format=memory_format)  # type: ignore[call-overload]

    def _trained(self, index: int, critic: Critic) -> TrainedCritic:
        settings = self.recipe.critics[index]
        optimiser = self._adam(critic, settings.lr, (settings.beta1, settings.beta2))
        again = settings.kind in (other.kind for other in self.recipe.critics[1:index])
        suffix = f"_{settings.kind}" + (f"_{index + 1}" if again else "") if index else ""
        return TrainedCritic(critic, settings, optimiser, suffix)

    def _adam(self, network: nn.Module, rate: float, betas: tuple[float, float]) -> LeanAdam:
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        adam = LeanAdam(trained, rate, betas, fused=self.device.type in ("cpu", "cuda"))
        adam.param_groups[0]["initial_lr"] = rate
        return adam

    def decay_rates(self, progress: float) -> None:
        """Set the learning rates of the next step. `progress` is the share of the budget that is spent.

        They are constant until the last share `lr_decay` of the budget, then fall to 0 by a cosine, and never rise.
        """
        self.rate = min(self.rate, self.recipe.rate(progress))
        for optimiser in self._optimisers().values():
            optimiser.param_groups[0]["lr"] = optimiser.param_groups[0]["initial_lr"] * self.rate

    def autocast(self) -> torch.autocast:
        """Autocast to the precision of the recipe."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16")

    def real_batch(self) -> Tensor:
        """The next real pictures, float32 (share, 3, side, side) in [-1, 1], shuffled in each pass over the data.

        `share` is this process's share of the batch: all of it, unless there are several processes.
        """
        assert self.pictures is not None
        if self.cursor + self.recipe.batch > len(self.order):
            self.order, self.cursor = torch.randperm(len(self.pictures), generator=self.random), 0
        chosen = self.order[self.cursor : self.cursor + self.recipe.batch]
        self.cursor += self.recipe.batch
        pictures = from_bytes(self.pictures[distributed.share(chosen)])
        return horizontal_flip(pictures, self.random) if self.recipe.flip else pictures

    def latents(self) -> Tensor:
        """This process's share of fresh latents for a batch, (share, 100, 1, 1)."""
        batch = torch.randn(self.recipe.batch, LATENT_SIZE, 1, 1, generator=self.random)
        return send(distributed.share(batch), self.device)

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
        groups |= {f"critic{critic.suffix}": critic.network.state_dict() for critic in self.critics}
        for name, values in groups.items():
            tensors |= {f"{name}.{key}": value for key, value in values.items()}
        for name, optimiser in self._optimisers().items():
            for index, entries in optimiser.state_dict()["state"].items():
                tensors |= {f"{name}.{index}.{key}": value for key, value in entries.items()}
        return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}

    def _optimisers(self) -> dict[str, LeanAdam]:
        """The optimisers by the names under which they are saved."""
        critics = {f"optimiser_d{critic.suffix}": critic.optimiser for critic in self.critics}
        return {"optimiser_g": self.optimiser, **critics}

    @functools.cached_property
    def origin_hash(self) -> str:
        """The SHA-256 of the networks that are not trained, as the teacher."""
        digest = hashlib.sha256()
        for tensor in nn.ModuleDict(self.frozen).state_dict().values():
            digest.update(tensor.cpu().contiguous().numpy().data)
        return digest.hexdigest()

    def counters(self) -> dict[str, int | float | str]:
        return {
            "step": self.step,
            "images": self.images,
            "seconds": self.seconds,
            "cursor": self.cursor,
            "data": self.data_hash,
            "rate": self.rate,
            "frozen": ",".join(critic.network.frozen_digest for critic in self.critics),
            "origin": self.origin_hash,
        }

    def restore(self, tensors: dict[str, Tensor], counters: dict[str, int | float | str]) -> None:
        """Restore a saved state. Raises UserError if its pictures or networks were different."""
        if counters["data"] != self.data_hash:
            raise UserError("The pictures have changed since the run was saved; restore them or start a new run.")
        if counters.get("origin", self.origin_hash) != self.origin_hash:
            name = f"{self.recipe.origin_setting} {self.recipe.origin}"
            raise UserError(f"The {name} has changed since the run was saved; restore it or start a new run.")
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
        critics = {f"critic{critic.suffix}" for critic in self.critics}
        if critics != {name for name in groups if name.startswith("critic")}:
            raise LookupError("other critics")
        groups["average"] = groups["generator"] | groups["average"]  # the average shares the generator's frozen layers
        self.generator.load_state_dict(groups["generator"])
        self.average.load_state_dict(groups["average"])
        for critic in self.critics:
            critic.network.load_state_dict(groups[f"critic{critic.suffix}"])
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
        self.rate = float(counters.get("rate", 1.0))


def _average_of(generator: Generator) -> Generator:
    """A copy for the moving average, in evaluation mode. Frozen layers are shared."""
    frozen = {id(p): p for p in generator.parameters() if not p.requires_grad}
    buffers = {id(b): b for layer in generator.stages if not layer.training for b in layer.buffers()}
    return copy.deepcopy(generator, memo={**frozen, **buffers}).requires_grad_(False).eval()


def _same(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors share memory, as in the frozen layers of a generator and its average."""
    return first.data_ptr() == second.data_ptr()
