"""Types that pass through many rooms."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Array

Key: TypeAlias = Array | np.ndarray
"""A key of `jax.random`; one that was read from a file is a NumPy array."""

Axes: TypeAlias = Any
"""A `matplotlib.axes.Axes`; matplotlib is imported only where something is drawn."""

Figure: TypeAlias = Any
"""A `matplotlib.figure.Figure`."""
