"""Lagrange elements, their numbering on meshes, and quadrature, against polynomials integrated by hand."""

import itertools
import math

import numpy as np
import pytest

import jno
from jno.elements import facet_points, lagrange, number_dofs, reference_rule
from jno.elements._lagrange import derivative_orders

SIMPLICES = list(itertools.product((1, 2, 3), (1, 2, 3, 4)))


def exponents(dimension, degree):
    """Exponents of all monomials up to a degree."""
    powers = itertools.product(range(degree + 1), repeat=dimension)
    return [power for power in powers if sum(power) <= degree]


def monomials(points, powers):
    return np.stack([np.prod(points ** np.array(power), axis=1) for power in powers], axis=1)


def integral_over_simplex(power):
    """Dirichlet's formula, divided by the volume of the reference simplex: the mean."""
    dimension = len(power)
    product = math.prod(math.factorial(p) for p in power)
    return product * math.factorial(dimension) / math.factorial(sum(power) + dimension)


def mesh_in(dimension):
    if dimension == 1:
        domain = jno.domain.line((0.0, 2.0), mesh_size=0.3)
    elif dimension == 2:
        domain = jno.domain.disk(mesh_size=0.7, num_points=9)
    else:
        domain = jno.domain.cube(mesh_size=0.5)
    return domain.mesh


@pytest.mark.parametrize(("dimension", "order"), SIMPLICES)
def test_basis_functions_are_one_at_their_node_and_zero_at_the_others(dimension, order):
    element = lagrange(dimension, order)
    assert len(element.points) == math.comb(dimension + order, order)
    values = element.tabulate(element.points, [()])[()]
    np.testing.assert_allclose(values, np.eye(len(element.points)), atol=1e-12)


@pytest.mark.parametrize(("dimension", "order"), SIMPLICES)
def test_polynomials_up_to_the_order_are_reproduced_with_their_derivatives(dimension, order):
    element = lagrange(dimension, order)
    points = np.random.default_rng(0).dirichlet(np.ones(dimension + 1), 7)[:, 1:]
    powers = exponents(dimension, order)
    at_nodes = monomials(element.points, powers)
    columns = [o for number in (0, 1, 2) for o in derivative_orders(dimension, number)]
    tables = element.tabulate(points, columns)
    # the basis is a partition of unity
    np.testing.assert_allclose(tables[()].sum(axis=0), 1.0, atol=1e-12)
    for by in columns:
        exact = np.ones((len(points), len(powers)))
        for number, power in enumerate(powers):
            left = [power[d] - by.count(d) for d in range(dimension)]
            factor = math.prod(math.perm(power[d], by.count(d)) for d in range(dimension))
            exact[:, number] = factor * np.prod(points ** np.maximum(left, 0), axis=1)
        np.testing.assert_allclose(tables[by].T @ at_nodes, exact, atol=1e-9)


@pytest.mark.parametrize(("dimension", "order"), SIMPLICES)
def test_the_nodes_of_a_facet_lie_on_it(dimension, order):
    element = lagrange(dimension, order)
    barycentric = np.concatenate([1 - element.points.sum(axis=1, keepdims=True), element.points], axis=1)
    for vertex in range(dimension + 1):
        on_facet = np.flatnonzero(np.abs(barycentric[:, vertex]) < 1e-12)
        assert sorted(element.facet_nodes[vertex]) == on_facet.tolist()


@pytest.mark.parametrize(("dimension", "order"), SIMPLICES)
def test_cells_share_the_nodes_that_coincide_and_no_others(dimension, order):
    mesh = mesh_in(dimension)
    numbering = number_dofs(lagrange(dimension, order), mesh.points, mesh.cells)
    # different numbers are different places
    assert len(np.unique(numbering.points.round(9), axis=0)) == numbering.count
    # and every cell finds its own nodes at the places that its element names
    element = numbering.element
    barycentric = np.concatenate([1 - element.points.sum(axis=1, keepdims=True), element.points], axis=1)
    own = np.einsum("nv,mvd->mnd", barycentric, mesh.points[numbering.cells])
    np.testing.assert_allclose(numbering.points[numbering.nodes], own, atol=1e-12)
    np.testing.assert_array_equal(numbering.points[: len(mesh.points)], mesh.points)
    assert sorted(np.unique(numbering.nodes)) == list(range(numbering.count))


@pytest.mark.parametrize(("dimension", "order"), SIMPLICES)
def test_the_number_of_nodes_is_that_of_eulers_formula(dimension, order):
    mesh = mesh_in(dimension)
    numbering = number_dofs(lagrange(dimension, order), mesh.points, mesh.cells)
    simplices = [
        {
            tuple(sorted(cell[list(part)]))
            for cell in mesh.cells
            for part in itertools.combinations(range(dimension + 1), k)
        }
        for k in range(1, dimension + 2)
    ]
    inside = [math.comb(order - 1, k) for k in range(dimension + 1)]
    assert numbering.count == sum(len(kind) * count for kind, count in zip(simplices, inside, strict=True))


@pytest.mark.parametrize(("dimension", "degree"), list(itertools.product((1, 2, 3), range(1, 10))))
def test_quadrature_is_exact_up_to_its_degree(dimension, degree):
    rule = reference_rule(dimension, degree)
    powers = exponents(dimension, degree)
    means = rule.weights @ monomials(rule.points, powers)
    np.testing.assert_allclose(means, [integral_over_simplex(power) for power in powers], atol=1e-13)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_a_low_degree_is_not_exact_far_above_it(dimension):
    rule = reference_rule(dimension, 1)
    powers = [(6, *(0,) * (dimension - 1))]
    assert abs(rule.weights @ monomials(rule.points, powers) - integral_over_simplex(powers[0])) > 1e-2


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_facet_points_lie_on_the_facet_in_the_order_of_its_vertices(dimension):
    vertices = np.concatenate([np.zeros((1, dimension)), np.eye(dimension)])
    corners = np.concatenate([np.zeros((1, dimension - 1)), np.eye(dimension - 1)])
    for vertex in range(dimension + 1):
        expected = np.delete(vertices, vertex, axis=0)
        np.testing.assert_array_equal(facet_points(corners, vertex), expected)
