"""Types that pass through the whole compiler."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Array, PyTree, Shaped

from jno.utils import Key as Key

Modules = Mapping[int, PyTree]
"""Module with its weights, by `Model.layer_id`."""

Name = tuple[str, str]
"""Kind and tag of an array that expressions read: ``("points", "interior")``."""

GEOMETRY = "@geometry"
"""Name under which the number of each sample's geometry is bound, beside the data of the samples."""

AnyArray = Shaped[Array | np.ndarray, "..."]

Arrays = Mapping[Name, AnyArray]
"""The arrays that expressions read."""

Shape = tuple[int, ...]
