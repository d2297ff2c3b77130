"""What one step does to the networks: critic updates, then one of the generator."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ganopt.augment import diff_augment
from ganopt.losses import (
    ADVERSARIAL,
    feature_loss,
    gradient_penalty,
    joint_loss,
    pixel_loss,
    zero_centred_penalty,
)
from ganopt.recipes import Distill
from ganopt.state import State


def update(state: State) -> dict[str, Tensor]:
    """One step: `n_critic` critic updates, where there is anything to judge, then one of the generator."""
    losses: dict[str, Tensor] = {}
    if state.pictures is not None:
        for index, fake in enumerate(draw_fakes(state, state.recipe.n_critic)):
            due = (state.step * state.recipe.n_critic + index) % state.recipe.penalty_every == 0
            losses |= update_critic(state, fake, penalise=due and state.recipe.penalty > 0)
    losses |= update_generator(state)
    state.update_average()
    return losses


def draw_fakes(state: State, count: int) -> list[Tensor]:
    """Batches of generated pictures for the critic, float32 (batch, 3, side, side).

    The generator stands still between critic updates; drawn in one go, autocast rounds its weights once for all.
    """
    with torch.no_grad(), _autocast(state):
        return [state.generator(state.latents()).float() for _ in range(count)]


def update_critic(state: State, fake: Tensor, penalise: bool) -> dict[str, Tensor]:
    """One critic update; a lazy penalty stands for the updates that went without one (Karras et al. 2020)."""
    recipe, critic = state.recipe, state.critic
    real, fake = _augmented(state, state.real_batch()), _augmented(state, fake)
    with _autocast(state):
        real_scores, fake_scores = critic.logits(torch.cat([real, fake])).float().chunk(2)
    loss = ADVERSARIAL[recipe.loss].critic(real_scores, fake_scores)
    losses = {"critic": loss, "real": real_scores.mean(), "fake": fake_scores.mean()}
    loss.backward()  # apart from the penalty's, so that only one graph is held at a time
    if penalise:
        losses["penalty"] = _backward_penalty(state, real, fake)
    _step(state.optimiser_d)
    return {name: value.detach() for name, value in losses.items()}


def update_generator(state: State) -> dict[str, Tensor]:
    """One generator update. A student minimises the joint loss of the game and of its likeness to the teacher."""
    loss, losses = generator_loss(state, state.latents())
    loss.backward()
    _step(state.optimiser_g)
    return {name: value.detach() for name, value in losses.items()} | {"generator": loss.detach()}


def generator_loss(state: State, z: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The generator's loss on latents (N, 100, 1, 1), and its terms by name."""
    recipe = state.recipe
    with _autocast(state):
        fake = state.generator(z)
    fake = fake.float()
    alpha = recipe.alpha if isinstance(recipe, Distill) else 1.0
    adversarial = _adversarial(state, fake) if alpha > 0 else None
    if not isinstance(recipe, Distill):
        return adversarial, {}
    imitation = _imitation(state, recipe, z, fake) if alpha < 1 else None
    terms = {"adversarial": adversarial, "imitation": imitation}
    return joint_loss(alpha, adversarial, imitation), {name: term for name, term in terms.items() if term is not None}


def _adversarial(state: State, fake: Tensor) -> Tensor:
    game, critic = ADVERSARIAL[state.recipe.loss], state.critic
    with _judging(critic), _autocast(state):
        real_scores = None
        if game.generator_needs_real:
            with torch.no_grad():
                real_scores = critic.logits(_augmented(state, state.real_batch())).float()
        scores = critic.logits(_augmented(state, fake)).float()
    return game.generator(real_scores, scores)


def _imitation(state: State, recipe: Distill, z: Tensor, fake: Tensor) -> Tensor:
    with torch.no_grad(), _autocast(state):
        target = state.teacher(z)
    loss = pixel_loss(fake, target.float(), recipe.pixel)
    if recipe.feature:
        with _autocast(state):
            loss = loss + recipe.feature * feature_loss(state.teacher_critic, fake, target.float()).float()
    return loss


def _backward_penalty(state: State, real: Tensor, fake: Tensor) -> Tensor:
    """Add the gradients of the loss's penalty, and return it.

    A graph that can be differentiated twice is large, and a critic judges each picture by itself: so it may go a few
    pictures at a time. Norms are summed in float32, also where the convolutions are bfloat16.
    """
    chunk = state.recipe.penalty_chunk or len(real)
    total = torch.zeros((), device=state.device)
    for real_part, fake_part in zip(real.split(chunk), fake.split(chunk), strict=True):
        with _autocast(state):
            penalty = _penalty(state, real_part, fake_part) * (len(real_part) / len(real))
        (state.recipe.penalty * state.recipe.penalty_every * penalty).backward()
        total += penalty.detach()
    return total


def _penalty(state: State, real: Tensor, fake: Tensor) -> Tensor:
    if state.recipe.loss == "wgan-gp":
        mix = torch.rand(len(real), 1, 1, 1, generator=state.random).to(state.device)
        return gradient_penalty(state.critic, real, fake, mix)
    penalty = zero_centred_penalty(state.critic, real)
    if state.recipe.loss == "r3":
        penalty = penalty + zero_centred_penalty(state.critic, fake)
    return penalty


def _step(optimiser: torch.optim.Optimizer) -> None:
    """Step, and free the gradients at once: the other network's update needs the room."""
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)


def _augmented(state: State, pictures: Tensor) -> Tensor:
    with torch.autocast(state.device.type, enabled=False):  # pictures stay float32
        return diff_augment(pictures, state.recipe.augment, state.random)


def _autocast(state: State) -> torch.autocast:
    return torch.autocast(state.device.type, torch.bfloat16, enabled=state.recipe.precision == "bfloat16")


@contextlib.contextmanager
def _judging(critic: nn.Module) -> Iterator[None]:
    """The critic as a judge: gradients pass through it to the pictures and leave its weights alone."""
    trained = [parameter for parameter in critic.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
