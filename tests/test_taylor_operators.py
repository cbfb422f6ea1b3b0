"""The algebra of Taylor coefficients: operator spaces, structure constants, and reading operators off one pass.

`agree` compares one pass with nested `jax.jvp`; the other test files of the engine use it too.
"""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jno.compiler._taylor import IDENTITY, closed_basis, differentiate, jet_of, operator, seed, streams_for
from jno.compiler._taylor._streams import BLOCK

QUICK = {"xla_backend_optimization_level": 0}
TOLERANCE = {np.dtype("float64"): (1e-11, 1e-9), np.dtype("float32"): (1e-5, 1e-3)}
"""Largest error relative to the largest entry, up to order two and above."""


def laplacian(dimension):
    return operator({(i, i): 1.0 for i in range(dimension)})


def partial(*directions):
    return operator({tuple(sorted(directions)): 1.0})


# --- comparison with nested jvp ---------------------------------------------------------------------------------
def unit(points, direction):
    return jnp.zeros_like(points).at[..., direction].set(1)


def nested(function, points, op):
    """``op`` of a function of coordinates by nested `jax.jvp`."""
    total = 0
    for monomial, coefficient in op.terms:
        derived = function
        for direction in monomial:

            def derived(x, inner=derived, direction=direction):
                return jax.jvp(inner, (x,), (unit(x, direction),))[1]

        total = total + coefficient * derived(points)
    return total


def nested_all(function, points, operators):
    """The same for several operators: one nest of each monomial that begins no other one has the shorter ones too."""
    monomials = {monomial for op in operators for monomial, _ in op.terms}
    derivatives = {}
    for monomial in monomials:
        if any(longer != monomial and longer[: len(monomial)] == monomial for longer in monomials):
            continue

        def derived(x):
            return (function(x),)

        for direction in monomial:

            def derived(x, inner=derived, direction=direction):
                values, tangents = jax.jvp(inner, (x,), (unit(x, direction),))
                return (*values, tangents[-1])

        derivatives |= {monomial[:order]: value for order, value in enumerate(derived(points))}
    return [sum(coefficient * derivatives[monomial] for monomial, coefficient in op.terms) for op in operators]


def one_pass(function, points, operators):
    """``(values of the operators, the result)`` of one Taylor pass over a function of coordinates ``(N, D)``."""
    streams = streams_for(operators)
    dimension = points.shape[-1]
    rows = np.eye(dimension, dtype=points.dtype).reshape(dimension, *(1,) * (points.ndim - 1), dimension)
    start = seed(points, dict(enumerate(rows)), streams)
    result = differentiate(lambda x: [function(x)], [start], streams, [operators])
    return [result.read(0, op) for op in operators], result


def agree(function, points, operators):
    """One pass equals nested `jax.jvp` to rounding, in shape, type, NaNs and infinities too."""
    agree_all({"function": function}, points, operators)


def agree_all(functions, points, operators):
    """The same for functions by name, compiled together: that saves most of the time."""

    def both(x):
        return {name: (one_pass(f, x, operators)[0], nested_all(f, x, operators)) for name, f in functions.items()}

    for name, pair in jax.jit(both, compiler_options=QUICK)(points).items():
        for op, value, expected in zip(operators, *pair, strict=True):
            same(value, expected, TOLERANCE[points.dtype][op.order > 2], f"{name}: {op.name('xyz')}")


def same(actual, expected, tolerance, name=""):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, name
    assert actual.dtype == expected.dtype, name
    size = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * max(size, 1e-3), err_msg=name)


def chunks(names, size):
    """Parameters of a test over several names at a time."""
    names = list(names)
    return [pytest.param(names[i : i + size], id=names[i]) for i in range(0, len(names), size)]


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


