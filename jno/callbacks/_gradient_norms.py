"""The norm of every constraint's gradient."""

from __future__ import annotations

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from ._figures import Figure, panels, series
from ._gradient_analysis import GradientAnalysis, documented


@documented
class GradientNorms(GradientAnalysis):
    r"""Norms :math:`\|\nabla_\theta L_i\|_2` of the gradients of all constraints.

    The gradients are those of the constraints as `jno.core` got them, so ``2.0 * loss`` counts twice; the weights of
    ``jno.fn.adaptive`` count as one. With respect to: the parameters as they are stored (before `Model.constrain`).

    ``value`` is a dict with ``norms`` (N,) for ``N`` constraints, ``result`` has ``epochs`` (S,) and ``norms`` (S, N).

    Example:
        >>> import jno, optax
        >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
        >>> p = jno.np.parameter(()).initialize(3.0).optimizer(optax.sgd(0.0))
        >>> norms = jno.callbacks.gradient_norms()
        >>> _ = jno.core([(p + 0 * x).mse]).solve(1, callbacks=[norms])
        INFO: compiling
        INFO: epoch ...
        >>> float(norms.value["norms"][0])
        6.0

    Source: S. Wang, Y. Teng, P. Perdikaris, "Understanding and mitigating gradient flow pathologies in
    physics-informed neural networks", SIAM J. Sci. Comput. 43 (2021).
    """

    fields: ClassVar[tuple[str, ...]] = ("norms",)

    def _of_gradients(self, gradients: Num[Array, "C P"]) -> Float[Array, " C"]:
        return jnp.linalg.norm(gradients, axis=1)

    def _draw(self, figure: Figure) -> None:
        (axis,) = panels(figure, 1)[0]
        series(axis, self.result["epochs"], self.result["norms"], self._names)
        axis.set_ylabel("norm of the gradient")
