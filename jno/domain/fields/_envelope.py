"""Functions that have prescribed values on parts of the boundary, whatever a network is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jno.trace import FunctionCall, Model, ModelCall, Noise, Placeholder, Variable, free_variables, walk
from jno.utils import FLAG, TEXT, checked, is_real

from ..geometry import Geometry, InverseDistances
from ..mesh import Facets
from ..sampling import DomainView
from ._boundary_parts import (
    boundary_facets_of,
    coordinates_of,
    fewest_facets,
    lie_on,
    meeting_points,
    single_geometry,
    union_of,
)

_CALL = "dirichlet_envelope()"


@dataclass(frozen=True, eq=False)
class _Prescribed:
    """A value on one tag of the boundary."""

    tag: str
    facets: Facets
    value: float | Placeholder


@checked(tag=TEXT, jumps=FLAG)
def dirichlet_envelope(
    self: DomainView, net: object, values: object, *, tag: str = "interior", jumps: bool = False
) -> Placeholder:
    r"""A function with prescribed values on tags of the boundary, exactly, whatever the weights of a network are.

    With the smooth distance :math:`\omega` to all these tags (`distance_function(smooth=True)`) and weights
    :math:`w_k` that are one on tag :math:`k` and zero on the other tags it is

    .. math:: u = \sum_k w_k\,g_k + \omega\,n

    where :math:`n` is the network and :math:`g_k` the values: transfinite interpolation by inverse distances (V.
    Rvachev, T. Sheiko, V. Shapiro, I. Tsukanov, Comput. Aided Geom. Design 18, 2001; N. Sukumar, A. Srivastava, Comput.
    Methods Appl. Mech. Eng. 389, 2022). Everything but the network is computed once for points that stay. On tags that
    are not named the function is free: Neumann and Robin conditions there are losses as usual.

    Args:
        net: an expression such as `net(x, y)`; or a network, which is called at the coordinates (and the time) of
            `tag`.
        values: boundary tag -> number, sequence of numbers (a vector), expression, network or function of the
            coordinates (and the time). Expressions in the coordinates of another tag are evaluated at those of `tag`:
            they must have a meaning inside of the domain as well.
        tag: the sampled tag whose coordinates the function is written in (`interior`). Call it with others,
            `u(xb, yb)`.
        jumps: whether values may differ where two tags meet, as those of a driven lid do. The function then jumps
            there, its derivatives are not bounded, and at the point itself it has one of the two values. Without it
            such values are refused; those that are trained cannot be compared.

    Returns:
        An expression in the coordinates of `tag`, with as many columns as network and values have.

    Raises:
        ValueError: no values, an unknown tag or one that is no boundary, tags that overlap with other values, or
            values that differ where tags meet.
        TypeError: `net` that is neither an expression nor a network, or a value that is none of the above.
        NotImplementedError: merged domains with different geometries.

    Example:
        >>> import jno
        >>> d = jno.domain.line(mesh_size=0.25)
        >>> x, t = d.variable("interior")
        >>> u = d.dirichlet_envelope(jno.np.sin(x), {"left": 2.0, "right": 3.0})
        >>> u.eval()[0, [0, -1], 0].tolist()
        [2.0, 3.0]
    """
    geometry = single_geometry(self, _CALL)
    if not isinstance(values, Mapping) or not values:
        raise ValueError(f"dirichlet_envelope(values) needs a dict boundary tag -> value, not empty; got {values!r}.")
    coordinates = coordinates_of(self, tag)
    arguments = (*coordinates, *_time_of(self, tag))
    free = net(*arguments) if isinstance(net, Model) else net
    if not isinstance(free, Placeholder):
        raise TypeError(f"dirichlet_envelope(net) must be an expression such as net(x, y) or a network; got {net!r}.")
    conditions = [
        _Prescribed(name, boundary_facets_of(self, geometry, name), _value(name, value, arguments))
        for name, value in values.items()
    ]
    _check_overlaps(conditions, geometry.slack)
    if not jumps:
        _check_meetings(conditions, geometry.slack, coordinates[0])
    groups = _by_value(conditions)
    distances = _distances([[condition.facets for condition in group] for group in groups], geometry)
    fields = FunctionCall(distances, coordinates, "boundary_weights", align="broadcast")
    terms = [_column(fields, number) * group[0].value for number, group in enumerate(groups, start=1)]
    # of one value the weight is one: it is written without it, so that its derivatives are exact
    lift = groups[0][0].value if len(groups) == 1 else sum(terms[1:], start=terms[0])
    return _column(fields, 0) * free + lift


def _column(fields: FunctionCall, number: int) -> FunctionCall:
    """One of the columns: the distance (0), or the weight of a part (1, 2, …)."""
    name = "distance" if number == 0 else f"weight_{number}"
    return FunctionCall(partial(_column_of, number=number), [fields], name, align="broadcast")


def _column_of(fields: Float[jax.Array, "N F"], number: int) -> Float[jax.Array, "N 1"]:
    return fields[:, number : number + 1]


def _time_of(domain: DomainView, tag: str) -> tuple[Variable, ...]:
    """The time of the points of a tag on a time-dependent domain."""
    record, width = domain.samples.record(tag), domain.dimension
    if record.times is not None:  # every point has a time of its own
        return (Variable(record.tag, [width, width + 1], domain, axis="temporal"),)
    if not domain.is_time_dependent:
        return ()
    return (Variable(record.time_tag, [0, 1], domain, axis="temporal"),)


def _value(name: object, value: Any, arguments: Sequence[Variable]) -> float | Placeholder:
    """The value on a tag as a number, or as an expression in the coordinates of the sampled tag."""
    if is_real(value):
        return float(value)
    if isinstance(value, Model) or (callable(value) and not isinstance(value, Placeholder)):
        value = value(*arguments)
        return float(value) if is_real(value) else _expression(name, value)
    if isinstance(value, Placeholder):
        variables = {variable.tag for variable in free_variables(value) if variable.axis == "spatial"}
        return value if variables <= {arguments[0].tag} else _expression(name, value(*_spatial(arguments)))
    if isinstance(value, Sequence) and not isinstance(value, str) and value and all(map(is_real, value)):
        rows = partial(_rows, vector=tuple(map(float, value)))
        return FunctionCall(rows, arguments[:1], f"{tuple(value)}", align="broadcast")
    return _expression(name, value)


def _rows(coordinate: Float[jax.Array, "N 1"], vector: tuple[float, ...]) -> Float[jax.Array, "N C"]:
    """The same vector at every point."""
    return jnp.broadcast_to(jnp.asarray(vector, coordinate.dtype), (len(coordinate), len(vector)))


def _spatial(arguments: Sequence[Variable]) -> list[Variable]:
    return [argument for argument in arguments if argument.axis == "spatial"]


def _expression(name: object, value: object) -> Placeholder:
    if not isinstance(value, Placeholder):
        raise TypeError(
            f"dirichlet_envelope: the value on {name!r} must be a number, a sequence of numbers, an expression, or a "
            f"function of the coordinates that returns one; got {value!r}."
        )
    return value


def _by_value(conditions: Sequence[_Prescribed]) -> list[list[_Prescribed]]:
    """Tags with the same value are one part of the boundary."""
    groups: list[list[_Prescribed]] = []
    for condition in conditions:
        group = next((group for group in groups if _same(group[0].value, condition.value)), None)
        if group is None:
            groups.append([condition])
        else:
            group.append(condition)
    return groups


def _same(left: float | Placeholder, right: float | Placeholder) -> bool:
    if isinstance(left, Placeholder) or isinstance(right, Placeholder):
        return left is right
    return left == right


def _distances(groups: Sequence[Sequence[Facets]], geometry: Geometry) -> InverseDistances:
    parts = [fewest_facets(union_of(group, geometry.slack), geometry.slack) for group in groups]
    numbers = np.repeat(np.arange(len(parts)), [len(part.corners) for part in parts])
    return InverseDistances.of(
        np.concatenate([part.corners for part in parts]), np.concatenate([part.normals for part in parts]), numbers
    )


# -- values that contradict each other ----
def _check_overlaps(conditions: Sequence[_Prescribed], slack: float) -> None:
    for left, right in combinations(conditions, 2):
        if _same(left.value, right.value):
            continue
        facets = left.facets.corners, right.facets.corners
        if np.any(lie_on(*facets, slack)) or np.any(lie_on(*facets[::-1], slack)):
            raise ValueError(
                f"dirichlet_envelope: the tags {left.tag!r} and {right.tag!r} overlap and have different values. Name "
                "tags that have no edges or faces in common."
            )


def _check_meetings(conditions: Sequence[_Prescribed], slack: float, coordinate: Variable) -> None:
    """Refuse values that differ where tags meet."""
    for left, right in combinations(conditions, 2):
        if _same(left.value, right.value) or _is_trained(left.value) or _is_trained(right.value):
            continue
        for point in meeting_points(left.facets.corners, right.facets.corners, slack):
            on_left, on_right = (_at(condition.value, point, coordinate) for condition in (left, right))
            if not np.allclose(on_left, on_right, rtol=1e-4, atol=1e-5):
                raise ValueError(
                    f"dirichlet_envelope: {left.tag!r} and {right.tag!r} meet at {_text(point)} and have the values "
                    f"{_shown(on_left)} and {_shown(on_right)} there. Give values that agree where tags meet, or "
                    "jumps=True for a function that jumps there."
                )


def _is_trained(value: float | Placeholder) -> bool:
    """Whether the value is not known before training."""
    return isinstance(value, Placeholder) and any(isinstance(node, ModelCall | Noise) for node in walk([value]))


def _at(value: float | Placeholder, point: Float[np.ndarray, " D"], coordinate: Variable) -> np.ndarray:
    """The value at one point, at all times."""
    if not isinstance(value, Placeholder):
        return np.asarray(value)
    spatial = any(variable.axis == "spatial" for variable in free_variables(value))
    at_point = value(*map(float, point)) if spatial else value
    # the coordinate says which domain to evaluate on, where no variable is left
    return np.asarray((at_point + 0.0 * coordinate).eval())[..., :1, :]


def _text(point: Float[np.ndarray, " D"]) -> str:
    return f"({', '.join(f'{number:.4g}' for number in point)})"


def _shown(value: np.ndarray) -> str:
    return f"{value.item():.4g}" if value.size == 1 else np.array2string(value.ravel()[:4], precision=4)
