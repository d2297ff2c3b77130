"""One training step, from top to bottom: the updates of the critics, then that of the generator."""

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ganopt import distributed
from ganopt.models.sampling import from_bytes
from ganopt.training.augment import diff_augment
from ganopt.training.recompute import Recomputed
from ganopt.training.state import State, TrainedCritic


def train_step(state: State) -> dict[str, Tensor]:
    """`n_critic` updates of the critics, if there are any, one of the generator and its average; returns the losses."""
    losses: dict[str, Tensor] = {}
    shared = draw(state) if state.recipe.share_fakes and state.critics else None
    if state.critics:
        count = state.recipe.n_critic
        for index, fake in enumerate([shared[1].detach()] if shared else draw_without_gradients(state, count)):
            losses |= update_critics(state, fake, state.step * count + index)
    losses |= update_generator(state, *(shared or draw(state)))
    state.update_average()
    distributed.average(list(losses.values()))
    return losses


def draw(state: State) -> tuple[Tensor, Tensor]:
    """Fresh latents and their pictures with a graph: (batch, 100, 1, 1) and float32 (batch, 3, side, side)."""
    z = state.latents()
    with state.autocast():
        return z, state.generator(z).float()


def draw_without_gradients(state: State, count: int) -> list[Tensor]:
    """Batches of generated pictures for the critics, float32 (batch, 3, side, side).

    The generator does not change between critic updates, so autocast casts its weights once for all batches.
    """
    with torch.no_grad(), state.autocast():
        return [state.generator(state.latents()).float() for _ in range(count)]


def update_critics(state: State, fake: Tensor, number: int) -> dict[str, Tensor]:
    """Update each critic once, on the next real pictures. `number` counts the updates, for lazy penalties.

    If the scores of a critic do not depend on the other pictures of a batch, the batch is split into chunks, which
    gives the same gradients in less memory.
    """
    losses: dict[str, Tensor] = {}
    real = state.real_batch()
    state.images += state.recipe.batch
    for critic in state.critics:
        reals, fakes = augmented(state, critic, real), augmented(state, critic, fake)
        chunk = critic.chunk or len(real)
        for real_part, fake_part in zip(reals.split(chunk), fakes.split(chunk), strict=True):
            terms = add_critic_gradients(state, critic, real_part, fake_part, len(real_part) / len(real), number)
            for name, term in terms.items():
                losses[name + critic.suffix] = losses.get(name + critic.suffix, 0) + term
        step(critic.optimiser)
    return losses


def add_critic_gradients(
    state: State, critic: TrainedCritic, real: Tensor, fake: Tensor, share: float, number: int
) -> dict[str, Tensor]:
    """Add the gradients of a part of a batch to a critic; returns the terms of its loss, weighted by the part's share.

    A lazy penalty is weighted for the updates without one (Karras et al. 2020).
    """
    network, loss, settings = critic.network, critic.loss, critic.settings
    with state.autocast():
        if settings.batch_norm:
            real_scores, fake_scores = network.scores(real).float(), network.scores(fake).float()
        else:
            real_scores, fake_scores = network.scores(torch.cat([real, fake])).float().chunk(2)  # (N, K) each
    value = loss.critic(real_scores, fake_scores) * share
    terms = {"critic": value, "real": real_scores.mean() * share, "fake": fake_scores.mean() * share}
    terms = {name: term.detach() for name, term in terms.items()}
    value.backward()  # before the penalty, so that only one graph is held at a time
    del value, real_scores, fake_scores
    if loss.penalty and settings.penalty > 0 and number % settings.penalty_every == 0:
        with state.autocast():
            penalty = loss.penalty(network, real, fake, state.random) * share
        (settings.penalty * settings.penalty_every * penalty).backward()
        terms["penalty"] = penalty.detach()
    return terms