# --- spaces of operators ----------------------------------------------------------------------------------------
HEAT = operator({(0,): 1.0, (1, 1): -0.1})
WAVE = operator({(0, 0): 1.0, (1, 1): -4.0})
KDV = operator({(0,): 1.0, (1, 1, 1): 0.0025})
KURAMOTO_SIVASHINSKY = operator({(0,): 1.0, (1, 1): 1.0, (1, 1, 1, 1): 1.0})
SPACES = {
    "nothing": ([], 1),
    "value": ([IDENTITY], 1),
    "first": ([partial(0)], 2),
    "Laplacian in 2": ([laplacian(2)], 4),
    "Laplacian in 3": ([laplacian(3)], 5),
    "Laplacian in 50": ([laplacian(50)], 52),
    "Laplacian and gradient in 50": ([laplacian(50), *(partial(i) for i in range(50))], 52),
    "heat": ([HEAT], 3),
    "heat and its terms": ([HEAT, partial(0), partial(1, 1)], 4),
    "wave": ([WAVE], 4),
    "mixed": ([partial(0, 1)], 4),
    "mixed and Laplacian": ([partial(0, 1), laplacian(2)], 5),
    "Hessian in 3": ([partial(i, j) for i in range(3) for j in range(i, 3)], 10),
    "Korteweg-de Vries": ([KDV], 4),
    "Kuramoto-Sivashinsky": ([KURAMOTO_SIVASHINSKY], 5),
    "biharmonic in 2": ([laplacian(2).then(laplacian(2))], 9),
    "biharmonic in 3": ([laplacian(3).then(laplacian(3))], 14),
    "triharmonic on a line": ([partial(*(0,) * 6)], 7),
    "gradient of the Laplacian": ([laplacian(2).then(partial(0)), laplacian(2).then(partial(1))], 8),
    "multiples": ([laplacian(2), operator({(0, 0): 3.0, (1, 1): 3.0})], 4),
}


@pytest.mark.parametrize("name", SPACES)
def test_size_of_the_smallest_closed_space(name):
    wanted, size = SPACES[name]
    basis = closed_basis(wanted)
    assert len(basis) == size
    assert basis[0][0] == IDENTITY
    assert [op.order for op, _ in basis] == sorted(op.order for op, _ in basis)


def symbol(op, frequencies):
    r"""The polynomial of an operator: its value on :math:`e^{\xi \cdot x}` divided by that."""
    return sum(c * np.prod([frequencies[d] for d in monomial]) for monomial, c in op.terms)


def check_algebra(wanted, dimension):
    """All operators lie in the space, and ``p(ξ + η) = p(ξ) + p(η) + Σ c p_j(ξ) p_k(η)``: the product rule."""
    streams = streams_for(wanted)
    random = np.random.default_rng(0)
    first, second = random.normal(size=(2, dimension))
    on_first = [symbol(op, first) for op, _ in streams.basis]
    on_second = [symbol(op, second) for op, _ in streams.basis]
    for position, (op, _) in enumerate(streams.basis[1:], start=1):
        mixed = sum(c * on_first[j] * on_second[k] for j, k, c in streams.products.get(position, ()))
        if position in streams.block_products:
            weights = streams.block_products[position]
            left, right = (np.asarray([values[i] for i in streams.block]) for values in (on_first, on_second))
            mixed = left @ (np.diag(weights) if weights.ndim == 1 else weights) @ right
        both = symbol(op, first + second)
        np.testing.assert_allclose(both, on_first[position] + on_second[position] + mixed, rtol=1e-9, atol=1e-9)
    for op in wanted:
        found = sum(weight * on_first[position] for position, weight in streams.coordinates(op).items())
        np.testing.assert_allclose(found, symbol(op, first), rtol=1e-9, atol=1e-9)
    for key in streams.needed(wanted):
        factors = {i for j, k, _ in streams.products.get(key, ()) for i in (j, k)}
        assert factors <= streams.needed(wanted)
        assert key not in streams.block_products or BLOCK in streams.needed(wanted)


@pytest.mark.parametrize("name", SPACES)
def test_structure_constants_are_those_of_the_product_rule(name):
    check_algebra(SPACES[name][0], dimension=50)


COEFFICIENTS = st.sampled_from([1.0, -1.0, 0.5, 2.0, -0.1, 3.7, 1e-4])


