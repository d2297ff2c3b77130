"""What one step does to the networks: critic updates, then one of the generator."""

import contextlib

from torch import Tensor

from ganopt.training.adversarial.updates import draw_fakes, judging, step, update_critic
from ganopt.training.methods import method_of
from ganopt.training.state import State


def update(state: State) -> dict[str, Tensor]:
    """One step: `n_critic` critic updates, where there is anything to judge, then one of the generator."""
    losses: dict[str, Tensor] = {}
    recipe, opponent = state.recipe, state.opponent
    if opponent:
        for index, fake in enumerate(draw_fakes(state, recipe.n_critic)):
            due = (state.step * recipe.n_critic + index) % recipe.penalty_every == 0
            losses |= update_critic(state, opponent, fake, penalise=due and recipe.penalty > 0)
    losses |= update_generator(state)
    state.update_average()
    return losses


def update_generator(state: State) -> dict[str, Tensor]:
    """One generator update, by the loss of the recipe's method."""
    with judging(state.opponent.critic) if state.opponent else contextlib.nullcontext():
        loss, terms = method_of(state.recipe).generator_loss(state, state.latents())
        loss.backward()
    step(state.optimiser)
    return {name: term.detach() for name, term in terms.items()} | {"generator": loss.detach()}
