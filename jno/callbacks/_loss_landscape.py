"""The loss on a plane through the weights."""

from __future__ import annotations

from typing import ClassVar, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jno.utils import is_number, require_int

from ._analysis import Analysis, Fields
from ._figures import Figure, panels
from ._losses import Compute, Data, total_of
from ._training_problem import Key, Leaves, Modules, TrainingProblem

_LEVELS = 30

_Tree = TypeVar("_Tree")


class LossLandscape(Analysis[Compute]):
    r"""Total loss :math:`L(\theta + \alpha d_1 + \beta d_2)` on a grid, along two random directions.

    The directions are drawn once, with a fixed key, and scaled at every measurement: each filter of a direction has
    the norm of the same filter of the weights. A filter is a row of a matrix or a kernel of a convolution; a leaf
    with fewer than two axes (a bias, a scalar) is one.

    Args:
        interval: epochs between two measurements.
        mask: booleans like ``crux.models``, the parameters that move; default None: all that are trained.
        n_grid: points per direction, at least 2. With an odd number the centre is the current loss.
        alpha_range: the grid covers ``[-alpha_range, alpha_range]`` in both directions.

    ``value`` is a dict with ``landscapes`` (n_grid, n_grid): rows are along the first direction; ``result`` has
    ``epochs`` (S,) and ``landscapes`` (S, n_grid, n_grid). The loss is computed at one grid point after the other.

    Raises:
        ValueError: an option out of range; when training begins: a mask that does not fit.

    Example:
        >>> import jno, optax
        >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
        >>> p = jno.np.parameter(()).initialize(3.0).optimizer(optax.sgd(0.0))
        >>> landscape = jno.callbacks.loss_landscape(n_grid=3)
        >>> _ = jno.core([(p + 0 * x).mse]).solve(1, callbacks=[landscape])
        INFO: compiling
        INFO: epoch ...
        >>> float(landscape.value["landscapes"][1, 1])
        9.0

    Source: H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein, "Visualizing the loss landscape of neural nets",
    NeurIPS (2018).
    """

    fields: ClassVar[tuple[str, ...]] = ("landscapes",)

    def __init__(
        self, interval: int = 500, mask: object = None, n_grid: int = 15, alpha_range: float | int = 1.0
    ) -> None:
        super().__init__(interval, mask)
        if not is_number(alpha_range) or alpha_range <= 0.0:
            raise ValueError(f"LossLandscape(alpha_range={alpha_range!r}): alpha_range must be above 0, and finite")
        self.n_grid = require_int(n_grid, "LossLandscape(n_grid)", minimum=2)
        self.alpha_range = float(alpha_range)

    def _tool(self, problem: TrainingProblem) -> Compute:
        total = total_of(problem.program)
        ticks = jnp.linspace(-self.alpha_range, self.alpha_range, self.n_grid)
        steps = jnp.stack(jnp.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2)

        def landscape(looked_at: Leaves, fixed: Modules, data: Data, key: Array) -> Float[Array, "n n"]:
            across, along = (_direction(looked_at, jax.random.key(number)) for number in range(2))

            def at(step: Float[Array, 2]) -> Float[Array, ""]:
                def stepped(w: Array, d: Array, e: Array) -> Array:
                    return (w + step[0] * d + step[1] * e).astype(w.dtype)

                return total(jax.tree_util.tree_map(stepped, looked_at, across, along), fixed, data, key)

            return jax.lax.map(at, steps).reshape(self.n_grid, self.n_grid)

        return eqx.filter_jit(landscape)

    def _measure(self, tool: Compute, problem: TrainingProblem, trainable: Leaves, key: Key) -> Fields:
        return {"landscapes": tool(*problem.split(trainable), problem.program.data, key)}

    def _draw(self, figure: Figure) -> None:
        epochs, landscapes = self.result["epochs"], self.result["landscapes"]
        numbers = [0, len(epochs) - 1] if len(epochs) > 1 else [0]
        axes = panels(figure, 1, len(numbers))[0]
        along = np.linspace(-self.alpha_range, self.alpha_range, self.n_grid)
        for axis, number in zip(axes, numbers, strict=True):
            values, label = landscapes[number], "loss"
            if np.isfinite(values).all() and (values > 0).all():
                values, label = np.log10(values), "$\\log_{10}$ loss"
            filled = axis.contourf(along, along, np.ma.masked_invalid(values.T), levels=_LEVELS, cmap="viridis")
            axis.plot(0.0, 0.0, marker="+", color="white", markersize=10)
            axis.set(title=f"epoch {epochs[number]}", xlabel="$\\alpha$", ylabel="$\\beta$", aspect="equal")
            figure.colorbar(filled, ax=axis, label=label)


def _direction(weights: _Tree, key: Array) -> _Tree:
    leaves, tree = jax.tree_util.tree_flatten(weights)
    scaled = []
    for number, leaf in enumerate(leaves):
        random = jax.random.normal(jax.random.fold_in(key, number), leaf.shape, jnp.result_type(float))
        axes = tuple(range(1, leaf.ndim)) if leaf.ndim > 1 else None
        size = jnp.sqrt(jnp.sum(random**2, axis=axes, keepdims=True))
        norm = jnp.sqrt(jnp.sum(jnp.abs(leaf) ** 2, axis=axes, keepdims=True))
        scaled.append((random * norm / size).reshape(leaf.shape))
    return jax.tree_util.tree_unflatten(tree, scaled)
