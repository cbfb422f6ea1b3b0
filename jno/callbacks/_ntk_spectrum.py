"""The spectrum of the neural tangent kernel of an expression."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jno.trace import NetworkGradient
from jno.utils import require_int

from ._analysis import Analysis, Fields
from ._compiled import Compiled
from ._figures import Figure, panels, series
from ._losses import Data
from ._thinned import thinned
from ._training_problem import Key, Leaves, Modules, TrainingProblem

_CURVES = 8


class NTKSpectrum(Analysis[Compiled]):
    r"""Eigenvalues of the neural tangent kernel :math:`J J^\top`, :math:`J_{ij} = \partial u(x_i)/\partial\theta_j`.

    :math:`u` may be a network or a residual with its derivatives; large eigenvalues belong to what is learned fast.
    They are the squares of the singular values of ``J``, so that small ones have small errors. Where points do not
    depend on each other, ``J`` is computed at the chosen points only.

    Args:
        grad_expr: ``u.grad(net)`` of an expression with one component, also ``u.grad(net.mask(M))``.
        n_points: points at most, chosen evenly among those of the expression (shared between samples and time levels).
        top_k: largest eigenvalues that are listed apart.
        interval: epochs between two measurements.

    ``value`` is a dict: ``trace``, ``lambda_max``, ``lambda_min``, ``condition_number`` (their ratio; infinite for a
    singular kernel), ``eigvals_topk`` (top_k,) and ``all_eigvals`` (n,), both in falling order. ``result`` has
    ``epochs`` (S,) and the same, stacked.

    Raises:
        TypeError: ``grad_expr`` is not a gradient with respect to a network.
        ValueError: an option out of range; when training begins: an expression with several components or without
            points, or of a network that is not in the core.

    Example:
        >>> import jno, optax
        >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
        >>> p = jno.np.parameter(()).initialize(3.0).optimizer(optax.sgd(0.0))
        >>> spectrum = jno.callbacks.ntk_spectrum((p * x).grad(p))
        >>> _ = jno.core([(p * x).mse]).solve(1, callbacks=[spectrum])
        INFO: compiling
        INFO: epoch ...
        >>> spectrum.value["trace"]
        1.25

    Source: S. Wang, X. Yu, P. Perdikaris, "When and why PINNs fail to train: a neural tangent kernel perspective",
    J. Comput. Phys. 449 (2022).
    """

    fields: ClassVar[tuple[str, ...]] = (
        "trace", "eigvals_topk", "lambda_min", "lambda_max", "condition_number", "all_eigvals",
    )  # fmt: skip

    def __init__(self, grad_expr: object, n_points: int = 256, top_k: int = 10, interval: int = 500) -> None:
        if not isinstance(grad_expr, NetworkGradient):
            raise TypeError(
                f"NTKSpectrum takes a gradient with respect to a network, u.grad(net), got {type(grad_expr).__name__}"
            )
        super().__init__(interval, expressions=[grad_expr])
        self.n_points = require_int(n_points, "NTKSpectrum(n_points)", minimum=1)
        self.top_k = require_int(top_k, "NTKSpectrum(top_k)", minimum=1)

    def _tool(self, problem: TrainingProblem) -> Compiled:
        (grad_expr,) = self._expressions
        assert isinstance(grad_expr, NetworkGradient)
        program = thinned(problem, grad_expr, self.n_points)

        def squares(modules: Modules, data: Data, key: Array) -> Float[Array, " n"]:
            (jacobian,) = program(modules, data, key)
            rows = jacobian.reshape(-1, jacobian.shape[-1])
            if len(rows) > self.n_points:
                rows = rows[np.linspace(0, len(rows) - 1, self.n_points).round().astype(int)]
            values = jnp.linalg.svd(rows, compute_uv=False) ** 2
            return jnp.concatenate([values, jnp.zeros(len(rows) - len(values), values.dtype)])

        return Compiled(program, eqx.filter_jit(squares))

    def _measure(self, tool: Compiled, problem: TrainingProblem, trainable: Leaves, key: Key) -> Fields:
        values = np.asarray(tool(problem, trainable, key))
        smallest, largest = values[-1], values[0]
        return {
            "trace": values.sum(),
            "eigvals_topk": values[: self.top_k],
            "lambda_min": smallest,
            "lambda_max": largest,
            "condition_number": largest / smallest if smallest > 0.0 else np.inf,
            "all_eigvals": values,
        }

    def _draw(self, figure: Figure) -> None:
        import matplotlib

        result = self.result
        axes = panels(figure, 1, 2)[0]
        count = len(result["epochs"])
        numbers = np.unique(np.linspace(0, count - 1, min(count, _CURVES)).round().astype(int))
        colours = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.9, len(numbers)))
        for number, colour in zip(numbers, colours, strict=True):
            values = result["all_eigvals"][number]
            positive = values[values > 0.0]
            order = np.arange(1, len(positive) + 1)
            axes[0].plot(order, positive, color=colour, marker=".", label=f"epoch {result['epochs'][number]}")
        axes[0].set(yscale="log", xlabel="number", ylabel="eigenvalue of the kernel")
        axes[0].grid(visible=True, alpha=0.3)
        axes[0].legend(fontsize="small")
        names = ["trace", "lambda_max", "lambda_min"]
        labels = ["trace", "$\\lambda_{\\max}$", "$\\lambda_{\\min}$"]
        series(axes[1], result["epochs"], np.stack([result[name] for name in names], axis=1), labels)
        axes[1].set_yscale("log", nonpositive="mask")
