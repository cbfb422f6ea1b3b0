"""`Program`: a list of expressions compiled into one pure function of weights, data and a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jno.trace import IntegralTime, Node, Variable, walk

from . import _lower_derivatives, _lower_integrals, _lower_leaves, _lower_models, _lower_operations  # noqa: F401
from ._data import prepare
from ._finite_difference import MeshStencils, uses_stencil
from ._graph import Graph, noise_nodes, point_tag, spatial_tags
from ._scope import Bindings, Scope, Setting

_WINDOW_STREAM = 0x7E57
"""Random stream of the window start, apart from those of noise (0, 1, …) and dropout (model ids)."""


class Program:
    """Expressions bound to a domain, ready to be traced by ``jax.jit``.

    Calling it evaluates every expression with shared sub-expressions computed once:
    ``program(modules, program.data, key) -> tuple of arrays``, each of shape ``(B, …)``, or ``(B, W, …)`` for a window
    of ``W > 1`` time levels; expressions of parameters only are returned as they are.

    Args:
        expressions: nodes of the trace.
        domain: the domain their variables belong to.
        window: number of consecutive time levels (clamped to what there is); ``None`` takes all.
        context: arrays by tag; default: the domain's own.
        graph: interned nodes to share with other programs.
    """

    def __init__(
        self,
        expressions: Sequence[Node],
        domain: Any,
        *,
        window: int | None = 1,
        context: Mapping[str, Any] | None = None,
        graph: Graph | None = None,
    ) -> None:
        self.graph = graph if graph is not None else Graph()
        self.domain = domain
        self.roots = [self.graph.intern(expression) for expression in expressions]
        self.draws = number_draws(self.roots)
        self.models = sorted(set().union(*(self.graph.models(r) for r in self.roots)), key=lambda m: m.layer_id)
        context = domain.context if context is None else context
        self.layout, self.data = prepare(context, domain, self._context_tags(), self._stencil_tags())
        self.window = self.layout.levels if window is None else max(1, min(window, self.layout.levels))
        self.stencils = None if domain.mesh_connectivity is None else MeshStencils(domain.mesh_connectivity)
        self._raw = [not self.graph.tags(r) and not noise_nodes([r]) for r in self.roots]

    def _context_tags(self) -> frozenset[str]:
        """Tags that must be bound: what the values depend on and the regions integrals and derivatives name."""
        tags = frozenset[str]().union(*(self.graph.tags(root) for root in self.roots))
        variables = [node for node in walk(self.roots) if isinstance(node, Variable)]
        tags |= {v.tag for v in variables} | {point_tag(v) for v in variables if v.axis == "spatial"}
        if any(isinstance(node, IntegralTime) for node in walk(self.roots)):
            tags |= {"__time__"}
        if self.domain.is_time_dependent and any(v.axis == "spatial" for v in variables):
            tags |= {"__time__"}
        return tags

    def _stencil_tags(self) -> frozenset[str]:
        nodes = [node for node in walk(self.roots) if uses_stencil(node)]
        return frozenset(
            point_tag(v) for node in nodes for v in node.children() if isinstance(v, Variable) and v.axis == "spatial"
        )

    def __call__(
        self, modules: dict[int, Any], data: Mapping[Any, Any], key: Any = None, shapes: Any = None
    ) -> tuple[Any, ...]:
        """Evaluate all expressions; pure, to be traced.  ``shapes`` collects the per-sample shape of every node."""
        batched = self.layout.batched
        count = data[batched[0]].shape[0] if batched else 1

        def sample(rows: Mapping[Any, Any], sample_key: Any) -> tuple[Any, ...]:
            return self._sample(modules, rows, sample_key, shapes)

        keys = None if key is None else jax.random.split(key, count)
        rows = {k: self._shared_row(k, a) for k, a in data.items()}
        if count == 1:
            rows.update({k: data[k][0] for k in batched})
            values = sample(rows, None if keys is None else keys[0])
            return tuple(v if raw else v[None] for v, raw in zip(values, self._raw, strict=True))
        axes = ({k: 0 if k in batched else None for k in data}, None if keys is None else 0)
        out_axes = tuple(None if raw else 0 for raw in self._raw)
        values = jax.vmap(sample, in_axes=axes, out_axes=out_axes)(rows, keys)
        return tuple(values)

    def sample_counts(self) -> tuple[int, ...]:
        """Leading dimension each expression has on its own: 1 when the samples share everything it depends on."""
        batched = {tag for _, tag in self.layout.batched}
        return tuple(self.layout.samples if self.graph.tags(r) & batched else 1 for r in self.roots)

    def has_sample_axis(self, position: int) -> bool:
        """Whether the value of an expression has a leading sample axis (all but those of parameters only)."""
        return not self._raw[position]

    def _shared_row(self, key: tuple[str, str], array: Any) -> Any:
        entry = self.layout.entries[key]
        return array[0] if entry.has_batch_axis and not entry.batched else array

    def _sample(self, modules: dict[int, Any], rows: Mapping[Any, Any], key: Any, shapes: Any) -> tuple[Any, ...]:
        """One sample: select the time window, then evaluate level by level."""
        window, levels = self.window, self.layout.levels
        start: Any = 0
        if window < levels and key is not None:
            start = jax.random.randint(jax.random.fold_in(key, _WINDOW_STREAM), (), 0, levels - window + 1)
        chosen = {k: self._in_window(k, array, start) for k, array in rows.items()}
        bindings = self._bindings(chosen)
        if window == 1:
            return self._level(modules, bindings, key, shapes)
        mapped = {k: 0 if (self.layout.entries[k].levels or 1) > 1 else None for k in rows}
        axes = self._bindings(mapped)
        keys = None if key is None else jax.random.split(key, window)

        def level(at: Bindings, level_key: Any) -> tuple[Any, ...]:
            inside = Bindings(at.points, at.times, at.tensors, at.nearest, None)
            whole = (bindings, axes)
            return self._level(modules, inside, level_key, shapes, whole)

        mapped_level = jax.vmap(level, in_axes=(axes, None if keys is None else 0), axis_size=window)
        values = mapped_level(bindings, keys)
        return tuple(v[0] if raw else v for v, raw in zip(values, self._raw, strict=True))

    def _in_window(self, key: tuple[str, str], array: Any, start: Any) -> Any:
        """Drop a time axis of one level; cut the window out of a longer one (one level: index it away)."""
        levels = self.layout.entries[key].levels
        if levels is None:
            return array
        if levels == 1:
            return array if key[0] == "times" else array[0]
        if self.window == 1:
            level = jax.lax.dynamic_index_in_dim(array, start, keepdims=False)
            return level.reshape(1, 1) if key[0] == "times" else level
        cut = jax.lax.dynamic_slice_in_dim(array, start, self.window)
        return cut.reshape(self.window, 1, 1) if key[0] == "times" else cut

    def _bindings(self, rows: Mapping[Any, Any]) -> Bindings:
        tables: dict[str, dict[str, Any]] = {"points": {}, "times": {}, "tensors": {}, "nearest": {}}
        for (kind, tag), array in rows.items():
            tables[kind][tag] = array
        return Bindings(**tables)

    def _level(self, modules: Any, bindings: Bindings, key: Any, shapes: Any, window: Any = None) -> tuple[Any, ...]:
        setting = Setting(self.graph, self.domain, modules, key, self.draws, self.stencils, shapes)
        if window is not None:
            bindings = Bindings(bindings.points, bindings.times, bindings.tensors, bindings.nearest, window)
        scope = Scope(setting, bindings)
        return tuple(jnp.asarray(scope.value(root).array) for root in self.roots)


def number_draws(roots: Sequence[Node]) -> dict[int, tuple[int, str | None]]:
    """Noise node id → (stream number, point tag that fixes its number of rows).

    The tag is that of the smallest enclosing expression with points: ``u + noise`` draws one row per point of ``u``.
    """
    noises = noise_nodes(roots)
    tags: dict[int, str | None] = {}
    for node in walk(roots) if noises else ():
        below = [n for n in noise_nodes([node]) if id(n) not in tags]
        points = spatial_tags([node]) if below else ()
        if points:
            tags.update({id(n): points[0] for n in below})
    return {id(n): (stream, tags.get(id(n))) for stream, n in enumerate(noises)}
