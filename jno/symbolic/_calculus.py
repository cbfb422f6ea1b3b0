"""Differential and integral operators in function form."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Inexact

from jno.trace import OPERAND, VARIABLE, FunctionCall, Model, Placeholder, as_node, build_curl, build_divergence
from jno.utils import Kind, SharedDocumentation, checked
from jno.utils.ad_mode import AUTOMATIC

from ._arrays import concat
from ._components import VECTOR, components
from ._tensors import symmetric_part

_documented = SharedDocumentation(
    {
        "target": "expression.",
        "variables": "one `Variable`, or a list of them.",
        "scheme": '``"automatic_differentiation"`` (default) or ``"finite_difference"``, with their suffixes.',
    },
    raises={"TypeError": "not a `Variable`, or none.", "ValueError": "unknown scheme."},
)
_documented_hessian = _documented.extended(
    {
        "scheme": '``"automatic_differentiation"`` (default), whose suffixes ``:fwd-over-rev`` and so on choose the '
        'composition, or ``"finite_difference"``, with its suffixes.'
    }
)
_documented_curl = _documented.extended(
    {
        "f_x": "first component.",
        "f_y": "second component.",
        "f_z": "third component.",
        "x": "first variable.",
        "y": "second variable.",
        "z": "third variable.",
    },
    raises={},
)

_VARIABLES = Kind(
    "a Variable from domain.variable(...), or a list of them",
    lambda value: all(map(VARIABLE.accepts, value if isinstance(value, list | tuple) else (value,))),
    TypeError,
)
_DIRECTION = Kind(
    "a Variable from domain.variable(...), a list of them, or a network",
    lambda value: isinstance(value, Model) or _VARIABLES.accepts(value),
    TypeError,
)


def _listed(variables: object) -> tuple[Any, ...]:
    return tuple(variables) if isinstance(variables, list | tuple) else (variables,)


@_documented
@checked(target=OPERAND, variable=_DIRECTION)
def grad(target: object, variable: object, scheme: str = AUTOMATIC) -> Placeholder:
    r"""Gradient :math:`\partial u/\partial v`; the method forms are ``u.d(x)`` and ``u.grad(x, y)``.

    Args:
        variable: one `Variable`, or a list of them.

    Returns:
        Node of the shape of ``target`` for one variable; for a list of ``k``, ``(N, k)`` (``(N, D, k)`` of a
        vector).

    Raises:
        TypeError: not a `Variable`.
        ValueError: unknown scheme, or an empty list.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x = Variable("interior", [0, 1], None)
        >>> jno.np.grad(jno.np.sin(x), x)
        d(sin(…), Var(interior[[0, 1]]))
    """
    return jacobian(target, variable, scheme)


@_documented
@checked(target=OPERAND, variables=_VARIABLES)
def jacobian(target: object, variables: object, scheme: str = AUTOMATIC) -> Placeholder:
    r"""First derivatives :math:`J_{ij} = \partial u_i/\partial v_j`.

    Returns:
        Node ``(N, k)`` for a scalar and ``(N, D, k)`` for a vector with ``D`` components; for one variable,
        the shape of ``target``.

    Raises:
        TypeError: not a `Variable`.
        ValueError: unknown scheme, or no variables.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, y = Variable("interior", [0, 1], None), Variable("interior", [1, 2], None)
        >>> jno.np.jacobian(x * y, [x, y])
        grad(*(…), Var(interior[[0, 1]]), Var(interior[[1, 2]]))
    """
    listed = _listed(variables)
    if not listed:
        raise ValueError("no variables to differentiate with respect to: give at least one, e.g. [x, y]")
    if len(listed) == 1:
        return as_node(target).d(listed[0], scheme)
    return as_node(target).grad(*listed, scheme=scheme)


@_documented_hessian
@checked(target=OPERAND, variables=_VARIABLES)
def hessian(target: object, variables: object, scheme: str = AUTOMATIC) -> Placeholder:
    r"""Second derivatives :math:`H_{ij} = \partial^2 u/\partial v_i\partial v_j`.

    Returns:
        Node ``(N, k, k)``, or ``(N, D, k, k)`` for a vector.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, y = Variable("interior", [0, 1], None), Variable("interior", [1, 2], None)
        >>> jno.np.hessian(x * y, [x, y])
        hessian(*(…), Var(interior[[0, 1]]), Var(interior[[1, 2]]))
    """
    return as_node(target).hessian(*_listed(variables), scheme=scheme)


@_documented_hessian
@checked(target=OPERAND, variables=_VARIABLES)
def laplacian(target: object, variables: object, scheme: str = AUTOMATIC) -> Placeholder:
    r"""Laplacian :math:`\sum_j \partial^2 u/\partial v_j^2`, component-wise.

    Returns:
        Node of the shape of ``target``.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, y = Variable("interior", [0, 1], None), Variable("interior", [1, 2], None)
        >>> jno.np.laplacian(x * y, [x, y])
        laplacian(*(…), Var(interior[[0, 1]]), Var(interior[[1, 2]]))
    """
    return as_node(target).laplacian(*_listed(variables), scheme=scheme)


laplace = laplacian


@_documented
@checked(vector=VECTOR, variables=_VARIABLES)
def divergence(vector: object, variables: object, scheme: str = AUTOMATIC) -> Placeholder:
    r"""Divergence :math:`\sum_j \partial F_j/\partial v_j`.

    Args:
        vector: list of components, or a vector expression ``(N, k)``.
        variables: list of as many variables.

    Returns:
        Node ``(N, 1)``.

    Raises:
        ValueError: counts differ (for a vector expression: when compiled), or no variables.
        TypeError: not a `Variable`.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, y = Variable("interior", [0, 1], None), Variable("interior", [1, 2], None)
        >>> jno.np.divergence([x, y], [x, y])
        +(d(…), d(…))
    """
    listed = _listed(variables)
    if not listed:
        raise ValueError("divergence needs at least one variable, e.g. jno.np.divergence([u, v], [x, y])")
    parts = components(vector, len(listed), "the vector of a divergence")
    total: Placeholder
    total, *remaining = [as_node(part).d(variable, scheme) for part, variable in zip(parts, listed, strict=True)]
    for term in remaining:
        total = total + term
    return total


div = divergence


@build_divergence.register
def _divergence(target: Placeholder, variables: tuple[object, ...]) -> Placeholder:
    return divergence(target, list(variables))


@build_curl.register
def _curl(target: Placeholder, variables: tuple[object, ...]) -> Placeholder:
    if len(variables) not in (2, 3):
        raise ValueError(f"a curl needs two or three variables, got {len(variables)}")
    parts = components(target, len(variables), "the vector of a curl")
    if len(variables) == 2:
        return curl_2d(parts[0], parts[1], variables[0], variables[1])
    return curl_3d(parts[0], parts[1], parts[2], variables[0], variables[1], variables[2])


@_documented_curl
@checked(f_x=OPERAND, f_y=OPERAND, x=VARIABLE, y=VARIABLE)
def curl_2d(f_x: object, f_y: object, x: object, y: object, scheme: str = AUTOMATIC) -> Placeholder:
    r"""Scalar curl of a plane field: :math:`\partial F_y/\partial x - \partial F_x/\partial y`.

    Returns:
        Node ``(N, 1)``.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, y = Variable("interior", [0, 1], None), Variable("interior", [1, 2], None)
        >>> jno.np.curl_2d(-y, x, x, y)
        -(d(…), d(…))
    """
    return as_node(f_y).d(x, scheme) - as_node(f_x).d(y, scheme)


def curl_components(field: tuple[Any, Any, Any], axes: tuple[Any, Any, Any], scheme: str) -> tuple[Any, Any, Any]:
    """The three components of a curl."""
    (f_x, f_y, f_z), (x, y, z) = map(as_node, field), axes
    return (
        f_z.d(y, scheme) - f_y.d(z, scheme),
        f_x.d(z, scheme) - f_z.d(x, scheme),
        f_y.d(x, scheme) - f_x.d(y, scheme),
    )


@_documented_curl
@checked(f_x=OPERAND, f_y=OPERAND, f_z=OPERAND, x=VARIABLE, y=VARIABLE, z=VARIABLE)
def curl_3d(
    f_x: object, f_y: object, f_z: object, x: object, y: object, z: object, scheme: str = AUTOMATIC
) -> FunctionCall:
    r"""Curl :math:`\nabla\times F` of a field in space.

    Returns:
        Node ``(N, 3)``.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, y, z = (Variable("interior", [i, i + 1], None) for i in range(3))
        >>> jno.np.curl_3d(-y, x, 0.0, x, y, z)
        concat(-(…), -(…), -(…))
    """
    return concat(curl_components((f_x, f_y, f_z), (x, y, z), scheme))


@_documented
@checked(target=VECTOR, variables=_VARIABLES)
def symgrad(target: object, variables: object, scheme: str = AUTOMATIC) -> Placeholder:
    r"""Symmetric gradient :math:`\tfrac12 (J + J^T)` of a vector field, in elasticity the small strain.

    Args:
        target: vector expression ``(N, D)``, or a list of its components.
        variables: list of ``D`` variables.

    Returns:
        Node ``(N, D, D)``; for one variable the derivative itself, ``(N, 1)``.

    Raises:
        ValueError: counts differ (for a vector expression: when compiled).

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, y = Variable("interior", [0, 1], None), Variable("interior", [1, 2], None)
        >>> jno.np.symgrad([x * y, y], [x, y])
        symgrad(grad(…))
    """
    listed = _listed(variables)
    field = target
    if isinstance(target, list | tuple):
        field = concat(components(target, len(listed), "the vector of a symmetric gradient"))
    derivatives = jacobian(field, listed, scheme)
    if len(listed) == 1:
        return derivatives
    return FunctionCall(_symmetric_gradient, [derivatives], "symgrad")


@checked(target=OPERAND, var=VARIABLE)
def integrate(target: object, var: object = None) -> Placeholder:
    r"""Integral :math:`\int u`; same as ``u.integrate(var)``.

    Args:
        target: expression.
        var: None (default): over the region of the expression's variables. A temporal variable: over the time
            window. A spatial one: over the other variables, for each of its points.

    Returns:
        Node: a number per sample, or ``(N, 1)`` with a spatial ``var``.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x = Variable("interior", [0, 1], None)
        >>> jno.np.integrate(x**2)
        Integral(**(…))
    """
    return as_node(target).integrate(var)


def _symmetric_gradient(jacobians: Inexact[ArrayLike, ...]) -> Inexact[jax.Array, ...]:
    matrices = jnp.asarray(jacobians)
    if matrices.ndim < 3 or matrices.shape[-1] != matrices.shape[-2]:
        raise ValueError(
            "symgrad needs a vector with as many components as variables; its Jacobian has the shape "
            f"{matrices.shape} instead of (N, D, D)"
        )
    return symmetric_part(matrices)
