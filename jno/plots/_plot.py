"""`plot_expressions`: a picture of expressions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Num

from jno.trace import Node
from jno.utils import save_figure

from ._arrangement import MOST_IN_ROW, PanelRow, rows_of, with_scales
from ._evaluation import Evaluate, PictureSite, evaluated
from ._labels import role_of
from ._options import PlotOptions
from ._panels import LossPanel
from ._scene import SCENES, write_scene


def plot_expressions(
    nodes: Sequence[Any],
    interned: Sequence[Node],
    site: PictureSite,
    evaluate: Evaluate,
    options: PlotOptions,
    losses: Num[np.ndarray, " E"],
) -> Any:
    """The figure of expressions, written to a file where one was named.

    Args:
        nodes: the expressions.
        interned: the same, in which equal parts are one node.
        site: where they are evaluated.
        evaluate: gives their values.
        options: of the picture.
        losses: the loss history.
    """
    from ._animation import animated
    from ._figure import arranged

    roles = [role_of(node, interned) for node in interned]
    results = with_scales(evaluated(list(nodes), roles, site, evaluate, options), options)
    if options.is_animation:
        return animated(results, options)
    rows = rows_of(results, as_curves=options.times is not None)
    if options.losses:
        rows = _with_losses(rows, losses)
    figure = arranged(rows, options.figsize)
    if options.path is not None and options.path.suffix.lower() in SCENES:
        write_scene(results, options.path)
    elif options.path is not None:
        save_figure(figure, options.path, options.dpi)
    return figure


def _with_losses(rows: Sequence[PanelRow], losses: Num[np.ndarray, " E"]) -> list[PanelRow]:
    if not losses.size:
        raise ValueError("plot(losses=True): nothing has been trained; call core.solve first, or leave losses out")
    panel = LossPanel("loss", losses=losses)
    if len(rows[0]) < MOST_IN_ROW or len(rows) > 1:
        return [(*rows[0], panel), *rows[1:]]
    return [*rows, (panel,)]
