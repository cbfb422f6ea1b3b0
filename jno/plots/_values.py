"""The numbers of a picture: expressions evaluated where it shows them."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float, Num

from ._labels import FIELD
from ._places import Places
from ._scales import ColorScale


@dataclasses.dataclass(frozen=True, eq=False)
class PlottedValues:
    """The values of one expression.

    Attributes:
        label: what it is called.
        places: where the values are; None for a function of time alone.
        times: the times, if it depends on time.
        values: at the times (or once), places, components.
        band: lower and upper end of the central 95 % of its draws.
        role: whether it is a difference of others.
        scale: its colours, where it is drawn as a map.
        group: values of one group share their colours.
        names: of the axes.
        has_streamlines: whether a vector field is drawn with streamlines, not arrows.
    """

    label: str
    places: Places | None
    times: Float[np.ndarray, " T"] | None
    values: Num[np.ndarray, "T N C"]
    band: Num[np.ndarray, "2 T N C"] | None = None
    role: str = FIELD
    scale: ColorScale | None = None
    group: str = ""
    names: tuple[str, ...] = ("x", "y", "z")
    has_streamlines: bool = False

    @property
    def dimension(self) -> int:
        """Number of coordinates of space."""
        return 0 if self.places is None else self.places.dimension

    @property
    def is_vector(self) -> bool:
        """Whether it is drawn with arrows or streamlines."""
        return self.values.shape[-1] == self.dimension == 2

    def at_level(self, level: int) -> PlottedValues:
        """The values at one time; of what does not depend on time all."""
        if self.times is None or self.places is None or len(self.times) == 1:
            return self
        part = slice(level, level + 1)
        band = None if self.band is None else self.band[:, part]
        return dataclasses.replace(self, values=self.values[part], times=self.times[part], band=band)

    def part(self, component: int) -> PlottedValues:
        """One component."""
        part = slice(component, component + 1)
        band = None if self.band is None else self.band[..., part]
        label = self.label if self.values.shape[-1] == 1 else f"{self.label}, component {component + 1}"
        return dataclasses.replace(self, label=label, values=self.values[..., part], band=band)
