"""Sharing does not change values: hash-consing, one trace per sub-graph, jit or not, forward or reverse."""

import jax
import numpy as np
from helpers import AD, coordinates, count_primitive, evaluate, jaxpr_of, mlp, unit_square
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_interpreter import evaluate as evaluate_directly

import jno
from jno.compiler import Graph, Program
from jno.trace import Node

DOMAIN = jno.domain.from_array({"interior": np.random.default_rng(7).uniform(-1, 1, (7, 2))})
X, Y, _ = DOMAIN.variable("interior")
POINTS = {"interior": np.asarray(DOMAIN.context["interior"][0, 0], dtype=np.float32)}

# --- random expressions ---------------------------------------------------------------------------------------
UNARY = {
    "sin": jno.np.sin,
    "tanh": jno.np.tanh,
    "exp": lambda a: jno.np.exp(jno.np.sin(a)),  # bounded, so that products of it stay finite
    "negative": lambda a: -a,
}
BINARY = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: jno.np.tanh(a) * b,
}


@st.composite
def programs(draw, steps=8):
    """A list of instructions, each over earlier results: ``(operation, i, j)``; ``x`` and ``y`` come first."""
    instructions = []
    for length in range(2, 2 + draw(st.integers(1, steps))):
        operation = draw(st.sampled_from([*UNARY, *BINARY]))
        instructions.append((operation, draw(st.integers(0, length - 1)), draw(st.integers(0, length - 1))))
    return instructions


def reference(*nodes):
    """Values by the independent interpreter."""
    values = jax.jit(lambda points: [evaluate_directly(node, points) for node in nodes])(POINTS)
    return [np.asarray(value) for value in values]


def shared(instructions, x=X, y=Y):
    """The expression as a graph in which every result is one object."""
    nodes = [x, y]
    for operation, i, j in instructions:
        nodes.append(UNARY[operation](nodes[i]) if operation in UNARY else BINARY[operation](nodes[i], nodes[j]))
    return nodes[-1]


def unshared(instructions, position=None):
    """The same expression as a tree: every use builds its operands anew."""
    position = len(instructions) + 1 if position is None else position
    if position < 2:
        return (X, Y)[position]
    operation, i, j = instructions[position - 2]
    left = unshared(instructions, i)
    return UNARY[operation](left) if operation in UNARY else BINARY[operation](left, unshared(instructions, j))


def close(actual, expected):
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(actual, np.broadcast_to(expected, np.shape(actual)), rtol=0, atol=3e-5 * scale)


@settings(max_examples=25)
@given(programs())
def test_values_agree_with_the_reference(instructions):
    node = shared(instructions)
    close(evaluate(node)[0], reference(node)[0])


@settings(max_examples=15)
@given(programs(steps=5))
def test_trees_and_graphs_are_the_same_computation(instructions):
    graph = Graph()
    assert graph.intern(shared(instructions)) is graph.intern(unshared(instructions))
    together, alone = evaluate([unshared(instructions) * shared(instructions), shared(instructions)])
    close(together, alone**2)


@settings(max_examples=10)
@given(programs(steps=5))
def test_forward_reverse_and_reference_derivatives_agree(instructions):
    u = shared(instructions)
    nodes = [u.d(X, f"{AD}:forward"), u.d(X, f"{AD}:reverse"), u.d2(Y), u.d2(Y, f"{AD}:rev-over-rev")]
    nodes += [u.d(X).d(Y), u.hessian(X, Y)[..., 0, 1]]
    values = evaluate(nodes)
    for value, expected in zip(values, reference(*nodes), strict=True):
        close(value[0].reshape(-1), np.broadcast_to(expected.reshape(-1), value[0].size))


@settings(max_examples=4)
@given(programs(steps=5))
def test_jit_changes_nothing(instructions):
    u = shared(instructions)
    nodes = [u, u.d(X), u.mse]
    jitted = evaluate(nodes)
    with jax.disable_jit():
        plain = evaluate(nodes)
    for a, b in zip(jitted, plain, strict=True):
        close(a, b)


def test_networks_without_jit():
    u = mlp(2, layers=1)(X, Y)
    core = jno.core([u.d(X).mse])
    node = [u.d(X), u]
    jitted = core.eval(node)
    with jax.disable_jit():
        plain = core.eval(node)
    for a, b in zip(jitted, plain, strict=True):
        close(np.asarray(a), np.asarray(b))


# --- interning ------------------------------------------------------------------------------------------------
def test_equal_structure_is_one_node():
    graph = Graph()
    net = mlp(2)
    pairs = [
        (X + Y, X + Y),
        (jno.np.sin(X * 2.0), jno.np.sin(X * 2.0)),
        (net(X, Y), net(X, Y)),
        (net(X, Y).d(X), net(X, Y).d(X)),
        (X * np.asarray([1.0, 2.0]), X * np.asarray([1.0, 2.0])),
        (X[..., 0:1], X[..., 0:1]),
        (X.reshape(-1, 1), X.reshape((-1, 1))),
        (jno.np.sum(X, axis=-1), jno.np.sum(X, axis=-1)),
        ((X * Y).name("a"), X * Y),
        (X.mean, X.mean),
    ]
    for a, b in pairs:
        assert graph.intern(a) is graph.intern(b)


