"""`fem`: the statement of a weak problem."""

from __future__ import annotations

from typing import Any

from jno.trace import WeakValue
from jno.utils import is_integer

from ._build import WeakForm, build_problem
from ._fem import FEM
from ._solution import NetworkResidual


def fem(constraints: object, *, quad_degree: object = None, element_type: object = None, vec: object = None) -> Any:
    """A weak problem: terms with test functions, and conditions on the unknowns.

    A term is an expression ``a(u, v) - l(v)`` that is linear in a test function ``v``; it is integrated over the region
    of its coordinates, and all terms of the list are summed.  ``u(xb, yb) - g`` prescribes the unknown on a boundary
    (or one component, ``u(xb, yb)[0] - g``), at initial coordinates its initial value, ``u.pin()`` fixes a constant.

    Args:
        constraints: one term or a list.
        quad_degree: degree of the polynomials that the quadrature integrates exactly (twice the highest order of the
            fields, and one more for terms with networks; smaller numbers are raised).
        element_type: kind of the cells, ``"TRI3"`` and so on; it must be that of the mesh.
        vec: number of components; it must be that of the symbols.

    Returns:
        `FEM`.  Where no term has a trial symbol, networks take its place: then an expression whose value is the vector
        of residuals, one for every free test function; its ``.mse`` is a loss for `jno.core`.

    Raises:
        TypeError: an entry that is not an expression.
        ValueError: a term that spans several regions, is not linear in its test function, or means nothing.

    Example:
        >>> import jax, jno
        >>> domain = jno.domain.line(mesh_size=0.25)
        >>> x, _ = domain.variable("interior")
        >>> xb, _ = domain.variable("boundary")
        >>> u, v = domain.fem_symbols()
        >>> with jax.enable_x64(True):
        ...     solution = jno.fem([u.d(x) * v.d(x) - 2 * v, u(xb) - 0.0]).solve()
        >>> solution[1:4].round(4).tolist()
        [0.1875, 0.25, 0.1875]
    """
    problem = build_problem(constraints, quad_degree)
    _check_overrides(problem, element_type, vec)
    if not problem.has_unknowns:
        return WeakValue(NetworkResidual(problem), problem.data)
    return FEM(problem)


def _check_overrides(problem: WeakForm, element_type: object, vec: object) -> None:
    spaces, mesh = problem.system.spaces, problem.system.mesh
    highest = max(space.field.order for space in spaces)
    kind = _ELEMENT_TYPES.get((mesh.dimension, highest))
    if element_type is not None and not (isinstance(element_type, str) and element_type == kind):
        raise ValueError(
            f"jno.fem(element_type={element_type!r}): the mesh has {mesh.cell_kind} cells; leave it out, or say "
            f"what the symbols of order {highest} do{'' if kind is None else f', {kind!r}'}"
        )
    counts = [space.field.components for space in spaces]
    if vec is not None and not (is_integer(vec) and vec in counts):
        raise ValueError(f"jno.fem(vec={vec!r}): the symbols have {counts} components; leave it out")


_ELEMENT_TYPES = {
    (1, 1): "LINE2",
    (1, 2): "LINE3",
    (2, 1): "TRI3",
    (2, 2): "TRI6",
    (3, 1): "TET4",
    (3, 2): "TET10",
}
"""Dimension and order of an element → its usual name."""
