"""`PointFunction`: a point-wise expression as a function of points, fields and modules, without a domain's samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Inexact, Shaped

from jno.domain import domain as Domain
from jno.trace import (
    CELL_SIZE,
    Derivative,
    FieldValue,
    Model,
    Node,
    TensorTag,
    Variable,
    is_normal,
    point_tag,
    title,
    walk,
)

from ._collapse import collapse
from ._facts import analyse
from ._graph import Graph, models_of
from ._pairing import Pairings
from ._passes import run_passes
from ._row_quadrature import RowQuadratures
from ._scope import Bindings, Channel, Scope, Setting
from ._types import Modules
from ._value import Value

FieldArrays = Mapping[FieldValue, Mapping[Channel, Shaped[Array, "Q C"]]]
"""Field of the expression → its derivatives at the points."""


class PointFunction:
    """A point-wise expression at any points of one region.

    Args:
        expression: whose spatial variables all belong to one region.
        domain: that of the variables.

    Attributes:
        fields: the distinct fields in it.
        models: the models in it.
        data: the data tags in it.
    """

    def __init__(self, expression: Node, domain: Domain) -> None:
        self._graph = Graph()
        self._domain = domain
        self._root: Node = self._graph.intern(collapse([self._graph.intern(expression)])[0])
        nodes = list(walk([self._root]))
        self._tags = sorted({v.tag for v in nodes if isinstance(v, Variable) and v.axis == "spatial"})
        self._normal_tags = {v.tag for v in nodes if isinstance(v, Variable) and is_normal(v)}
        self._times = sorted({v.tag for v in nodes if isinstance(v, Variable) and v.axis == "temporal"})
        self._tags += sorted({point_tag(v) for v in nodes if isinstance(v, Variable) and is_normal(v)} - {*self._tags})
        self._quadratures = RowQuadratures(domain)
        self.fields: tuple[FieldValue, ...] = tuple(node for node in nodes if isinstance(node, FieldValue))
        self.models: tuple[Model, ...] = tuple(models_of([self._root]))
        self.data: tuple[TensorTag, ...] = tuple(node for node in nodes if isinstance(node, TensorTag))

    @property
    def title(self) -> str:
        """The expression as it is shown."""
        return repr(self._root)

    @property
    def reads_time(self) -> bool:
        """Whether the time occurs in it other than as what a derivative is taken by."""
        return any(map(_is_time, _values_read(self._root)))

    @property
    def reads_normals(self) -> bool:
        """Whether it contains components of normals."""
        return bool(self._normal_tags)

    def __call__(
        self,
        points: Float[Array, "Q D"],
        normals: Float[Array, "Q D"] | None,
        time: ArrayLike,
        fields: FieldArrays,
        modules: Modules,
        data: Mapping[str, Array],
        sizes: Float[Array, "Q 1"] | None = None,
        *,
        lags: bool = False,
    ) -> Value:
        """The value at the points; pure, to be traced.

        Args:
            points: coordinates of the points.
            normals: outward normals there, on a boundary.
            time: one time for all points.
            fields: what is tabulated of every field.
            modules: by ``Model.layer_id``.
            data: arrays by tag.
            sizes: of the cells that the points lie in (ones).
            lags: see `jno.lag`.
        """
        table = {tag: normals if tag in self._normal_tags else points for tag in self._tags}
        if CELL_SIZE in table:
            table[CELL_SIZE] = jnp.ones((len(points), 1), points.dtype) if sizes is None else sizes
        times = dict.fromkeys(self._times, jnp.reshape(jnp.asarray(time, points.dtype), (1, 1)))
        setting = Setting(
            self._graph,
            self._domain,
            modules,
            None,
            {},
            {model.layer_id: number for number, model in enumerate(self.models)},
            facts=lambda: analyse([self._root], self._graph, []),
            prepare=run_passes,
            pairings=Pairings([], {}),
            quadratures=self._quadratures,
            fields=fields,
            lags=lags,
        )
        return Scope(setting, Bindings(table, times, dict(data), {}, {})).value(self._root)

    def scalar(self, value: Value, count: int) -> Inexact[Array, " Q"]:
        """A value with one number at each of ``count`` points.

        Raises:
            ValueError: it has several, or mixes points.
        """
        array = jnp.asarray(value.array)
        if array.size == 1:
            return jnp.broadcast_to(array.reshape(()), (count,))
        if value.point_axis != 0 or array.shape not in ((count,), (count, 1)):
            raise ValueError(
                f"a term of a weak form must be one number at each point; '{title(self._root)}' has the shape "
                f"{('points' if value.point_axis == 0 else array.shape[0], *array.shape[1:])}: take a component, "
                "jno.np.inner(a, b), or sum the components"
            )
        return array.reshape(-1)

    def vector(self, value: Value, count: int, components: int) -> Inexact[Array, "N C"]:
        """A value with ``components`` numbers at each of ``count`` points; one number stands for all components.

        Raises:
            ValueError: another number of components.
        """
        array = jnp.asarray(value.array)
        if value.point_axis is None and array.ndim <= 1:
            array = jnp.broadcast_to(array, (1, *array.shape)) if array.ndim else array.reshape(1, 1)
        elif array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[0] not in (1, count) or array.shape[1] not in (1, components):
            raise ValueError(
                f"'{title(self._root)}' has {array.shape[-1]} components at each point, and {components} are needed"
            )
        return jnp.broadcast_to(array, (count, components))

    def channels(self, modules: Modules, data: Mapping[str, Array], dtype: Any) -> dict[FieldValue, list[Channel]]:
        """The derivatives of every field that the expression reads, in a fixed order."""
        dimension = self._domain.dimension
        recorders = {field: _Recorder(field.field.components, dtype) for field in self.fields}
        points = jax.ShapeDtypeStruct((_ABSTRACT, dimension), dtype)
        # abstract evaluation: nothing is computed
        jax.eval_shape(lambda x: self(x, x, jnp.zeros((), dtype), recorders, modules, data).array, points)
        return {field: sorted(recorder.read) for field, recorder in recorders.items()}


def _values_read(root: Node) -> Iterator[Node]:
    """The nodes below an expression whose values it reads: not the coordinates of fields and of derivatives."""
    stack, visited = [root], set[int]()
    while stack:
        node = stack.pop()
        if id(node) in visited:
            continue
        visited.add(id(node))
        yield node
        if isinstance(node, Derivative):
            stack.append(node.target)
        elif not isinstance(node, FieldValue):
            stack.extend(node.children())


def _is_time(node: Node) -> bool:
    return isinstance(node, Variable) and node.axis == "temporal"


_ABSTRACT = 7
"""Number of points of the abstract evaluation; any would do."""


class _Recorder(Mapping[Channel, Array]):
    """Zeros for every derivative, remembering which were read."""

    def __init__(self, components: int, dtype: Any) -> None:
        self._components = components
        self._dtype = dtype
        self.read: set[Channel] = set()

    def __getitem__(self, channel: Channel) -> Array:
        self.read.add(channel)
        return jnp.zeros((_ABSTRACT, self._components), self._dtype)

    def __iter__(self) -> Iterator[Channel]:
        return iter(self.read)

    def __len__(self) -> int:
        return len(self.read)


def unread_inputs(function: Callable[..., Any], arguments: Sequence[object]) -> list[bool]:
    """For every flat input of a function whether no output depends on it, by dead-code elimination of its jaxpr."""
    from jax.interpreters import partial_eval

    closed = jax.make_jaxpr(function)(*arguments)
    _, used = partial_eval.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars))
    return [not flag for flag in used]


def constant_zeros(function: Callable[..., Any], arguments: Sequence[object]) -> list[list[bool]]:
    """Which rows of every flat output, along its first axis, are zero whatever the inputs are.

    A row is that only if the output does not depend on any input: it is a constant of the function's jaxpr.
    """
    from jax.interpreters import partial_eval

    closed = jax.make_jaxpr(function)(*arguments)
    count = len(closed.jaxpr.outvars)
    chosen = [[position == number for position in range(count)] for number in range(count)]
    constant = [not any(partial_eval.dce_jaxpr(closed.jaxpr, choice)[1]) for choice in chosen]
    reduced, _ = partial_eval.dce_jaxpr(closed.jaxpr, constant)
    # compiled as a whole: primitive by primitive it would be one program for each
    values = iter(jax.jit(lambda: jax.core.eval_jaxpr(reduced, closed.consts))() if any(constant) else [])
    return [
        [not row.any() for row in np.asarray(next(values))] if is_constant else [False] * variable.aval.shape[0]
        for variable, is_constant in zip(closed.jaxpr.outvars, constant, strict=True)
    ]
