"""Which fixed parts of expressions are worth computing before the steps of training."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import equinox as eqx
import jax
from jax.extend import core as jex

from jno.trace import Derivative, ModelCall, Node, walk

from ._program import Program
from ._work import work_of_outputs


@dataclasses.dataclass(frozen=True)
class Worth:
    """From which work on a part is worth computing once.

    Attributes:
        per_number: for a number of the result; less is computed again sooner than it is read from memory.
        share: in the work of a step; less is not worth a compilation of its own.
    """

    per_number: float = 64.0
    share: float = 0.005


_SMALL_STEP = 2e6
"""Work of a step that computes nothing."""

_WITH_GRADIENT = 3.0
"""Work of a network and its gradient, in evaluations."""

_WITH_DERIVATIVES = 3.0
"""Work of a network with some derivatives by coordinates, in evaluations."""


def worth_computing_once(program: Program, nodes: Sequence[Node], worth: Worth) -> list[Node]:
    """Those of the nodes that take longer to compute than to read, and a noticeable part of a step."""
    closed = _traced(program, nodes)
    if closed.effects:  # whose it is does not show in the results
        nodes = [node for node in nodes if not _traced(program, [node]).effects]
        closed = _traced(program, nodes)
    least = worth.share * (_SMALL_STEP + _work_of_networks(program))
    costly = []
    for node, work, output in zip(nodes, work_of_outputs(closed), closed.out_avals, strict=True):
        if work.amount >= max(least, worth.per_number * math.prod(output.shape)):
            costly.append(node)
    return costly


def _traced(program: Program, nodes: Sequence[Node]) -> jex.ClosedJaxpr:
    """The evaluation of some nodes at one time level."""
    values = program_of(program, nodes, window=1)
    return jax.make_jaxpr(lambda data: values({}, data))(values.abstract_data)


def _work_of_networks(program: Program) -> float:
    """Estimate of the work of a step: every network multiplies every point with all its matrices."""
    work = 0.0
    counts = {tag: source.shape[-2] for (kind, tag), source in program.sources.items() if kind == "points"}
    for node in walk(program.roots):
        if isinstance(node, ModelCall):
            leaves = jax.tree_util.tree_leaves(eqx.filter(node.model.module, eqx.is_inexact_array))
            entries = sum(leaf.size for leaf in leaves if leaf.ndim > 1)
            points = max((counts.get(tag, 1) for tag in program.graph.tags(node)), default=1)
            work += 2.0 * entries * points * program.layout.samples
    differentiated = any(isinstance(node, Derivative) for node in walk(program.roots))
    return work * _WITH_GRADIENT * (_WITH_DERIVATIVES if differentiated else 1.0)


def program_of(program: Program, nodes: Sequence[Node], window: int | None) -> Program:
    return Program(
        nodes,
        program.domain,
        window=window,
        context=program.context,
        graph=program.graph,
        folds=False,
        point_sets=program.point_sets,
    )