def monomials(order, dimension=2):
    return st.lists(st.integers(0, dimension - 1), min_size=1, max_size=order).map(lambda m: tuple(sorted(m)))


def term_sets(order, dimension=2):
    """Terms of one to three operators of up to three terms (checking annotations draws random numbers: see `built`)."""
    one = st.dictionaries(monomials(order, dimension), COEFFICIENTS, min_size=1, max_size=3)
    return st.lists(one, min_size=1, max_size=3)


def built(terms):
    """The operators, outside the strategy."""
    return list(dict.fromkeys(map(operator, terms)))


@given(term_sets(5, dimension=3))
def test_structure_constants_of_random_operators(terms):
    check_algebra(built(terms), dimension=3)


@given(term_sets(3), term_sets(2))
def test_composition_is_the_product_of_symbols(first, second):
    frequencies = np.asarray([0.7, -1.3])
    for a, b in itertools.product(built(first), built(second)):
        np.testing.assert_allclose(
            symbol(a.then(b), frequencies), symbol(a, frequencies) * symbol(b, frequencies), rtol=1e-9, atol=1e-12
        )
        assert a.then(b) == b.then(a)
        assert a.then(IDENTITY) == a


def test_small_coefficients_are_kept():
    """A diffusivity of 1e-15 counts where the second derivatives are large (SI units on micrometres)."""
    small = operator({(0,): 1.0, (1, 1): -1e-15})
    assert dict(small.terms) == {(0,): 1.0, (1, 1): -1e-15}
    check_algebra([operator({(0,): 1.0, (1, 1): -1e-15}), operator({(0,): 1e20, (1, 1): 1.0})], dimension=2)


def test_small_coefficients_are_read(double):
    points = jnp.asarray(np.random.default_rng(0).uniform(size=(4, 2)))
    small = operator({(0,): 1.0, (1, 1): -1e-15})
    (value,), _ = one_pass(lambda x: x[:, :1] + 1e15 * jnp.sin(x[:, 1:]), points, [small])
    np.testing.assert_allclose(value, 1 + np.sin(points[:, 1:]), rtol=1e-12)


def test_operators_that_cancel_are_nothing():
    nothing = operator({(0,): 1.0}).then(operator({}))
    assert nothing.terms == ()
    assert operator({(0, 1): 0.0}) == nothing
    assert len(closed_basis([nothing])) == 1


def test_names_for_reports():
    assert operator({(0, 0): 1.0, (1, 1): 1.0}).name("xy") == "∂xx + ∂yy"
    assert HEAT.name("tx") == "∂t - 0.1 ∂xx"
    assert IDENTITY.name("") == "1"


# --- reading operators of products and compositions -------------------------------------------------------------
UNARY = {
    "sin": jnp.sin,
    "tanh": jnp.tanh,
    "exp": lambda a: jnp.exp(jnp.sin(a)),
    "power": lambda a: (2.0 + jnp.sin(a)) ** -1.5,
    "softplus": jax.nn.softplus,
}
BINARY = {
    "*": lambda a, b: a * jnp.tanh(b),
    "/": lambda a, b: a / (1.5 + jnp.cos(b)),
    "-": lambda a, b: a - b,
    "matrix": lambda a, b: jnp.stack([a, b], axis=-1) @ jnp.asarray([0.3, -0.8], a.dtype),
    "where": lambda a, b: jnp.where(a > b, a * b, jnp.sin(b)),
}


@st.composite
def expressions(draw, steps=5):
    """Instructions ``(operation, i, j)`` over earlier results; the two coordinates come first."""
    count = draw(st.integers(1, steps))
    operations = st.sampled_from([*UNARY, *BINARY])
    return [(draw(operations), draw(st.integers(0, n + 1)), draw(st.integers(0, n + 1))) for n in range(count)]


def as_function(instructions):
    def function(x):
        values = [x[:, 0], x[:, 1]]
        for name, i, j in instructions:
            values.append(UNARY[name](values[i]) if name in UNARY else BINARY[name](values[i], values[j]))
        return values[-1]

    return function


