"""One number for how well the gradients of the constraints agree."""

from __future__ import annotations

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from ._figures import Figure, panels, series
from ._gradient_analysis import GradientAnalysis, documented
from ._losses import unit_rows


@documented
class GradientAlignment(GradientAnalysis):
    r"""Alignment :math:`2\|\frac1N\sum_i g_i/\|g_i\|\|^2 - 1` of the gradients :math:`g_i` of all constraints.

    It is 1 when all of them point the same way and -1 when they cancel; for two it is the cosine between them.

    ``value`` is a dict with the number ``alignment``, ``result`` has ``epochs`` (S,) and ``alignment`` (S,).

    Example:
        >>> import jno, optax
        >>> alignment = jno.callbacks.gradient_alignment()
        >>> p = jno.np.parameter(()).initialize(0.0).optimizer(optax.sgd(0.0))
        >>> constraints = [(p - 1.0).mse, (p + 1.0).mse]
        >>> _ = jno.core(constraints, domain=jno.domain.line()).solve(1, callbacks=[alignment])
        INFO: compiling
        INFO: epoch ...
        >>> alignment.value["alignment"]
        -1.0

    Source: S. Wang, A. K. Bhartari, B. Li, P. Perdikaris, "Gradient alignment in physics-informed neural networks: a
    second-order optimization perspective", arXiv:2502.00604 (2025).
    """

    fields: ClassVar[tuple[str, ...]] = ("alignment",)

    def _of_gradients(self, gradients: Num[Array, "C P"]) -> Float[Array, ""]:
        mean = jnp.mean(unit_rows(gradients), axis=0)
        return 2.0 * jnp.sum(jnp.abs(mean) ** 2) - 1.0

    def _draw(self, figure: Figure) -> None:
        (axis,) = panels(figure, 1)[0]
        series(axis, self.result["epochs"], self.result["alignment"][:, None], ["alignment"])
        axis.set(yscale="linear", ylim=(-1.05, 1.05), ylabel="gradient alignment")
        axis.axhline(0.0, color="black", linewidth=0.6)
