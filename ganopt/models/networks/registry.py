"""The registry of networks and their notation, `kind[/divisor][@side]`, as in `big/4@64`.

A kind is registered by a decorator on its builder. `/4` divides every width by four, `@64` is for pictures of 64x64
pixels. This package does not depend on losses, files or devices.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from torch import nn

from ganopt.errors import UserError

Role = Literal["generator", "critic"]

SIDES = (32, 64, 128)
DIVISORS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Architecture:
    """A parsed network name: kind, divisor of the widths, side of the pictures in pixels."""

    kind: str
    divisor: int = 1
    side: int = 128

    def __str__(self) -> str:
        divisor = f"/{self.divisor}" if self.divisor > 1 else ""
        return f"{self.kind}{divisor}" + (f"@{self.side}" if self.side != 128 else "")

    @property
    def role(self) -> Role:
        """Whether it is a generator or a critic."""
        return KINDS[self.kind].role


Builder = Callable[[Architecture], nn.Module]  # returns a Generator or a Critic
AnyBuilder = TypeVar("AnyBuilder", bound=Builder)


@dataclass(frozen=True)
class Kind:
    """A registered kind of network."""

    role: Role
    build: Builder
    sides: tuple[int, ...]
    inherits: bool  # whether a thinner generator of this kind can start from the channels of a wider one
    batch_norm: bool  # whether a critic's scores depend on the other pictures of a batch


KINDS: dict[str, Kind] = {}


def register(
    name: str, role: Role, sides: tuple[int, ...] = SIDES, inherits: bool = False, batch_norm: bool = False
) -> Callable[[AnyBuilder], AnyBuilder]:
    """A decorator that registers the builder of a kind of network: Architecture -> Generator or Critic.

    Raises ValueError if the name is taken or does not fit the notation.
    """
    if name in KINDS or not re.fullmatch(r"[a-z][a-z-]*", name):
        raise ValueError(f"{name!r} is taken, or is not a name of lower-case letters and hyphens")

    def add(build: AnyBuilder) -> AnyBuilder:
        KINDS[name] = Kind(role, build, sides, inherits, batch_norm)
        return build

    return add


def kinds(role: Role) -> tuple[str, ...]:
    """The names of the registered kinds of generators or critics."""
    return tuple(name for name, kind in KINDS.items() if kind.role == role)


def parse_architecture(name: str, role: Role | None = None, default_side: int = 128) -> Architecture:
    """Parse a network name such as `big/4@64`. Raises UserError if it is unknown or has another role."""
    known = kinds(role) if role else tuple(KINDS)
    match = re.fullmatch(r"([a-z-]+)(?:/([0-9]{1,3}))?(?:@([0-9]{1,4}))?", name.strip())
    if not match or match[1] not in known:
        raise UserError(
            f"Unknown network '{name[:60]}'; use one of {', '.join(known)}, as in {known[0]} or {known[0]}/4@64."
        )
    divisor, side = int(match[2] or 1), int(match[3] or default_side)
    if divisor not in DIVISORS:
        raise UserError(f"'{name}' divides its widths by {divisor}; use {_choices(DIVISORS)}.")
    if side not in (sides := KINDS[match[1]].sides):
        raise UserError(f"'{name}' is for pictures of {side} pixels; use {_choices(sides)}.")
    return Architecture(match[1], divisor, side)


def can_inherit(student: Architecture, teacher: Architecture) -> bool:
    """Whether a student can start from a teacher's channels: same kind and side, not wider, and the kind allows it."""
    alike = (student.kind, student.side) == (teacher.kind, teacher.side)
    return alike and student.divisor >= teacher.divisor and KINDS[student.kind].inherits


def _choices(numbers: tuple[int, ...]) -> str:
    *first, last = map(str, numbers)
    return f"{', '.join(first)} or {last}" if first else last
