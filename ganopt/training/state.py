"""Everything a training run is at one step: networks, optimisers, moving average, random stream, data order.

`State.tensors` and `State.restore` are the two ends of an exact save.
"""

import copy
import dataclasses
import hashlib
import re
from inspect import unwrap
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

from ganopt.errors import UserError
from ganopt.models import weights, zoo
from ganopt.models.networks import LATENT_SIZE, Critic, Generator, build_critic, build_generator
from ganopt.models.pruning import inherit_channels
from ganopt.models.sampling import from_bytes
from ganopt.training.augment import horizontal_flip
from ganopt.training.recipes import Distill, Recipe, Transfer


class _Adam(Adam):
    """Torch's own, without the wrappers that keep it from being compiled, which nothing here does.

    At the first call they import the compiler: that is half of the time in which a run starts.
    """

    step = torch.no_grad()(unwrap(Adam.step))
    add_param_group, zero_grad = unwrap(Adam.add_param_group), unwrap(Adam.zero_grad)
    state_dict, load_state_dict = unwrap(Adam.state_dict), unwrap(Adam.load_state_dict)


class State:
    """A run at step 0, from its recipe and its pictures, uint8 (N, 3, side, side).

    Raises UserError where source or teacher do not fit the recipe, or the pictures are too few for a batch.
    """

    def __init__(self, recipe: Recipe, pictures: Tensor | None):
        self.recipe = recipe = resolved(recipe)
        self.device = pick_device(recipe.device)
        self.random = torch.Generator().manual_seed(recipe.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.generator, self.critic = _networks(recipe)
        self.teacher, self.teacher_critic = _teachers(recipe, self.generator)
        self._place()
        self.average = _average_of(self.generator)
        self.optimiser_g = self._adam(self.generator, recipe.lr_g)
        self.optimiser_d = self._adam(self.critic, recipe.lr_d)
        self.pictures = None if pictures is None else _checked(pictures, recipe).to(self.device)
        self.data_hash = "" if pictures is None else hashlib.sha256(pictures.contiguous().numpy().data).hexdigest()
        self.order, self.cursor = torch.empty(0, dtype=torch.int64), 0
        self.step, self.images, self.seconds = 0, 0, 0.0

    def _place(self) -> None:
        """Networks on the device and in their modes; what is frozen is in evaluation mode."""
        memory_format = torch.channels_last if self.recipe.channels_last else torch.contiguous_format
        for network in filter(None, (self.generator, self.critic, self.teacher, self.teacher_critic)):
            network.to(self.device, memory_format=memory_format)  # type: ignore[call-overload]
        self.generator.train()
        self.critic.train()
        for network in (self.generator, self.critic):
            for layer in network.layers:
                if not any(parameter.requires_grad for parameter in layer.parameters()):
                    layer.eval()

    def _adam(self, network: nn.Module, rate: float) -> Adam:
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        fused = self.device.type in ("cpu", "cuda")
        return _Adam(trained, rate, (self.recipe.beta1, self.recipe.beta2), fused=fused)

    def real_batch(self) -> Tensor:
        """The next real pictures, float32 (batch, 3, side, side) in [-1, 1]; each picture once an epoch."""
        assert self.pictures is not None
        if self.cursor + self.recipe.batch > len(self.order):
            self.order, self.cursor = torch.randperm(len(self.pictures), generator=self.random), 0
        chosen = self.order[self.cursor : self.cursor + self.recipe.batch]
        self.cursor += self.recipe.batch
        self.images += self.recipe.batch
        pictures = from_bytes(self.pictures[chosen.to(self.device)])
        return horizontal_flip(pictures, self.random) if self.recipe.flip else pictures

    def latents(self) -> Tensor:
        """Fresh latents, (batch, 100, 1, 1)."""
        return torch.randn(self.recipe.batch, LATENT_SIZE, 1, 1, generator=self.random).to(self.device)

    @torch.no_grad()
    def update_average(self) -> None:
        """Move the average towards the generator; its decay warms up, so that early steps count."""
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
        torch._foreach_lerp_(average, current, 1 - decay)

    def tensors(self) -> dict[str, Tensor]:
        """The whole state but for the counters, as named CPU tensors."""
        tensors = {"random": self.random.get_state(), "order": self.order}
        generator = self.generator.state_dict()
        own = {name: value for name, value in self.average.state_dict().items() if not _same(value, generator[name])}
        for name, values in (("generator", generator), ("critic", self.critic.state_dict()), ("average", own)):
            tensors |= {f"{name}.{key}": value for key, value in values.items()}
        for name, optimiser in (("optimiser_g", self.optimiser_g), ("optimiser_d", self.optimiser_d)):
            for index, entries in optimiser.state_dict()["state"].items():
                tensors |= {f"{name}.{index}.{key}": value for key, value in entries.items()}
        return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}

    def counters(self) -> dict[str, int | float | str]:
        return {
            "step": self.step,
            "images": self.images,
            "seconds": self.seconds,
            "cursor": self.cursor,
            "data": self.data_hash,
        }

    def restore(self, tensors: dict[str, Tensor], counters: dict[str, int | float | str]) -> None:
        """Become the state that was saved. Raises UserError if it was of other pictures or networks."""
        if counters["data"] != self.data_hash:
            raise UserError("The pictures have changed since the run was saved; restore them or start a new run.")
        try:
            self._restore(tensors, counters)
        except (RuntimeError, LookupError, TypeError, ValueError) as error:
            raise UserError("The saved state is not of these networks; restore config.json or start anew.") from error

    def _restore(self, tensors: dict[str, Tensor], counters: dict[str, int | float | str]) -> None:
        self.random.set_state(tensors["random"])
        self.order = tensors["order"]
        groups: dict[str, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            group, _, key = name.partition(".")
            groups.setdefault(group, {})[key] = value
        groups["average"] = groups["generator"] | groups["average"]  # which shares its frozen layers
        for name, network in (("generator", self.generator), ("critic", self.critic), ("average", self.average)):
            network.load_state_dict(groups[name])
        for name, optimiser in (("optimiser_g", self.optimiser_g), ("optimiser_d", self.optimiser_d)):
            entries: dict[int, dict[str, Tensor]] = {}
            for key, value in groups.get(name, {}).items():
                index, _, entry = key.partition(".")
                entries.setdefault(int(index), {})[entry] = value
            optimiser.load_state_dict({**optimiser.state_dict(), "state": entries})
            for parameter, moments in optimiser.state.items():  # fused Adam needs the layout of the parameter
                for key in ("exp_avg", "exp_avg_sq"):
                    moments[key] = torch.empty_like(parameter).copy_(moments[key])
        self.step, self.images = int(counters["step"]), int(counters["images"])
        self.seconds, self.cursor = float(counters["seconds"]), int(counters["cursor"])


def resolved(recipe: Recipe) -> Recipe:
    """The recipe with the networks that it will train: a transfer's are its source's, a critic may be the teacher's."""
    origins: dict[zoo.Kind, str] = {}
    if isinstance(recipe, Transfer):
        origins = {"generator": recipe.source, "critic": recipe.source}
    elif isinstance(recipe, Distill) and recipe.inherit_critic:
        origins = {"critic": recipe.teacher}
    names: dict[str, Any] = {}
    for kind, origin in origins.items():
        path = zoo.locate(origin, kind)
        names[kind] = str(weights.read_architecture(weights.read_metadata(path), str(path)))
    return dataclasses.replace(recipe, **names)


def check(recipe: Recipe) -> None:
    """Raise UserError where the device is not there, or source or teacher do not fit the recipe."""
    recipe = resolved(recipe)
    pick_device(recipe.device)
    generator, _ = _networks(recipe)
    _teachers(recipe, generator)


def pick_device(name: str) -> torch.device:
    """`auto` takes CUDA, then MPS, then the CPU. Raises UserError for a device that is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    sentence = f"There is no device '{name}' here; take cpu, or auto."
    if not re.fullmatch(r"cpu|mps|cuda(:[0-9]{1,3})?", name):
        raise UserError(sentence)
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise UserError(sentence) from error
    return torch.device(name)


def _networks(recipe: Recipe) -> tuple[Generator, Critic]:
    if not isinstance(recipe, Transfer):
        generator = build_generator(recipe.generator)
        if isinstance(recipe, Distill) and recipe.inherit_critic:
            return generator, zoo.load_critic(recipe.teacher)
        return generator, build_critic(recipe.critic)
    generator, critic = zoo.load(recipe.source), zoo.load_critic(recipe.source)
    for network, count in ((generator, recipe.freeze_g), (critic, recipe.freeze_d)):
        if count >= len(network.layers):
            raise UserError(f"{network.architecture} has {len(network.layers)} layers; freeze fewer than that.")
        network.layers[:count].requires_grad_(False)
    return generator, critic


def _teachers(recipe: Recipe, student: Generator) -> tuple[Generator | None, Critic | None]:
    if not isinstance(recipe, Distill):
        return None, None
    teacher = zoo.load(recipe.teacher).requires_grad_(False)
    if teacher.architecture.side != recipe.side:
        raise UserError(f"The teacher draws {teacher.architecture.side} pixels and the student {recipe.side}.")
    critic = zoo.load_critic(recipe.teacher).requires_grad_(False) if recipe.feature else None
    if recipe.inherit:
        inherit_channels(student, teacher)
    return teacher, critic


def _average_of(generator: Generator) -> Generator:
    """A copy for the moving average, in evaluation mode; frozen layers are shared, not copied."""
    frozen = {id(p): p for p in generator.parameters() if not p.requires_grad}
    buffers = {id(b): b for layer in generator.layers if not layer.training for b in layer.buffers()}
    return copy.deepcopy(generator, memo={**frozen, **buffers}).requires_grad_(False).eval()


def _same(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors are one in memory, as the frozen layers of a generator and of its average."""
    return first.data_ptr() == second.data_ptr()


def _checked(pictures: Tensor, recipe: Recipe) -> Tensor:
    if len(pictures) < recipe.batch:
        raise UserError(f"{len(pictures)} pictures are too few for batches of {recipe.batch}; lower --batch.")
    if pictures.shape[1:] != (3, recipe.side, recipe.side):
        raise UserError(f"The pictures have the shape {tuple(pictures.shape[1:])}; their side must be {recipe.side}.")
    return pictures
