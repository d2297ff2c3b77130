"""The critic where it is made cheap: its penalty in bfloat16, its judgement a few pictures at a time."""

import pytest
import torch
from torch.nn.functional import cosine_similarity

from ganopt.models.sampling import from_bytes
from ganopt.training import methods
from ganopt.training import step as training
from ganopt.training.methods import new_state

COMMON = {"generator": "big/16@32", "batch": 16, "steps": 1, "device": "cpu"}


def penalty_and_gradient(recipe, pictures) -> tuple[float, torch.Tensor]:
    """The penalty on one batch, and its gradient with respect to the critic's weights, in a row."""
    state = new_state(recipe, pictures)
    penalty = state.critics[0].loss.penalty(
        state.critics[0].network, from_bytes(pictures[:16]), from_bytes(pictures[16:32]), state.random
    )
    penalty.backward()
    return penalty.item(), torch.cat(
        [p.grad.flatten() for p in state.critics[0].network.parameters() if p.grad is not None]
    )


def losses_and_gradients(recipe, pictures, monkeypatch) -> tuple[dict[str, float], list[torch.Tensor]]:
    """Losses of one update of the critic and one of the generator, and the gradients that they leave."""
    gradients = []

    def keep(optimiser):
        gradients.append(torch.cat([p.grad.flatten() for p in optimiser.param_groups[0]["params"]]))
        optimiser.zero_grad()

    monkeypatch.setattr(training, "step", keep)
    state = new_state(recipe, pictures)
    losses = training.update_critics(state, *training.draw_without_gradients(state, 1), number=0)
    losses |= training.update_generator(state, *training.draw(state))
    return {name: value.item() for name, value in losses.items()}, gradients


@pytest.mark.parametrize("kind", ["wgan-gp", "r3"])
def test_the_penalty_in_bfloat16_is_that_of_float32(kind, pictures):
    exact, direction = penalty_and_gradient(methods.recipe(kind, **COMMON), pictures)
    with torch.autocast("cpu", torch.bfloat16):
        cheap, other = penalty_and_gradient(methods.recipe(kind, **COMMON), pictures)
    assert cheap == pytest.approx(exact, rel=0.01)
    assert cosine_similarity(direction, other, dim=0) > 0.99


@pytest.mark.parametrize("kind", ["wgan-gp", "dcgan", "r1", "r3"])
@pytest.mark.parametrize("chunk", [1, 5])
def test_a_critic_that_judges_in_parts_learns_and_teaches_the_same(kind, chunk, pictures, monkeypatch):
    whole, expected = losses_and_gradients(methods.recipe(kind, **COMMON), pictures, monkeypatch)
    parts, gradients = losses_and_gradients(methods.recipe(kind, critic_chunk=chunk, **COMMON), pictures, monkeypatch)
    assert parts == pytest.approx(whole, rel=1e-4, abs=1e-6)
    for mine, theirs in zip(gradients, expected, strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-3, atol=1e-5 * theirs.abs().max())
