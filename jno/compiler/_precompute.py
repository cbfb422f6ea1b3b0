"""Finding what is worth computing before the steps of training, and which derivatives of it the steps read."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Hashable, Mapping, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree, Shaped

from jno.domain import SampleRecord
from jno.trace import DerivativeSum, Node, Placeholder, Variable
from jno.utils import get_logger, get_precompute_bytes

from ._data import Entry
from ._directional import Direction
from ._expansions import Basis, Reader, Terms, operator_of
from ._fixed import largest_fixed
from ._graph import bound_in_context
from ._precomputed import NOTHING, PRECOMPUTED, Notes, Precomputed, PrecomputedExpression, name_of
from ._program import Program
from ._taylor import IDENTITY, streams_for
from ._types import GEOMETRY, Arrays, Name
from ._value import Value
from ._work import work_of_outputs
from ._worth import Worth, program_of, worth_computing_once

_LEAST_EPOCHS = 4
"""Least epochs between two replacements of points: what follows from them is computed again at each."""


def precompute(program: Program, modules: Mapping[int, PyTree], worth: Worth | None = None) -> Precomputed:
    """The fixed parts of a program that are worth computing once, with the derivatives its passes read of them.

    Args:
        program: the expressions of training.
        modules: its modules by the number of their models; only shapes matter.
        worth: what is worth it (see `Worth`).

    Returns:
        them; nothing where nothing is worth it, or where the arrays would be larger than `get_precompute_bytes`.
    """
    limit = get_precompute_bytes()
    fixed = largest_fixed(program.roots, program.graph, _bound_tags(program)) if limit else []
    costly = worth_computing_once(program, fixed, Worth() if worth is None else worth) if fixed else []
    if not costly:
        return NOTHING
    notes = Notes(tuple(costly))
    key = jax.random.key(0)
    jax.eval_shape(lambda data, k: program(dict(modules), data, k, notes=notes), program.abstract_data, key)
    plans = [_Planned.of(node, notes, program) for node in costly if isinstance(node, Placeholder)]
    planned = [plan for plan in plans if plan.is_storable]
    nbytes = sum(plan.nbytes for plan in planned)
    if nbytes > limit:
        get_logger().once(
            f"what the expressions have in common in all steps would take {nbytes / 2**20:.0f} MiB and is computed "
            f"anew in each: more than JNO_PRECOMPUTE_MIB={limit // 2**20} allows"
        )
        return NOTHING
    return _precomputed(program, planned) if planned else NOTHING


def _bound_tags(program: Program) -> set[str]:
    """Tags whose arrays stay the same for some epochs."""
    bound = {tag for kind, tag in program.layout.entries if kind in ("points", "times", "tensors")}
    for record in program.domain.samples.resampled:
        if ("points", record.tag) in program.sources and not _stays(program, record):
            bound -= {record.tag, f"n_{record.tag}"}
    return bound


def _stays(program: Program, record: SampleRecord) -> bool:
    """Whether points are replaced between steps, and seldom; others are drawn inside the compiled step."""
    strategy, count = record.resampling_strategy, program.sources["points", record.tag].shape[-2]
    if strategy is None or strategy.begins is None or strategy.redraws_all(count):
        return False
    return strategy.resample_every >= _LEAST_EPOCHS


@dataclasses.dataclass(frozen=True, eq=False)
class _Planned:
    """One expression that will be computed once."""

    node: Placeholder
    value: Value
    basis: Basis
    over_points: bool
    """Whether the first axis runs over points."""
    points: Mapping[Name, int]
    """The points it depends on with their number, of a value over points those it runs over."""
    of_samples: bool
    """Whether samples differ."""
    of_levels: bool
    """Whether time levels differ."""
    nbytes: int
    is_storable: bool
    """Whether the value is an ordinary array: along all points of a tag, or without points."""

    @classmethod
    def of(cls, node: Placeholder, notes: Notes, program: Program) -> _Planned:
        reader, shape = notes.readers[id(node)], notes.shapes[id(node)]
        basis = _basis(reader) if jnp.issubdtype(shape.dtype, jnp.inexact) else _basis_of({}, ())
        tags = {leaf.tag for leaf in bound_in_context([node])} | {GEOMETRY}
        entries = [entry for (_, tag), entry in program.layout.entries.items() if tag in tags]
        of_samples = any(entry.batched for entry in entries)
        of_levels = any((entry.levels or 1) > 1 for entry in entries)
        count = (program.layout.samples if of_samples else 1) * (program.layout.levels if of_levels else 1)
        nbytes = count * math.prod(shape.shape) * shape.dtype.itemsize * len(basis.streams.basis)
        counts = {name: source.shape[-2] for name, source in program.sources.items() if name[0] == "points"}
        along = reader.value.point_axis == 0 and shape.shape[0] > 1
        points = {n: count for n, count in counts.items() if n[1] in tags and (not along or count == shape.shape[0])}
        # values at some of the points, and those that take part in promotion as numbers do, stay in the step
        is_storable = reader.value.point_axis in (0, None) and (bool(points) or not along) and not shape.weak_type
        return cls(node, reader.value, basis, along, points, of_samples, of_levels, nbytes, is_storable)

    def roots(self, program: Program) -> list[Node]:
        """The value and the derivatives as nodes, in the order of the basis."""
        variables = tuple(_variable(direction) for direction in self.basis.directions)
        sums = [op.terms for op, _ in self.basis.streams.basis if op != IDENTITY]
        derivatives = [DerivativeSum(self.node, variables, tuple((w, m) for m, w in terms)) for terms in sums]
        return [self.node, *map(program.graph.intern, derivatives)]


def _basis(reader: Reader) -> Basis:
    """The derivatives from which all that were read are combined."""
    distinct = dict.fromkeys(direction for terms in reader.read for factors, _ in terms for direction in factors)
    return _basis_of({direction: number for number, direction in enumerate(distinct)}, tuple(reader.read))


def _basis_of(directions: Mapping[Hashable, int], read: Sequence[Terms]) -> Basis:
    return Basis(directions, streams_for([IDENTITY, *(operator_of(terms, directions) for terms in read)]))


def _variable(direction: Hashable) -> Variable:
    assert isinstance(direction, Direction)
    assert direction.variable is not None, "a variable asked for the derivative"
    return direction.variable


def _precomputed(program: Program, planned: Sequence[_Planned]) -> Precomputed:
    """The arrays of some expressions: those that samples or levels share are computed once for all of these."""
    groups: dict[tuple[bool, bool], list[int]] = {}
    for number, plan in enumerate(planned):
        groups.setdefault((plan.of_samples, plan.of_levels), []).append(number)
    programs = {
        kind: program_of(program, [root for n in members for root in planned[n].roots(program)], None if kind[1] else 1)
        for kind, members in groups.items()
    }
    names = {
        kind: [name_of(n, position) for n in members for position in range(len(planned[n].basis.streams.basis))]
        for kind, members in groups.items()
    }

    def evaluate(data: Arrays) -> dict[Name, Array]:
        arrays: dict[Name, Array] = {}
        for kind, of_group in programs.items():
            values = of_group({}, data)
            arrays |= zip(names[kind], [_stored(value, of_group.window) for value in values], strict=True)
        return arrays

    read = frozenset(name for of_group in programs.values() for name in of_group.layout.entries)
    zeros = _zeros(evaluate, {name: program.abstract_data[name] for name in read})
    expressions = tuple(
        PrecomputedExpression(
            plan.node,
            plan.value,
            plan.basis,
            {i: name_of(n, i) for i in range(len(plan.basis.streams.basis)) if name_of(n, i) not in zeros},
            plan.over_points,
            plan.points,
        )
        for n, plan in enumerate(planned)
    )
    entries = {
        name: Entry(PRECOMPUTED, 1, plan.of_samples, True, program.layout.levels if plan.of_levels else 1)
        for plan, expression in zip(planned, expressions, strict=True)
        for name in expression.names.values()
    }
    compute = jax.jit(lambda data: {name: array for name, array in evaluate(data).items() if name in entries})
    nbytes = sum(
        plan.nbytes * len(expression.names) // len(plan.basis.streams.basis)
        for plan, expression in zip(planned, expressions, strict=True)
    )
    return Precomputed(expressions, entries, lambda data: compute({name: data[name] for name in read}), read, nbytes)


def _stored(value: Shaped[Array, "B ..."], window: int) -> Shaped[Array, "B T ..."]:
    return value if window > 1 else value[:, None]


def _zeros(evaluate: Callable[[Arrays], dict[Name, Array]], data: Mapping[Name, jax.ShapeDtypeStruct]) -> set[Name]:
    """Names of the derivatives that are zero whatever the data is."""
    closed, shapes = jax.make_jaxpr(evaluate, return_shape=True)(data)
    # results are in the order of the sorted names
    pairs = zip(sorted(shapes), work_of_outputs(closed), strict=True)
    return {name for name, work in pairs if work.zero and not name[1].endswith(".0")}