@settings(max_examples=25)
@given(expressions(), term_sets(3))
def test_random_operators_of_random_expressions(instructions, terms):
    with jax.enable_x64(True):
        points = jnp.asarray(np.random.default_rng(1).uniform(-1, 1, size=(3, 2)))
        agree(as_function(instructions), points, built(terms))


@settings(max_examples=10)
@given(expressions(steps=3), term_sets(4))
def test_random_operators_of_fourth_order(instructions, terms):
    with jax.enable_x64(True):
        points = jnp.asarray(np.random.default_rng(2).uniform(-1, 1, size=(3, 2)))
        agree(as_function(instructions), points, built(terms))


@settings(max_examples=12)
@given(expressions(), term_sets(2))
def test_random_expressions_in_single_precision(instructions, terms):
    points = jnp.asarray(np.random.default_rng(1).uniform(-1, 1, size=(3, 2)), jnp.float32)
    agree(as_function(instructions), points, built(terms))


@pytest.mark.parametrize("name", ["wave", "Korteweg-de Vries", "Kuramoto-Sivashinsky", "biharmonic in 2"])
def test_operators_of_known_equations(double, name):
    points = jnp.asarray(np.random.default_rng(3).uniform(-1, 1, size=(4, 2)))
    agree(lambda x: jnp.tanh(x[:, 0] * x[:, 1]) / (1 + x[:, 1] ** 2), points, SPACES[name][0])


def test_several_inputs_and_outputs(double):
    """Each output carries what it needs and no more; directions may belong to different arguments."""
    x, t = jnp.asarray(np.random.default_rng(0).uniform(size=(4, 2))), jnp.asarray([[0.3]])
    heat = operator({(0,): 1.0, (1, 1): -0.1, (2, 2): -0.1})
    streams = streams_for([heat])
    inputs = [
        seed(t, {0: np.ones((1, 1))}, streams),
        seed(x, {1: np.eye(2)[:1], 2: np.eye(2)[1:]}, streams),
    ]
    result = differentiate(
        lambda t, x: [jnp.exp(-t) * jnp.sin(x[:, :1] * x[:, 1:]), x**2, t * 2],
        inputs,
        streams,
        [[heat], [partial(2)], []],
    )
    a, b = x[:, :1], x[:, 1:]
    wave = jnp.sin(a * b)
    np.testing.assert_allclose(result.read(0, heat), jnp.exp(-0.3) * wave * (-1 + 0.1 * (a**2 + b**2)), rtol=1e-12)
    np.testing.assert_allclose(result.read(1, partial(2)), jnp.concatenate([0 * a, 2 * b], 1), rtol=1e-12)
    assert result.jets[2].parts == {}
    assert len(result.jets[0].parts) == len(streams.basis) - 1
    assert result.fallen_back == frozenset()


def test_a_second_pass_over_the_jets_of_the_first(double):
    """What is known of inner derivatives seeds a pass over a function of them."""
    points = jnp.asarray(np.random.default_rng(0).uniform(size=(4, 2)))
    outer = laplacian(2)
    basis = [op for op, _ in streams_for([outer]).basis]
    inner = [op.then(partial(0)) for op in basis]
    _, result = one_pass(lambda x: jnp.sin(x[:, 0] * x[:, 1]), points, inner)
    streams = streams_for([outer])
    slope = jet_of(
        result.read(0, partial(0)),
        {i: result.read(0, op.then(partial(0))) for i, (op, _) in enumerate(streams.basis) if i},
        streams,
    )
    again = differentiate(lambda v: [jnp.exp(v)], [slope], streams, [[outer]])

    def exponential_of_slope(x):
        return jnp.exp(jax.jvp(lambda y: jnp.sin(y[:, 0] * y[:, 1]), (x,), (unit(x, 0),))[1])

    same(again.read(0, outer), nested(exponential_of_slope, points, outer), 1e-11)


# --- the block: many first derivatives in one array --------------------------------------------------------------
MANY = 10
GRADIENT = [partial(i) for i in range(MANY)]
WEIGHTED = operator({**{(i, i): 1.0 + i for i in range(MANY)}, (0, 3): 0.5, (2, 7): -0.3})


