"""What an exported expression may depend on: the points of one tag, one time, data of the sample."""

from __future__ import annotations

import dataclasses

from jno.compiler import Program, uses_stencil
from jno.trace import AdaptiveWeight, Integral, IntegralTime, Node, Noise, Print, Reduction, Variable, title, walk

_COORDINATES = ("x", "y", "z")

_HERE = "Evaluate it with crux.eval(...) and write its value into the expression"
_REFUSED: dict[type, str] = {
    AdaptiveWeight: "it weighs losses while they are trained. Leave it out",
    Integral: f"it integrates over the mesh of the domain, which an exported function does not have. {_HERE}",
    IntegralTime: f"it integrates over the time levels, which an exported function does not have. {_HERE}",
    Noise: "it is drawn anew in every step, and an exported function has no random numbers. Leave it out",
    Print: "it prints in this process. Leave it out",
}
_STENCIL = (
    "it is a finite difference on the mesh of the domain, which an exported function does not have. Write this "
    "derivative with scheme='automatic_differentiation'"
)
_REDUCTION = (
    "it runs over all points, and an exported function takes any number of them. Export what is reduced, and reduce "
    "its values"
)
_NORMAL = "normals belong to the boundary of the mesh, which an exported function does not have. Leave it out"


@dataclasses.dataclass(frozen=True)
class ExportArguments:
    """What the arguments of an exported function stand for.

    ``points``: tag of the points or None; ``width``: their number of coordinates; ``ends_with_time``: whether the last
    of them is a time that every point has for itself; ``time``: tag of the time levels or
    None; ``data``: tags with one row per sample, which are arguments; ``tables``: whether any data is used.
    """

    points: str | None
    width: int
    ends_with_time: bool
    time: str | None
    data: tuple[str, ...]
    tables: bool

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Names of the coordinates."""
        width = self.width - self.ends_with_time
        space = _COORDINATES[:width] if width <= len(_COORDINATES) else tuple(f"x{number}" for number in range(width))
        return (*space, "t") if self.ends_with_time else space


def place_of(program: Program) -> ExportArguments:
    """The one place the expressions live at.

    Raises:
        ValueError: they need the mesh, random numbers or all points; they live on several sets of points or times, or
            on none; their data changes in time.
    """
    _refuse_nodes(program)
    entries = program.layout.entries
    points = [tag for kind, tag in entries if kind == "points"]
    variables = [node for node in walk(program.expressions) if isinstance(node, Variable)]
    times = list(dict.fromkeys(v.tag for v in variables if ("times", v.tag) in entries))
    for tags, what in ((points, "sets of points"), (times, "sets of time levels")):
        if len(tags) > 1:
            raise ValueError(
                f"cannot export expressions over several {what} ({', '.join(map(repr, tags))}): an exported function "
                "takes the coordinates of one. Export them one by one"
            )
    if not points and not times:
        raise ValueError(
            "cannot export expressions without coordinates: nothing in them depends on a point or on time. Read the "
            "value with crux.eval(...)"
        )
    tables = {tag: entry for (kind, tag), entry in entries.items() if kind == "tensors"}
    for tag, entry in tables.items():
        if entry.levels is not None and entry.levels > 1:
            raise ValueError(
                f"cannot export an expression of the data {tag!r}: it has a row for each of {entry.levels} time levels"
            )
    width = program.context[points[0]].shape[-1] if points else 0
    return ExportArguments(
        points[0] if points else None,
        width,
        bool(points) and program.domain.has_times(points[0]),
        times[0] if times else None,
        tuple(tag for tag, entry in tables.items() if entry.batched),
        bool(tables),
    )


def _refuse_nodes(program: Program) -> None:
    normals = program.domain.normal_tags
    for node in walk(program.expressions):
        reason = _REFUSED.get(type(node))
        if uses_stencil(node):
            reason = _STENCIL
        elif isinstance(node, Variable) and node.tag in normals:
            reason = _NORMAL
        elif isinstance(node, Reduction) and _over_points(node, program):
            reason = _REDUCTION
        if reason is not None:
            raise ValueError(f"cannot export {_name(node)}: {reason}")


def _over_points(node: Node, program: Program) -> bool:
    return any(("points", tag) in program.layout.entries for tag in program.graph.tags(node))


def _name(node: Node) -> str:
    label = f" “{node.metadata.label}”" if node.metadata.label else ""
    return f"'{title(node)}'{label}"
