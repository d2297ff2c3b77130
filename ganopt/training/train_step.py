"""One training step: critic updates, then a generator update."""

from torch import Tensor

from ganopt.training.adversarial.updates import draw_fakes, frozen_critics, step, update_critics
from ganopt.training.methods import method_of
from ganopt.training.state import State


def update(state: State) -> dict[str, Tensor]:
    """One step: `n_critic` updates of the critics, if there are any, then one update of the generator."""
    losses: dict[str, Tensor] = {}
    if state.opponents:
        updates = state.recipe.n_critic
        for index, fake in enumerate(draw_fakes(state, updates)):
            losses |= update_critics(state, fake, state.step * updates + index)
    losses |= update_generator(state)
    state.update_average()
    return losses


def update_generator(state: State) -> dict[str, Tensor]:
    """One generator update, with the loss of the recipe's method."""
    with frozen_critics(state):
        loss, terms = method_of(state.recipe).generator_loss(state, state.latents())
        loss.backward()
    step(state.optimiser)
    return {name: term.detach() for name, term in terms.items()} | {"generator": loss.detach()}
