"""Updates of the critics, and the generator's adversarial loss."""

import contextlib
import functools
from collections.abc import Iterator

import torch
from torch import Tensor

from ganopt.training.adversarial.augment import diff_augment
from ganopt.training.adversarial.recompute import Recomputed
from ganopt.training.state import Opponent, State


def draw_fakes(state: State, count: int) -> list[Tensor]:
    """Batches of generated pictures for the critic, float32 (batch, 3, side, side).

    The generator does not change between critic updates, so autocast casts its weights once for all batches.
    """
    with torch.no_grad(), state.autocast():
        return [state.generator(state.latents()).float() for _ in range(count)]


def update_critics(state: State, fake: Tensor, number: int) -> dict[str, Tensor]:
    """Update each critic on the next real pictures. `number` counts the updates, for lazy penalties."""
    losses: dict[str, Tensor] = {}
    real = state.real_batch()
    state.images += len(real)
    for opponent in state.opponents:
        penalise = number % opponent.penalty_every == 0 and opponent.penalty > 0
        terms = update_critic(state, opponent, real, fake, penalise)
        losses |= {f"{name}{opponent.name}": term for name, term in terms.items()}
    return losses


def update_critic(state: State, opponent: Opponent, real: Tensor, fake: Tensor, penalise: bool) -> dict[str, Tensor]:
    """Update a critic once; a lazy penalty is weighted for the updates without one (Karras et al. 2020).

    If its scores do not depend on the other pictures of the batch, the batch is split into chunks of `critic_chunk`,
    which gives the same gradients in less memory.
    """
    real, fake = _augmented(state, opponent, real), _augmented(state, opponent, fake)
    chunk = _chunk(state, opponent) or len(real)
    losses: dict[str, Tensor] = {}
    for real_part, fake_part in zip(real.split(chunk), fake.split(chunk), strict=True):
        terms = _backward_critic(state, opponent, real_part, fake_part, len(real_part) / len(real), penalise)
        losses = {name: losses.get(name, 0) + term for name, term in terms.items()}
    step(opponent.optimiser)
    return losses


def _backward_critic(
    state: State, opponent: Opponent, real: Tensor, fake: Tensor, share: float, penalise: bool
) -> dict[str, Tensor]:
    """Add the gradients of a part of a batch to the critic; returns its terms, weighted by the part's share."""
    critic, game = opponent.critic, opponent.game
    with state.autocast():
        if critic.needs_separate_batches:
            real_scores, fake_scores = critic.scores(real).float(), critic.scores(fake).float()
        else:
            real_scores, fake_scores = critic.scores(torch.cat([real, fake])).float().chunk(2)
    loss = game.critic_loss(real_scores, fake_scores) * share
    losses = {"critic": loss, "real": real_scores.mean() * share, "fake": fake_scores.mean() * share}
    losses = {name: value.detach() for name, value in losses.items()}
    loss.backward()  # before the penalty, so that only one graph is held at a time
    del loss, real_scores, fake_scores
    if penalise and game.penalty:
        with state.autocast():
            penalty = game.penalty(critic, real, fake, state.random) * share
        (opponent.penalty * opponent.penalty_every * penalty).backward()
        losses["penalty"] = penalty.detach()
    return losses


def draw_with_gradients(state: State, z: Tensor) -> Tensor:
    """Draw pictures with a graph for the backward pass: (N, 100, 1, 1) -> float32 (N, 3, side, side)."""
    with state.autocast():
        return state.generator(z).float()


def adversarial_loss(state: State, fake: Tensor) -> Tensor:
    """The generator's loss on its pictures: the weighted sum over the critics."""
    needed = any(opponent.game.generator_sees_real for opponent in state.opponents)
    real = state.real_batch() if needed else None
    losses = (opponent.weight * _generator_loss(state, opponent, real, fake) for opponent in state.opponents)
    return functools.reduce(torch.add, losses)


def _generator_loss(state: State, opponent: Opponent, real: Tensor | None, fake: Tensor) -> Tensor:
    with state.autocast():
        real_scores = None
        if opponent.game.generator_sees_real and real is not None:
            with torch.no_grad():
                real_scores = opponent.critic.scores(_augmented(state, opponent, real)).float()
        scores = _generated_scores(state, opponent, _augmented(state, opponent, fake)).float()
    return opponent.game.generator_loss(real_scores, scores)


@contextlib.contextmanager
def frozen_critics(state: State) -> Iterator[None]:
    """Freeze the critics in the block: gradients pass through them to the pictures, but not to their weights."""
    parameters = (parameter for opponent in state.opponents for parameter in opponent.critic.parameters())
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
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)


def _chunk(state: State, opponent: Opponent) -> int:
    """Pictures in a chunk for a critic; 0 for the whole batch."""
    return 0 if opponent.critic.needs_separate_batches else state.recipe.critic_chunk


def _generated_scores(state: State, opponent: Opponent, pictures: Tensor) -> Tensor:
    """Scores with a graph for the backward pass; with chunks, activations are recomputed chunk by chunk."""
    critic, chunk = opponent.critic, _chunk(state, opponent)
    if not chunk:
        return critic.scores(pictures)
    return torch.cat([Recomputed.apply(part, critic, state.autocast) for part in pictures.split(chunk)])


def _augmented(state: State, opponent: Opponent, pictures: Tensor) -> Tensor:
    with torch.autocast(state.device.type, enabled=False):  # pictures stay float32
        return diff_augment(pictures, opponent.augment, state.random)
