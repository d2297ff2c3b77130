"""Training from scratch: presets, which differ only in the defaults of their settings."""

from typing import Any

from ganopt.training.methods.registry import Method, register

WGAN_GP: dict[str, Any] = {  # Gulrajani et al. 2017, as for models 1 and 2 of the thesis; also for transfer
    "critic": "critic",
    "loss": "wgan-gp",
    "penalty": 10.0,
    "n_critic": 8,
    "lr_g": 5e-4,
    "lr_d": 5e-4,
    "beta2": 0.999,
}
WGAN_GP_EPOCH = 25  # generator updates: in the thesis an epoch is 200 + 25 updates
DCGAN: dict[str, Any] = {"critic": "kd-critic", "loss": "dcgan", "beta1": 0.5, "beta2": 0.999}  # Radford et al. 2016
R1: dict[str, Any] = {  # lazy R1, for small datasets (Mescheder et al. 2018; Karras et al. 2020)
    "critic": "plain-critic",
    "loss": "r1",
    "penalty": 0.4,
    "penalty_every": 8,
    "lr_g": 5e-4,
    "lr_d": 5e-4,
    "augment": ("color", "translation"),
}
# relativistic pairing, R1 and R2 in every update (R3GAN, Huang et al. 2024)
R3 = R1 | {"loss": "r3", "penalty_every": 1, "lr_g": 2e-4, "lr_d": 2e-4}

register(Method(name="r1", title="From scratch: R1, good for small datasets", defaults=R1))
register(Method(name="r3", title="From scratch: the loss of R3GAN", defaults=R3))
thesis = "From scratch: WGAN-GP, as in the thesis"
register(Method(name="wgan-gp", title=thesis, defaults=WGAN_GP, epoch_steps=WGAN_GP_EPOCH))
register(Method(name="dcgan", title="From scratch: DCGAN", defaults=DCGAN))