def test_different_structure_is_not_confused():
    graph = Graph()
    first, second = mlp(2), mlp(2)
    x_again = DOMAIN.variable("interior")[0]
    different = [
        X + Y,
        Y + X,
        X - Y,
        X * 1,
        X * 1.0,
        X * np.bool_(True),
        X * np.asarray(1.0),
        X * np.float32(1.0),
        x_again * 1,
        X[..., 0],
        X[..., 0:1],
        X.reshape(7, 1),
        X.reshape(-1, 1),
        X.mean,
        X.sum,
        first(X, Y),
        second(X, Y),
        first(Y, X),
        first(X, Y).d(X),
        first(X, Y).d(Y),
        first(X, Y).d(X, f"{AD}:forward"),
        first(X, Y).d2(X),
        first(X, Y).hessian(X),
        jno.np.sum(X, axis=-1),
        jno.np.sum(X, axis=0),
        X * np.asarray([1.0, 2.0]),
        X * np.asarray([1.0, 3.0]),
        X * np.asarray([[1.0, 2.0]]),
        jno.noise.gaussian(),
        jno.noise.gaussian(),
    ]
    interned = [graph.intern(node) for node in different]
    assert len({id(node) for node in interned}) == len(different)


def test_large_arrays_count_by_identity():
    graph = Graph()
    large = np.zeros(5000)
    assert graph.intern(X.mean * large) is graph.intern(X.mean * large)
    assert graph.intern(X.mean * large) is not graph.intern(X.mean * large.copy())


# --- one trace per sub-graph ----------------------------------------------------------------------------------
def products(*expressions):
    return count_primitive(jaxpr_of(list(expressions), DOMAIN), "dot_general")


def test_a_network_that_appears_often_is_traced_once():
    net = mlp(2)
    layers = products(net(X, Y))
    assert layers == 3
    u = net(X, Y)
    many = [u, u**2, jno.np.sin(u) + u, (u - net(X, Y)).mse, net(X, Y) * X, u.mean, u[..., 0]]
    assert products(*many) == layers
    total = u
    for k in range(50):
        total = total + k * net(X, Y)
    assert products(total) == layers
    assert products(u, mlp(2)(X, Y)) == 2 * layers


def test_equal_derivatives_are_traced_once():
    u = mlp(2)(X, Y)
    once = products(u.laplacian(X, Y))
    assert products(u.laplacian(X, Y), 2 * u.laplacian(X, Y), u.laplacian(X, Y).mse) == once
    assert products(u.d(X), u.d(X) ** 2, (u.d(X) * X).mean) == products(u.d(X))


def test_what_a_derivative_does_not_move_is_traced_once():
    """Coefficients on other points or in other variables are not evaluated again inside a derivative."""
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("boundary")
    coefficient = mlp(2)(xb, yb).mean
    u = x**2 * y
    inside = count_primitive(jaxpr_of([(coefficient * u).d(x), (coefficient * u).d2(y)], domain), "dot_general")
    assert inside == 3


# --- size -----------------------------------------------------------------------------------------------------
def test_sums_of_thousands_of_terms():
    total, expected = X, POINTS["interior"][:, :1].copy()
    for k in range(2000):
        total = total + Y * (k % 7)
        expected = expected + POINTS["interior"][:, 1:] * (k % 7)
    program = Program([total, total.mse], DOMAIN)
    with jax.disable_jit():
        value, mean = program({}, program.data)
    np.testing.assert_allclose(value[0], expected, rtol=1e-4)
    np.testing.assert_allclose(mean, np.mean(expected**2), rtol=1e-4)


def visits(expression, monkeypatch):
    """How often the children of any node are asked for while an expression is compiled and traced."""
    count, children = [0], Node.children

    def counted(node):
        count[0] += 1
        return children(node)

    with monkeypatch.context() as patch:
        patch.setattr(Node, "children", counted)
        program = Program([expression], DOMAIN)
        jax.eval_shape(lambda data: program({}, data), program.data)
    return count[0]


def long_sum(terms):
    total = X
    for k in range(terms):
        total = total + Y * (k % 7)
    return total


def test_tracing_a_sum_takes_time_proportional_to_its_length(monkeypatch):
    assert visits(long_sum(200), monkeypatch) < 3 * visits(long_sum(100), monkeypatch)


def test_tracing_a_derivative_takes_time_proportional_to_its_length(monkeypatch):
    assert visits(long_sum(200).d(Y), monkeypatch) < 3 * visits(long_sum(100).d(Y), monkeypatch)


def test_chains_of_thousands_of_functions():
    node = X
    for _ in range(1500):
        node = jno.np.sin(node)
    program = Program([node], DOMAIN)
    assert jax.eval_shape(lambda data: program({}, data), program.data)[0].shape == (1, 7, 1)
    assert node.shape == (7, 1)
    assert len(repr(node)) < 200
    moved = node(1.0 * Y)
    assert moved.shape == (7, 1)


def test_doubling_graphs_stay_small():
    """``u = u + u`` twenty times is twenty additions, not a million."""
    u = mlp(2)(X, Y)
    for _ in range(20):
        u = u + u
    assert products(u) == 3
    xn = coordinates(DOMAIN, "interior")[0]
    node = X
    for _ in range(20):
        node = 0.5 * (node + node) * 1.0
    np.testing.assert_allclose(evaluate(node.d(X)), 1.0)
    np.testing.assert_allclose(evaluate(node)[0, :, 0], xn, rtol=1e-5)


def test_deep_expressions_can_be_saved(tmp_path):
    domain = jno.domain.line(mesh_size=0.5)
    x, _ = domain.variable("interior")
    total = x
    for _ in range(1500):
        total = total + x
    core = jno.core([total.mse])
    core.save(tmp_path / "deep.pkl")
    again = jno.core.load(tmp_path / "deep.pkl")
    assert again.n_constraints == 1
