"""What training passes around: pytrees by model id, data by entry, random keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Array, PyTree

from jno.utils import Key as Key

Leaves: TypeAlias = dict[int, PyTree]
"""Some leaves of the modules by model id, ``None`` elsewhere."""

Modules: TypeAlias = dict[int, PyTree]
"""Modules by model id, complete or without the leaves that are trained."""

Data: TypeAlias = dict[tuple[str, str], Array]
"""The arrays of a program's data."""

Entries: TypeAlias = Mapping[tuple[str, str], Array | np.ndarray]
"""Newer arrays for some entries of a program's data."""

Carried: TypeAlias = Any
"""An array in a registered dataclass, or what JAX puts in its place while it maps over the pytree."""
