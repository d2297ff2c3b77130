"""The gradient penalty where it is made cheap: in bfloat16, and a few pictures at a time."""

import pytest
import torch
from torch.nn.functional import cosine_similarity

from ganopt import updates
from ganopt.draw import from_bytes
from ganopt.recipes import R3, WganGp
from ganopt.state import State


def penalty_and_gradient(recipe, pictures) -> tuple[float, torch.Tensor]:
    """The penalty on one batch, and its gradient with respect to the critic's weights, in a row."""
    state = State(recipe, pictures)
    real = from_bytes(pictures[: recipe.batch])
    fake = from_bytes(pictures[recipe.batch : 2 * recipe.batch])
    penalty = updates._backward_penalty(state, real, fake)
    gradients = [p.grad.flatten() for p in state.critic.parameters() if p.grad is not None]
    return penalty.item(), torch.cat(gradients)


@pytest.mark.parametrize("kind", [WganGp, R3])
def test_the_penalty_in_bfloat16_is_that_of_float32(kind, pictures):
    common = {"generator": "big/16@32", "batch": 16, "steps": 1, "device": "cpu"}
    exact, direction = penalty_and_gradient(kind(**common), pictures)
    cheap, other = penalty_and_gradient(kind(precision="bfloat16", **common), pictures)
    assert cheap == pytest.approx(exact, rel=0.01)
    assert cosine_similarity(direction, other, dim=0) > 0.99


@pytest.mark.parametrize("kind", [WganGp, R3])
@pytest.mark.parametrize("chunk", [1, 5])
def test_the_penalty_in_parts_is_that_of_the_whole(kind, chunk, pictures):
    common = {"generator": "big/16@32", "batch": 16, "steps": 1, "device": "cpu"}
    whole, direction = penalty_and_gradient(kind(**common), pictures)
    parts, other = penalty_and_gradient(kind(penalty_chunk=chunk, **common), pictures)
    assert parts == pytest.approx(whole, rel=1e-4)
    assert torch.allclose(direction, other, rtol=1e-3, atol=1e-5 * direction.abs().max())
