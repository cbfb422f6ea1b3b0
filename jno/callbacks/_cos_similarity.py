"""The angles between the gradients of the constraints."""

from __future__ import annotations

import itertools
from typing import ClassVar

import numpy as np
from jaxtyping import Array, Float, Num

from ._figures import Axes, Figure, panels, series
from ._gradient_analysis import GradientAnalysis, documented
from ._losses import unit_rows

_FEW = 12  # constraints whose cosines are written into the matrix


@documented
class CosSimilarity(GradientAnalysis):
    r"""Cosines :math:`\nabla L_i\cdot\nabla L_j / (\|\nabla L_i\|\|\nabla L_j\|)` between the gradients of constraints.

    Negative ones are conflicts: a step that lowers one loss raises the other. A gradient that is zero has the
    cosine 0 with all gradients, itself included.

    ``value`` is a dict with ``cos_sim_matrix`` (N, N) for ``N`` constraints, ``result`` has ``epochs`` (S,) and
    ``cos_sim_matrix`` (S, N, N).

    Example:
        >>> import jno, optax
        >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
        >>> p = jno.np.parameter(()).initialize(0.0).optimizer(optax.sgd(0.0))
        >>> cosines = jno.callbacks.cos_similarity()
        >>> _ = jno.core([(p + 0 * x - 1).mse, (p + 0 * x + 1).mse]).solve(1, callbacks=[cosines])
        INFO: compiling
        INFO: epoch ...
        >>> cosines.value["cos_sim_matrix"].tolist()
        [[1.0, -1.0], [-1.0, 1.0]]

    Source: T. Yu et al., "Gradient surgery for multi-task learning", NeurIPS (2020).
    """

    fields: ClassVar[tuple[str, ...]] = ("cos_sim_matrix",)

    def _of_gradients(self, gradients: Num[Array, "C P"]) -> Float[Array, "C C"]:
        units = unit_rows(gradients)
        return (units.conj() @ units.T).real

    def _draw(self, figure: Figure) -> None:
        epochs, matrices = self.result["epochs"], self.result["cos_sim_matrix"]
        pairs = list(itertools.combinations(range(len(self._names)), 2))
        axes = panels(figure, 1, 2 if pairs else 1)[0]
        self._draw_matrix(figure, axes[0], matrices[-1])
        axes[0].set_title(f"epoch {epochs[-1]}")
        if pairs:
            names = [f"{self._names[i]}, {self._names[j]}" for i, j in pairs]
            series(axes[1], epochs, np.stack([matrices[:, i, j] for i, j in pairs], axis=1), names)
            axes[1].set(yscale="linear", ylim=(-1.05, 1.05), ylabel="cosine")
            axes[1].axhline(0.0, color="black", linewidth=0.6)
            axes[1].set_title(names[0] if len(pairs) == 1 else "pairs")

    def _draw_matrix(self, figure: Figure, axis: Axes, matrix: Float[np.ndarray, "C C"]) -> None:
        image = axis.imshow(matrix, cmap="RdBu", vmin=-1.0, vmax=1.0)
        ticks = range(len(self._names))
        axis.set_xticks(ticks, self._names, rotation=30, ha="right")
        axis.set_yticks(ticks, self._names)
        for (i, j), cosine in np.ndenumerate(matrix) if len(self._names) <= _FEW else ():
            colour = "white" if abs(cosine) > 0.6 else "black"
            axis.text(j, i, f"{cosine:.2f}", ha="center", va="center", color=colour, fontsize="small")
        figure.colorbar(image, ax=axis, label="cosine")
