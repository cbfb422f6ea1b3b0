"""An expression at coordinates that are themselves expressions."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from ._placeholder import Placeholder


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EvaluatedAt(Placeholder):
    """``target`` with the points (or the time) ``tag`` bound to the values of ``coordinates``.

    Re-calling makes it of a derivative at given coordinates, ``u.d(t)(x, 0.0)``: the derivative is taken by variables
    of the alias ``tag``, which nothing outside knows, and evaluated where ``coordinates`` say.

    Attributes:
        tag: alias that variables of ``target`` have as their tag.
        axis: ``"spatial"`` or ``"temporal"``.
        coordinates: one expression per column of the points, or the one time.
    """

    child_fields: ClassVar[tuple[str, ...]] = ("target", "coordinates")
    binds: ClassVar[bool] = True
    target: Placeholder
    coordinates: tuple[Placeholder, ...]
    tag: str
    axis: str

    def describe(self) -> str:
        return "at"

    def follows_from_data(self) -> bool:
        return True
