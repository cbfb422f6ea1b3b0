"""Weights that follow the losses during training."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ._placeholder import Placeholder


@dataclasses.dataclass(frozen=True)
class Balanced:
    """A rule that weighs some losses against each other; what its weights have in common.

    Attributes:
        rule: a balancer of ``jno.fn.adaptive``.
        mode: how the losses are scaled before the rule sees them.
        eps: the least loss the rule sees.
    """

    rule: Any
    mode: str
    eps: float


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class AdaptiveWeight(Placeholder):
    """The weight of one of several losses: a number that training changes and no gradient reaches."""

    child_fields: ClassVar[tuple[str, ...]] = ("losses",)
    binds: ClassVar[bool] = True
    losses: tuple[Placeholder, ...]
    balanced: Balanced
    index: int

    def describe(self) -> str:
        return f"{type(self.balanced.rule).__name__}[{self.index}]"

    def stops_gradient(self) -> bool:
        return True
