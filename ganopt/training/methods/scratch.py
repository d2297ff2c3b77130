"""Training from scratch: networks with random weights and the adversarial loss."""

from ganopt.models.networks import build_critic, build_generator
from ganopt.training.methods.registry import Method, Networks, register
from ganopt.training.recipes import R1, R3, Dcgan, Recipe, WganGp


def _networks(recipe: Recipe) -> Networks:
    return Networks(build_generator(recipe.generator), [build_critic(name) for name, _ in recipe.critics])


TITLES: dict[type[Recipe], str] = {
    R1: "From scratch: R1, good for small datasets",
    R3: "From scratch: the loss of R3GAN",
    WganGp: "From scratch: WGAN-GP, as in the thesis",
    Dcgan: "From scratch: DCGAN",
}
for kind, title in TITLES.items():
    register(Method(kind, title, _networks, from_scratch=True))
