"""The extreme eigenvalues of the Hessian of the loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import equinox as eqx
import jax
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from jno.trace import Node
from jno.utils import checked, require_int

from ._analysis import CONSTRAINTS, Analysis, Fields
from ._figures import Figure, panels, series
from ._lanczos import ritz_values, tridiagonal
from ._losses import Compute, Data, total_of
from ._training_problem import Key, Leaves, Modules, TrainingProblem


class HessianSpectrum(Analysis[Compute]):
    r"""Extreme eigenvalues of :math:`\nabla^2_\theta L`, by Lanczos steps on Hessian-vector products.

    The largest is the sharpness: gradient descent with a rate above :math:`2/\lambda_{\max}` is unstable there.

    Args:
        k: number of eigenvalues, at most ``n_iter``: those of largest magnitude.
        n_iter: Lanczos steps, each one product. Eigenvalues at the ends of the spectrum converge first; with as many
            steps as parameters all of them are exact. ``n_iter`` vectors of the size of the weights are kept.
        interval: epochs between two measurements.
        mask: booleans like ``crux.models``, the parameters looked at; default None: all that are trained.
        constraints: some of the expressions given to `jno.core`, the same objects; the Hessian is that of the mean of
            their losses. Default None: all, the total loss.

    ``value`` is a dict with ``eigvals`` (k,), in falling order (fewer where there are fewer parameters), and
    ``sharpness``, the largest eigenvalue; ``result`` has ``epochs`` (S,), ``eigvals`` (S, k) and ``sharpness`` (S,).

    Raises:
        ValueError: an option out of range; when training begins: a mask that does not fit, or an expression that is not
            found among the constraints.

    Example:
        >>> import jno, optax
        >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
        >>> p = jno.np.parameter(()).initialize(3.0).optimizer(optax.sgd(0.0))
        >>> spectrum = jno.callbacks.hessian_spectrum(k=1)
        >>> _ = jno.core([(p + 0 * x).mse]).solve(1, callbacks=[spectrum])
        INFO: compiling
        INFO: epoch ...
        >>> spectrum.value["eigvals"].tolist()
        [2.0]

    Source: B. Ghorbani, S. Krishnan, Y. Xiao, "An investigation into neural net optimization via Hessian eigenvalue
    density", ICML (2019).
    """

    fields: ClassVar[tuple[str, ...]] = ("eigvals", "sharpness")

    @checked(constraints=CONSTRAINTS)
    def __init__(
        self,
        k: int = 10,
        n_iter: int = 30,
        interval: int = 500,
        mask: object = None,
        constraints: Sequence[Node] | None = None,
    ) -> None:
        super().__init__(interval, mask, constraints or ())
        self.k = require_int(k, "HessianSpectrum(k)", minimum=1)
        self.n_iter = require_int(n_iter, "HessianSpectrum(n_iter)", minimum=1)
        if k > n_iter:
            raise ValueError(f"HessianSpectrum(k={k}, n_iter={n_iter}): n_iter steps give n_iter eigenvalues; raise it")
        self._all = constraints is None

    def _tool(self, problem: TrainingProblem) -> Compute:
        constraints = None if self._all else self._expressions
        total = total_of(problem.program, problem.positions(constraints, "HessianSpectrum"))

        def steps(
            looked_at: Leaves, fixed: Modules, data: Data, key: Array
        ) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
            weights, unravel = ravel_pytree(looked_at)
            gradient = jax.grad(lambda w: total(unravel(w), fixed, data, key))

            def product(vector: Float[Array, " P"]) -> Float[Array, " P"]:
                return jax.jvp(gradient, (weights,), (vector,))[1]

            start, lanczos_key = jax.random.split(jax.random.key(0))
            vector = jax.random.normal(start, weights.shape, weights.dtype)
            return tridiagonal(product, vector, min(self.n_iter, weights.size), lanczos_key)

        return eqx.filter_jit(steps)

    def _measure(self, tool: Compute, problem: TrainingProblem, trainable: Leaves, key: Key) -> Fields:
        diagonal, below = tool(*problem.split(trainable), problem.program.data, key)
        values = ritz_values(np.asarray(diagonal), np.asarray(below))
        extreme = values[np.argsort(-np.abs(values), kind="stable")[: self.k]]
        return {"eigvals": np.sort(extreme)[::-1], "sharpness": values.max()}

    def _draw(self, figure: Figure) -> None:
        result = self.result
        axes = panels(figure, 2)[:, 0]
        series(axes[0], result["epochs"], result["sharpness"][:, None], ["sharpness"])
        axes[0].set_ylabel("sharpness")
        count = result["eigvals"].shape[1]
        series(axes[1], result["epochs"], result["eigvals"], [f"$\\lambda_{{{i + 1}}}$" for i in range(count)])
        magnitudes = np.abs(result["eigvals"][result["eigvals"] != 0])
        if magnitudes.size and (result["eigvals"] <= 0).any():
            axes[1].set_yscale("symlog", linthresh=magnitudes.min())
        axes[1].set_ylabel("eigenvalues")
        if count > 1:
            axes[1].legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