def gradient_and_hessian(function, points):
    """``(D, …)`` and ``(D, D, …)`` by `jax.jvp`."""
    rows = jnp.eye(points.shape[-1], dtype=points.dtype)

    def along(direction, inner):
        return lambda x: jax.jvp(inner, (x,), (jnp.broadcast_to(direction, x.shape),))[1]

    first = jax.vmap(lambda v: along(v, function)(points))(rows)
    second = jax.vmap(lambda v: jax.vmap(lambda w: along(w, along(v, function))(points))(rows))(rows)
    return first, second


def block_agrees(function, points, tolerance=1e-11):
    """Gradient, Laplacian and a weighted sum with mixed derivatives in ten dimensions."""
    wanted = [*GRADIENT, WEIGHTED]
    assert streams_for(wanted).block
    assert streams_for([laplacian(MANY)]).block

    def both(x):
        first, second = gradient_and_hessian(function, x)
        expected = [*first, sum(c * second[m] for m, c in WEIGHTED.terms), sum(second[i, i] for i in range(MANY))]
        return one_pass(function, x, wanted)[0] + one_pass(function, x, [laplacian(MANY)])[0], expected

    for actual, expected in zip(*jax.jit(both, compiler_options=QUICK)(points), strict=True):
        same(actual, expected, tolerance)


def test_layout_of_many_first_derivatives():
    few, many = streams_for([laplacian(7)]), streams_for([laplacian(8)])
    assert few.block == ()
    assert len(few.keys) == 8
    assert many.block == tuple(range(1, 9))
    assert many.keys == (BLOCK, 9)
    np.testing.assert_array_equal(many.block_products[9], np.full(8, 2.0))
    assert streams_for([WEIGHTED]).block_products[MANY + 1].shape == (MANY, MANY)
    assert many.needed([laplacian(8)]) == {BLOCK, 9}
    assert many.needed([partial(3)]) == {BLOCK}
    assert streams_for([laplacian(8).then(partial(0))]).block == ()


@pytest.mark.parametrize("weights", ["diagonal", "matrix"])
def test_block_equals_single_streams(double, weights):
    """Adding an operator of third order takes the block away, and changes nothing."""
    points = jnp.asarray(np.random.default_rng(0).uniform(size=(4, MANY)))
    matrix = jnp.asarray(np.random.default_rng(1).normal(size=(MANY, 3)))
    second = laplacian(MANY) if weights == "diagonal" else WEIGHTED
    wanted = [*GRADIENT, second]

    def function(x):
        return jnp.tanh(x @ matrix) * jnp.exp(-(x[:, :1] ** 2))

    def both(x):
        single = one_pass(function, x, [*wanted, partial(0, 0, 0)])[0][:-1]
        return one_pass(function, x, wanted)[0], single

    assert streams_for(wanted).block
    assert not streams_for([*wanted, partial(0, 0, 0)]).block
    for actual, expected in zip(*jax.jit(both, compiler_options=QUICK)(points), strict=True):
        same(actual, expected, 1e-12)


def test_gradient_read_at_once(double):
    points = jnp.asarray(np.random.default_rng(0).uniform(size=(4, MANY)))
    _, result = one_pass(lambda x: jnp.sin(x.sum(1, keepdims=True) * x), points, [*GRADIENT, laplacian(MANY)])
    stacked = result.read_stacked(0, GRADIENT)
    assert stacked.shape == (4, MANY, MANY)
    same(stacked, jnp.stack([result.read(0, op) for op in GRADIENT], axis=-1), 1e-15)
    some = result.read_stacked(0, GRADIENT[:3])
    same(some, stacked[..., :3], 1e-15)


@settings(max_examples=4)
@given(expressions())
def test_random_expressions_in_ten_dimensions(instructions):
    with jax.enable_x64(True):
        points = jnp.asarray(np.random.default_rng(1).uniform(-1, 1, size=(3, MANY)))
        block_agrees(lambda x: as_function(instructions)(x[:, 2:4]) * x[:, 7], points)
