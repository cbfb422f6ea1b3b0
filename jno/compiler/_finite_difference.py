"""Finite-difference derivatives: the target at all mesh nodes, a precomputed stencil, the sampled points' nodes."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float

from jno.differential_operators import (
    DifferentialOperators,
    gradient_stencil,
    hessian_stencil,
    laplacian_stencil,
)
from jno.domain import domain as Domain
from jno.trace import Derivative, Hessian, Jacobian, Node, Variable, point_tag, unaliased

from ._graph import spatial_tags
from ._row_stencils import SampleStencils
from ._scope import Scope
from ._value import Value

TIME_STEP = 1e-3
"""Step of the first central difference in time."""


def uses_stencil(node: Node) -> bool:
    """Whether the node needs mesh values (spatial finite differences)."""
    return isinstance(node, Derivative) and node.uses_stencil


def refuse_points_with_times(node: Node, domain: Domain) -> None:
    """Stencils read the values at all nodes of the mesh at one time."""
    tags = [unaliased(point_tag(v)) for v in node.children() if isinstance(v, Variable) and v.at_points]
    alone = [tag for tag in tags if domain.has_times(tag)]
    if alone:
        raise ValueError(
            f"finite differences at the points of {alone[0]!r}: they have times of their own, and a stencil reads the "
            "values at the nodes of the mesh at one time; use automatic differentiation, or make the domain with "
            "levels, time=(t0, t1, n)"
        )


def fd_gradient(node: Jacobian, variable: Variable, scope: Scope) -> Value:
    """First derivative by the stencil of the scheme, or a central difference in time."""
    if variable.axis == "temporal":
        return _in_time(node, variable, scope, order=1)
    _, method, _ = DifferentialOperators.parse_fd_scheme(node.scheme)
    nodal, mesh = _nodal_values(node, variable, scope)
    stencil = mesh.stencil(gradient_stencil, _column(variable), method)
    return _at_points(stencil.apply(nodal), variable, scope)


def fd_laplacian(node: Hessian, scope: Scope) -> Value:
    """Sum of second derivatives by the Laplacian stencil of the scheme."""
    if node.variables[0].axis == "temporal":
        return _in_time(node, node.variables[0], scope, order=2)
    _, method, laplacian_method = DifferentialOperators.parse_fd_scheme(node.scheme)
    nodal, mesh = _nodal_values(node, node.variables[0], scope)
    dims = tuple(_column(variable) for variable in node.variables)
    stencil = mesh.stencil(laplacian_stencil, dims, laplacian_method, method)
    return _at_points(stencil.apply(nodal), node.variables[0], scope)


def fd_hessian(node: Hessian, scope: Scope) -> Value:
    """Matrix of second derivatives, symmetric by construction."""
    _, method, _ = DifferentialOperators.parse_fd_scheme(node.scheme)
    nodal, mesh = _nodal_values(node, node.variables[0], scope)
    columns = [_column(variable) for variable in node.variables]
    var_dims = tuple((i, di, j, dj) for i, di in enumerate(columns) for j, dj in enumerate(columns))
    stencil = mesh.stencil(hessian_stencil, var_dims, method)
    scalar = nodal.ndim == 2 and nodal.shape[1] == 1
    return _at_points(stencil.apply(nodal[:, 0] if scalar else nodal), node.variables[0], scope)


def _nodal_values(
    node: Jacobian | Hessian, variable: Variable, scope: Scope
) -> tuple[Float[Array, "M ..."], SampleStencils]:
    """The target at every mesh node, ``(n_nodes, D)``, by binding the variable's tag to the nodes; the mesh."""
    stencils = scope.setting.stencils
    if stencils is None:
        raise ValueError(
            f"scheme={node.scheme!r}: the FD scheme requires a domain with mesh connectivity; build the domain from a "
            "mesh with compute_mesh_connectivity=True or use automatic differentiation"
        )
    tags = {point_tag(v) for v in node.variables}
    if len(tags) > 1:
        raise ValueError(f"a finite-difference derivative over several tags {sorted(tags)} is not defined")
    tag = point_tag(variable)
    if tag not in scope.bindings.nearest:
        raise ValueError(
            f"scheme={node.scheme!r}: finite differences are known at the nodes of the mesh and cannot be evaluated at "
            "given coordinates; use automatic differentiation"
        )
    apart = set(spatial_tags([node.target])) - {tag}
    if apart:
        raise ValueError(
            f"finite differences of an expression that lives on the points of {sorted(apart)} besides {tag!r} are "
            "not defined: only one tag can be moved to the mesh nodes"
        )
    mesh = stencils.of(scope.bindings.geometry)
    points = jnp.asarray(mesh.points, dtype=scope.bindings.points[tag].dtype)
    value = scope.rebind(points={tag: points}, padded=mesh.padded).value(node.target)
    array = value.array
    if array.ndim == 0 or array.shape[0] != mesh.points.shape[0]:
        raise ValueError(
            f"finite differences need one value per mesh node ({mesh.points.shape[0]}), the expression has shape "
            f"{tuple(array.shape)}"
        )
    return array, mesh


def _at_points(nodal: Float[Array, "M ..."], variable: Variable, scope: Scope) -> Value:
    point_set = scope.setting.pairings.point_set(variable)
    return Value(nodal[scope.bindings.nearest[point_tag(variable)]], 0, point_set=point_set)


def _column(variable: Variable) -> int:
    if variable.axis == "temporal" or variable.tag != point_tag(variable) or variable.dim[1] is None:
        raise ValueError(f"finite differences take spatial coordinates, got {variable!r}")
    return int(variable.dim[0])


def _in_time(node: Jacobian | Hessian, variable: Variable, scope: Scope, order: int) -> Value:
    if node.scheme != "finite_difference":
        raise ValueError(
            f"scheme={node.scheme!r}: mesh sub-schemes do not apply to time; use 'finite_difference' (a central "
            f"difference of step {TIME_STEP}) or automatic differentiation"
        )
    if variable.at_points:
        raise ValueError(
            f"scheme={node.scheme!r}: the points of {variable.tag!r} have times of their own; finite differences in "
            "time are for time levels, time=(t0, t1, n). Use automatic differentiation"
        )
    if len(node.variables) > 1:
        raise ValueError("finite differences over time and other variables together are not defined")
    now = scope.bindings.times[variable.tag]
    # Rounding grows as ε/h² in a second difference: the step that balances it with the truncation error is ε^¼.
    step = TIME_STEP if order == 1 else float(jnp.finfo(now.dtype).eps) ** 0.25
    after = scope.rebind(times={variable.tag: now + step}).value(node.target)
    before = scope.rebind(times={variable.tag: now - step}).value(node.target)
    if order == 1:
        return dataclasses.replace(after, array=(after.array - before.array) / (2 * step))
    middle = scope.value(node.target)
    return dataclasses.replace(after, array=(after.array - 2 * middle.array + before.array) / step**2)
