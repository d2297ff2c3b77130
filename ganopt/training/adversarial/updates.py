"""What a step does in the game: critic updates, and the generator's part against the critic."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor

from ganopt.models.networks import Critic
from ganopt.training.adversarial.augment import diff_augment
from ganopt.training.adversarial.recompute import Recomputed
from ganopt.training.state import Opponent, State


def draw_fakes(state: State, count: int) -> list[Tensor]:
    """Batches of generated pictures for the critic, float32 (batch, 3, side, side).

    The generator stands still between critic updates; drawn in one go, autocast rounds its weights once for all.
    """
    with torch.no_grad(), state.autocast():
        return [state.generator(state.latents()).float() for _ in range(count)]


def update_critic(state: State, opponent: Opponent, fake: Tensor, penalise: bool) -> dict[str, Tensor]:
    """One critic update; a lazy penalty stands for the updates that went without one (Karras et al. 2020).

    A critic judges each picture by itself, so `critic_chunk` pairs at a time give the same gradients in less memory.
    """
    real, fake = _augmented(state, state.real_batch()), _augmented(state, fake)
    state.images += len(real)
    chunk = state.recipe.critic_chunk or len(real)
    losses: dict[str, Tensor] = {}
    for real_part, fake_part in zip(real.split(chunk), fake.split(chunk), strict=True):
        terms = _backward_critic(state, opponent, real_part, fake_part, len(real_part) / len(real), penalise)
        losses = {name: losses.get(name, 0) + term for name, term in terms.items()}
    step(opponent.optimiser)
    return losses


def _backward_critic(
    state: State, opponent: Opponent, real: Tensor, fake: Tensor, share: float, penalise: bool
) -> dict[str, Tensor]:
    """Add the gradients of a share of a batch to the critic; its terms, already weighted by that share."""
    recipe, game = state.recipe, opponent.game
    with state.autocast():
        real_scores, fake_scores = opponent.critic.scores(torch.cat([real, fake])).float().chunk(2)
    loss = game.critic_loss(real_scores, fake_scores) * share
    losses = {"critic": loss, "real": real_scores.mean() * share, "fake": fake_scores.mean() * share}
    losses = {name: value.detach() for name, value in losses.items()}
    loss.backward()  # apart from the penalty's, so that only one graph is held at a time
    del loss, real_scores, fake_scores
    if penalise and game.penalty:
        with state.autocast():
            penalty = game.penalty(opponent.critic, real, fake, state.random) * share
        (recipe.penalty * recipe.penalty_every * penalty).backward()
        losses["penalty"] = penalty.detach()
    return losses


def drawn(state: State, z: Tensor) -> Tensor:
    """What the generator draws, to be differentiated: (N, 100, 1, 1) -> float32 (N, 3, side, side)."""
    with state.autocast():
        return state.generator(z).float()


def adversarial_loss(state: State, fake: Tensor) -> Tensor:
    """The generator's loss on pictures that it has drawn. Gradients leave the critic's weights alone."""
    opponent = state.opponent
    assert opponent is not None
    game, critic = opponent.game, opponent.critic
    with state.autocast():
        real_scores = None
        if game.generator_sees_real:
            with torch.no_grad():
                real_scores = critic.scores(_augmented(state, state.real_batch())).float()
        scores = _judged(state, critic, _augmented(state, fake)).float()
    return game.generator_loss(real_scores, scores)


@contextlib.contextmanager
def judging(critic: Critic) -> Iterator[None]:
    """The critic as a judge: gradients pass through it to the pictures and leave its weights alone."""
    trained = [parameter for parameter in critic.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def step(optimiser: torch.optim.Optimizer) -> None:
    """Step, and free the gradients at once: the other network's update needs the room."""
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)


def _judged(state: State, critic: Critic, pictures: Tensor) -> Tensor:
    """Scores to be differentiated; in chunks, a chunk's activations are computed anew when its turn comes."""
    if not state.recipe.critic_chunk:
        return critic.scores(pictures)
    parts = pictures.split(state.recipe.critic_chunk)
    return torch.cat([Recomputed.apply(part, critic, state.autocast) for part in parts])


def _augmented(state: State, pictures: Tensor) -> Tensor:
    with torch.autocast(state.device.type, enabled=False):  # pictures stay float32
        return diff_augment(pictures, state.recipe.augment, state.random)
