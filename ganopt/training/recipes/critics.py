"""The settings of critics, and their notation, as in `plain-critic/2,projected:0.5`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganopt.errors import UserError
from ganopt.models.networks import KINDS, kinds, parse_architecture
from ganopt.training.augment import POLICIES
from ganopt.training.losses import LOSSES
from ganopt.training.recipes.settings import check_settings, option_type, setting, settings_of


@dataclass(frozen=True, kw_only=True)
class CriticSettings:
    """A critic of a run and how it is trained. Raises UserError for an invalid value.

    Without `@side`, the architecture has the generator's side.
    """

    architecture: str
    weight: float = 1.0  # of its term in the generator's loss
    loss: str = setting("r1", "adversarial loss", choices=LOSSES)
    penalty: float = setting(0.0, "weight of the gradient penalty (lambda or gamma)", low=0)
    penalty_every: int = setting(1, "apply the gradient penalty in every N-th critic update", low=1)
    chunk: int = setting(
        0, "pictures in a critic's chunk; fewer need less memory; 0 for the whole batch", low=0, given_as="critic_chunk"
    )
    lr: float = setting(2e-4, "Adam's learning rate for the critics", low=0, given_as="lr_d")
    beta1: float = setting(0.0, "Adam's beta1", low=0, high=0.9999)
    beta2: float = setting(0.99, "Adam's beta2", low=0, high=0.99999)
    augment: tuple[str, ...] = setting((), "DiffAugment policies, from color,translation,cutout")

    def __post_init__(self) -> None:
        check_settings(self)
        if self.kind not in kinds("critic"):
            parse_architecture(self.architecture, "critic")  # raises UserError
        if not isinstance(self.weight, (int, float)) or not 0 < self.weight <= 100:
            raise _wrong_weight(self.architecture, str(self.weight))
        if unknown := set(self.augment) - set(POLICIES):
            raise UserError(f"Unknown augmentation '{min(unknown)}'; choose from {', '.join(POLICIES)}.")
        if self.has_penalty and self.batch_norm:
            raise UserError(
                f"The scores of {self.architecture} depend on the other pictures of a batch, so that a gradient "
                "penalty would be wrong; use --penalty 0."
            )

    @property
    def kind(self) -> str:
        """The kind of its network, as in `plain-critic`."""
        return _kind(self.architecture)

    @property
    def has_penalty(self) -> bool:
        """Whether it is trained with a gradient penalty, which needs a weight and a loss that has one."""
        return self.penalty > 0 and LOSSES[self.loss].penalty is not None

    @property
    def batch_norm(self) -> bool:
        """Whether its scores depend on the batch, so that real and generated pictures are kept apart and not split."""
        return KINDS[self.kind].batch_norm


OPTIONS = settings_of(CriticSettings)  # the settings by their names for users; each holds for all critics of a run
_PROJECTED = {field.name: field.default for field in OPTIONS.values()} | {"loss": "hinge", "augment": POLICIES}
# kinds of critics with defaults of their own, which options change only if all critics of a run have some
OWN_DEFAULTS: dict[str, dict[str, Any]] = {"projected": _PROJECTED, "projected-fine": _PROJECTED}


def parse_critics(text: str, defaults: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[CriticSettings, ...]:
    """Parse critics such as `plain-critic/2,projected:0.5:lr-d=1e-4`, with weights, by default 1, and settings.

    `defaults` are those of the method, `given` the options of the user; both are by names for users. A setting after a
    colon is for that critic only; several policies are joined by +. Raises UserError for an invalid one.
    """
    parts = [part.strip().split(":") for part in text.split(",")]
    own = [OWN_DEFAULTS.get(_kind(name), {}) for name, *_ in parts]
    shared = _fields(defaults) | _fields(given)
    insisted = {key: value for key, value in _fields(given).items() if all(key in each for each in own)}
    critics = []
    for (name, *rest), defaults_of_kind in zip(parts, own, strict=True):
        values: dict[str, Any] = shared | defaults_of_kind | insisted
        for index, entry in enumerate(rest):
            key, equals, value = entry.partition("=")
            if equals:
                values |= _parse_setting(name, key, value)
            elif index == 0:
                try:
                    values["weight"] = float(entry)
                except ValueError:
                    raise _wrong_weight(name, entry) from None
            else:
                raise UserError(f"'{entry[:40]}' after {name} is no setting; write it as in {name}:0.5:lr-d=1e-4.")
        critics.append(CriticSettings(architecture=name, **values))
    return tuple(critics)


def format_critics(critics: Sequence[CriticSettings]) -> str:
    """The architectures and weights of critics, as in `plain-critic/2,projected:0.5`."""
    weights = {critic.weight: f":{critic.weight}".removesuffix(".0") for critic in critics if critic.weight != 1}
    return ",".join(critic.architecture + weights.get(critic.weight, "") for critic in critics)


def format_with_options(critics: tuple[CriticSettings, ...], defaults: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The inverse of `parse_critics`: the text for critics, and the options that differ from the defaults.

    The betas are in the text, because those options are for the generator too.
    """
    typical = next((critic for critic in critics if critic.kind not in OWN_DEFAULTS), critics[0])
    options = _differences(typical, *parse_critics(typical.architecture, defaults, {}))
    options = {name: value for name, value in options.items() if not name.startswith("beta")}
    texts = []
    for critic, guess in zip(critics, parse_critics(format_critics(critics), defaults, options), strict=True):
        settings = _differences(critic, guess).items()
        shown = {name: "+".join(value) if isinstance(value, tuple) else value for name, value in settings}
        parts = (f"{name.replace('_', '-')}={value}" for name, value in shown.items())
        texts.append(":".join([format_critics([critic]), *parts]))
    return ",".join(texts), options


def _differences(critic: CriticSettings, other: CriticSettings) -> dict[str, Any]:
    """The settings of a critic that differ from those of another one, by names for users."""
    values = {name: (getattr(critic, field.name), getattr(other, field.name)) for name, field in OPTIONS.items()}
    return {name: own for name, (own, value) in values.items() if own != value}


def _kind(architecture: str) -> str:
    return architecture.strip().partition("@")[0].partition("/")[0]


def _fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a critic among options, by the names of the fields."""
    return {field.name: options[name] for name, field in OPTIONS.items() if name in options}


def _wrong_weight(name: str, text: str) -> UserError:
    return UserError(f"The weight of {name} is '{text[:40]}'; it must be a number above 0, up to 100.")


def _parse_setting(name: str, key: str, text: str) -> dict[str, Any]:
    field = OPTIONS.get(key.strip().replace("-", "_"))
    if field is None:
        raise UserError(f"{name} has no setting '{key[:40]}'; use one of {', '.join(OPTIONS)}.".replace("_", "-"))
    kind = option_type(CriticSettings, field.name)
    if kind not in (int, float, str):
        return {field.name: tuple(filter(None, text.split("+")))}
    try:
        return {field.name: kind(text)}
    except ValueError:
        raise UserError(f"{key} of {name} is '{text[:40]}'; it must be a number.") from None
