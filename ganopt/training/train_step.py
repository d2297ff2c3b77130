"""What one step does to the networks: critic updates, then one of the generator."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ganopt.training.augment import diff_augment
from ganopt.training.losses import (
    ADVERSARIAL,
    feature_loss,
    gradient_penalty,
    joint_loss,
    pixel_loss,
    zero_centred_penalty,
)
from ganopt.training.recipes import Distill
from ganopt.training.state import State


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
    """One critic update; a lazy penalty stands for the updates that went without one (Karras et al. 2020).

    A critic judges each picture by itself, so `critic_chunk` pairs at a time give the same gradients in less memory.
    """
    real, fake = _augmented(state, state.real_batch()), _augmented(state, fake)
    chunk = state.recipe.critic_chunk or len(real)
    losses: dict[str, Tensor] = {}
    for real_part, fake_part in zip(real.split(chunk), fake.split(chunk), strict=True):
        terms = _backward_critic(state, real_part, fake_part, len(real_part) / len(real), penalise)
        losses = {name: losses.get(name, 0) + term for name, term in terms.items()}
    _step(state.optimiser_d)
    return losses


def _backward_critic(state: State, real: Tensor, fake: Tensor, share: float, penalise: bool) -> dict[str, Tensor]:
    """Add the gradients of a share of a batch to the critic; its terms, already weighted by that share."""
    recipe = state.recipe
    with _autocast(state):
        real_scores, fake_scores = state.critic.logits(torch.cat([real, fake])).float().chunk(2)
    loss = ADVERSARIAL[recipe.loss].critic(real_scores, fake_scores) * share
    losses = {"critic": loss, "real": real_scores.mean() * share, "fake": fake_scores.mean() * share}
    losses = {name: value.detach() for name, value in losses.items()}
    loss.backward()  # apart from the penalty's, so that only one graph is held at a time
    del loss, real_scores, fake_scores
    if penalise:
        with _autocast(state):
            penalty = _penalty(state, real, fake) * share
        (recipe.penalty * recipe.penalty_every * penalty).backward()
        losses["penalty"] = penalty.detach()
    return losses


def update_generator(state: State) -> dict[str, Tensor]:
    """One generator update. A student minimises the joint loss of the game and of its likeness to the teacher."""
    with _judging(state.critic):
        loss, losses = generator_loss(state, state.latents())
        loss.backward()
    _step(state.optimiser_g)
    return {name: value.detach() for name, value in losses.items()} | {"generator": loss.detach()}


def generator_loss(state: State, z: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The generator's loss on latents (N, 100, 1, 1), and its terms by name."""
    recipe = state.recipe
    if not isinstance(recipe, Distill):
        return _adversarial(state, _drawn(state, z)), {}
    alpha = recipe.alpha
    target = _target(state, z) if alpha < 1 else None  # before there is a graph to hold
    fake = _drawn(state, z)
    adversarial = _adversarial(state, fake) if alpha > 0 else None
    imitation = _imitation(state, recipe, fake, target) if target is not None else None
    terms = {"adversarial": adversarial, "imitation": imitation}
    return joint_loss(alpha, adversarial, imitation), {name: term for name, term in terms.items() if term is not None}


def _adversarial(state: State, fake: Tensor) -> Tensor:
    game, critic = ADVERSARIAL[state.recipe.loss], state.critic
    with _autocast(state):
        real_scores = None
        if game.generator_needs_real:
            with torch.no_grad():
                real_scores = critic.logits(_augmented(state, state.real_batch())).float()
        scores = _judged(state, _augmented(state, fake)).float()
    return game.generator(real_scores, scores)


def _judged(state: State, pictures: Tensor) -> Tensor:
    """Scores to be differentiated; in chunks, a chunk's activations are computed anew when its turn comes."""
    if not state.recipe.critic_chunk:
        return state.critic.logits(pictures)
    return torch.cat([_Recomputed.apply(part, state) for part in pictures.split(state.recipe.critic_chunk)])


class _Recomputed(torch.autograd.Function):
    """Scores of pictures, without the activations that their gradient needs.

    Torch's own `checkpoint` imports torch's compiler, which takes seconds and 150 MB.
    """

    @staticmethod
    def forward(ctx: Any, pictures: Tensor, state: State) -> Tensor:
        ctx.save_for_backward(pictures)
        ctx.state = state
        return state.critic.logits(pictures)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        pictures = ctx.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad():
            with _autocast(ctx.state):
                scores = ctx.state.critic.logits(pictures)
            return *torch.autograd.grad((scores * gradient).sum(), pictures), None


def _drawn(state: State, z: Tensor) -> Tensor:
    with _autocast(state):
        return state.generator(z).float()


def _target(state: State, z: Tensor) -> Tensor:
    assert state.teacher is not None
    with torch.no_grad(), _autocast(state):
        return state.teacher(z).float()


def _imitation(state: State, recipe: Distill, fake: Tensor, target: Tensor) -> Tensor:
    loss = pixel_loss(fake, target, recipe.pixel)
    if recipe.feature:
        assert state.teacher_critic is not None
        with _autocast(state):
            loss = loss + recipe.feature * feature_loss(state.teacher_critic, fake, target).float()
    return loss


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
