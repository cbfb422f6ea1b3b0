"""What shows about a program when it is traced on other point sets, without computing anything."""

from __future__ import annotations

import equinox as eqx
import jax

from ._program import Program
from ._scope import NotPointwiseError
from ._types import Name, Shape


def is_pointwise(program: Program) -> bool:
    """Whether the values at a point follow from that point alone: no network couples points, every value has them."""
    if any(map(program.facts.networks_couple_points, program.roots)):
        return False
    strict = Program(
        program.expressions,
        program.domain,
        window=program.window,
        context=program.context,
        graph=program.graph,
        pointwise_only=True,
    )
    try:
        _traced(strict, dict(program.abstract_data))
    except NotPointwiseError:
        return False
    return True


def shapes_with_more_points(program: Program, more: int, tag: str | None = None) -> list[Shape]:
    """Shapes of the values if the point sets had some more points.

    Args:
        program: the expressions.
        more: number of additional points.
        tag: whose points; None: those of all tags.

    Raises:
        ValueError: an expression combines the points with something that has one row for each of them.
    """
    names = [("points", tag), ("points", f"n_{tag}"), ("nearest", tag)]
    data = dict(program.abstract_data)
    for name, array in data.items():
        if name in names if tag is not None else name[0] in ("points", "nearest"):
            shape = (*array.shape[:2], array.shape[2] + more, *array.shape[3:])
            data[name] = jax.ShapeDtypeStruct(shape, array.dtype)
    return _traced(program, data)


def _traced(program: Program, data: dict[Name, jax.ShapeDtypeStruct]) -> list[Shape]:
    modules = {model.layer_id: model.module for model in program.models}
    return [value.shape for value in eqx.filter_eval_shape(program, modules, data, jax.random.key(0))]