def update_generator(state: State, z: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """Update the generator once, by the loss of the run's method, from latents and their pictures with a graph."""
    with frozen_critics(state):
        loss, terms = state.generator_loss(state, z, fake)
        loss.backward()
    step(state.optimiser)
    return {name: term.detach() for name, term in terms.items()} | {"generator": loss.detach()}


def adversarial_loss(state: State, fake: Tensor) -> Tensor:
    """The generator's loss from its pictures: the weighted sum over the critics."""
    compared = any(critic.loss.compares_with_real for critic in state.critics)
    real = state.real_batch() if compared else None
    terms = (critic.settings.weight * _term(state, critic, real, fake) for critic in state.critics)
    return functools.reduce(torch.add, terms)


def _term(state: State, critic: TrainedCritic, real: Tensor | None, fake: Tensor) -> Tensor:
    """The generator's loss by one critic."""
    with state.autocast():
        real_scores = None
        if critic.loss.compares_with_real and real is not None:
            with torch.no_grad():
                real_scores = critic.network.scores(augmented(state, critic, real)).float()
        pictures = augmented(state, critic, fake)
        if critic.chunk:  # activations are recomputed chunk by chunk in the backward pass
            parts = (Recomputed.apply(part, critic.network, state.autocast) for part in pictures.split(critic.chunk))
            scores = torch.cat(list(parts)).float()
        else:
            scores = critic.network.scores(pictures).float()
    return critic.loss.generator(real_scores, scores)


def augmented(state: State, critic: TrainedCritic, pictures: Tensor) -> Tensor:
    """Pictures as a critic sees them, by DiffAugment; they stay float32."""
    with torch.autocast(state.device.type, enabled=False):
        return diff_augment(pictures, critic.settings.augment, state.random)


@contextlib.contextmanager
def frozen_critics(state: State) -> Iterator[None]:
    """Freeze the critics in the block: gradients pass through them to the pictures, but not to their weights."""
    parameters = (parameter for critic in state.critics for parameter in critic.network.parameters())
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def step(optimiser: torch.optim.Optimizer) -> None:
    """Step, and free the gradients, whose memory the other network's update needs."""
    parameters = (parameter for group in optimiser.param_groups for parameter in group["params"])
    distributed.average([parameter.grad for parameter in parameters if parameter.grad is not None])
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)


@dataclass(frozen=True)
class Verdicts:
    """What one critic says of generated and of real pictures: a number for each, the higher the more real."""

    critic: str  # its architecture
    are_probabilities: bool  # of being real; else they are its scores, which are unbounded
    generated: list[float]
    real: list[float]


def last_pictures(state: State, most: int) -> Tensor:
    """The first pictures of the last real batch, uint8 (most or fewer, 3, side, side); before it, those of the data."""
    assert state.pictures is not None
    chosen = state.order[state.cursor - min(state.cursor, state.recipe.batch) : state.cursor]
    chosen = chosen if len(chosen) else torch.arange(len(state.pictures))
    return state.pictures[chosen[:most]].cpu()


def judge(state: State, generated: Tensor, real: Tensor) -> list[Verdicts]:
    """The verdicts of all critics on pictures, uint8 (N, 3, side, side), as they are: not mirrored, not augmented.

    The run stays as it is: the critics are in evaluation mode, and no random number is drawn.
    """
    found = []
    for critic in state.critics:
        logits = critic.loss.scores_are_logits
        values = [_scores(state, critic, pictures) for pictures in (generated, real)]
        lists = (value.sigmoid().tolist() if logits else value.tolist() for value in values)
        found.append(Verdicts(critic.settings.architecture, logits, *lists))
    return found


@torch.no_grad()
def _scores(state: State, critic: TrainedCritic, pictures: Tensor) -> Tensor:
    """The mean of a critic's scores for each picture in evaluation mode: uint8 (N, 3, side, side) -> (N,)."""
    modes = {module: module.training for module in critic.network.modules()}
    critic.network.eval()
    try:
        with state.autocast():
            return critic.network.scores(from_bytes(pictures.to(state.device))).float().mean(dim=1)
    finally:
        for module, training in modes.items():
            module.training = training
