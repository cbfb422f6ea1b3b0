"""What the tests of weak forms share: double precision, oracles of scikit-fem on the same mesh, errors of solutions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skfem
from jax.flatten_util import ravel_pytree
from scipy.spatial import cKDTree

from jno.elements import lagrange, reference_rule

_MESHES = {1: skfem.MeshLine1, 2: skfem.MeshTri1, 3: skfem.MeshTet1}
_ELEMENTS = {
    1: (skfem.ElementLineP1, skfem.ElementLineP2),
    2: (skfem.ElementTriP1, skfem.ElementTriP2, skfem.ElementTriP3, skfem.ElementTriP4),
    3: (skfem.ElementTetP1, skfem.ElementTetP2),
}


@pytest.fixture(autouse=True, scope="module")
def double_precision():
    """64-bit numbers for all tests of a module: import it there."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def oracle_mesh(domain: Any) -> Any:
    """The mesh of a domain in scikit-fem, vertices and cells in the same order."""
    mesh = domain.mesh
    return _MESHES[domain.dimension](mesh.points.T, np.sort(mesh.cells, axis=1).T)


def oracle_element(dimension: int, order: int, components: int = 1) -> Any:
    """The Lagrange element of scikit-fem."""
    element = _ELEMENTS[dimension][order - 1]()
    return element if components == 1 else skfem.ElementVector(element, components)


def doubled(module: Any) -> Any:
    """A module in double precision."""
    return jax.tree_util.tree_map(lambda a: a.astype(jnp.float64) if eqx.is_inexact_array(a) else a, module)


def as_function(expression: Any) -> tuple[Callable[[Any], Any], Any]:
    """The value of a solution as a function of one vector of everything that is trained, and that vector."""
    problem = expression.problem
    modules = {model.layer_id: doubled(model.module) for model in problem.models}
    dynamic, static = eqx.partition(modules, eqx.is_inexact_array)
    start, unravel = ravel_pytree(dynamic)
    return (lambda vector: problem.value(eqx.combine(unravel(vector), static), {})), start


def oracle_dofs(problem: Any, bases: list[Any], components: list[int]) -> np.ndarray:
    """For every degree of freedom of a problem that of scikit-fem's bases one after the other."""
    chosen, start = [], 0
    for points, basis, count in zip(problem.field_points, bases, components, strict=True):
        # scikit-fem gives all components of a node the same place
        distances, order = cKDTree(basis.doflocs.T).query(points, k=[*range(1, count + 1)])
        assert distances.max() < 1e-10
        chosen.append(start + np.sort(order, axis=1).reshape(-1))
        start += basis.N
    return np.concatenate(chosen)


def l2_and_h1_errors(
    problem: Any,
    values: Any,
    exact: Callable[..., Any],
    gradient: Callable[..., Any],
    *,
    field: int = 0,
    degree: int = 8,
) -> tuple[float, float]:
    """Errors of one scalar unknown in L2, and of its gradient, by a quadrature of high degree.

    Args:
        problem: the `FEM`.
        values: degrees of freedom of that unknown alone.
        exact: of the coordinates ``(cells, Q)``.
        gradient: tuple of the derivatives.
        field: which unknown, for its nodes.
        degree: of the quadrature.
    """
    at = tabulated(problem, values, field=field, degree=degree)
    difference = at.value - exact(*at.points)
    slope_difference = at.slopes - np.stack(np.broadcast_arrays(*gradient(*at.points)), axis=-1)
    return (
        float(np.sqrt(np.sum(at.weights * difference**2))),
        float(np.sqrt(np.sum(at.weights[..., None] * slope_difference**2))),
    )


@dataclasses.dataclass(frozen=True)
class Tabulated:
    """A function of a finite element space at quadrature points, all ``(cells, Q)``, slopes with one more axis."""

    points: list[np.ndarray]
    weights: np.ndarray
    value: np.ndarray
    slopes: np.ndarray


def tabulated(problem: Any, values: Any, *, field: int = 0, degree: int = 8) -> Tabulated:
    """One scalar unknown at the points of a quadrature of some degree."""
    nodes = problem._problem.system.spaces[field].nodes
    dimension = nodes.element.dimension
    rule = reference_rule(dimension, degree)
    reference = lagrange(dimension, nodes.element.order).tabulate(rule.points, [(), *((d,) for d in range(dimension))])
    corners = nodes.points[nodes.cells]
    edges = corners[:, 1:] - corners[:, :1]
    inverse = np.linalg.inv(edges)
    factorial = (1, 1, 2, 6)[dimension]
    measure = np.abs(np.linalg.det(edges)) / factorial
    points = corners[:, :1] + np.einsum("qk,mkd->mqd", rule.points, edges)
    local = np.asarray(values)[nodes.nodes]
    value = np.einsum("nq,mn->mq", reference[()], local)
    by_reference = np.stack([np.einsum("nq,mn->mq", reference[(d,)], local) for d in range(dimension)], axis=-1)
    slopes = np.einsum("mqk,mdk->mqd", by_reference, inverse)
    return Tabulated([points[..., d] for d in range(dimension)], measure[:, None] * rule.weights, value, slopes)


def rates(errors: list[float]) -> np.ndarray:
    """Orders of convergence of errors on meshes that are halved."""
    return np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
