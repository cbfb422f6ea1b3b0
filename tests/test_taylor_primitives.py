"""Every rule of the Taylor engine, and its fall-back, against nested `jax.jvp`."""

from __future__ import annotations

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from test_taylor_operators import (
    QUICK,
    agree,
    agree_all,
    block_agrees,
    chunks,
    laplacian,
    nested,
    one_pass,
    partial,
    same,
)

from jno.compiler._taylor import operator
from jno.compiler._taylor._interpreter import _RULES

LINE = [partial(*(0,) * order) for order in range(1, 5)]
"""Orders one to four along one coordinate."""

PLANE = [partial(0), laplacian(2), partial(0, 1), partial(0, 0, 1), operator({(0, 0, 1, 1): 1.0, (0, 0, 0, 0): 0.5})]
"""Single, collapsed, mixed; orders one to four."""

RANDOM = np.random.default_rng(0)
POINTS = RANDOM.uniform(0.1, 0.9, size=(5, 2))
MATRIX, SQUARE, LEFT = (RANDOM.normal(size=shape) for shape in ((2, 3), (3, 3), (4, 5)))
KERNEL = RANDOM.normal(size=(2, 1, 2))


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


# --- functions of one number --------------------------------------------------------------------------------------
NOT_ACTIVATIONS = {
    "dot_product_attention",
    "get_scaled_dot_general_config",
    "initializers",
    "one_hot",
    "scaled_dot_general",
    "scaled_matmul",
}
OF_VECTORS = {"glu", "log_softmax", "logmeanexp", "logsumexp", "softmax", "standardize"}
ACTIVATIONS = sorted({name for name in dir(jax.nn) if not name.startswith("_")} - NOT_ACTIVATIONS - OF_VECTORS)
NEGATIVE_ONLY = {"log1mexp": (0.3, 2.0)}
"""Domains other than the whole line."""


def exact_gelu(z):
    return jax.nn.gelu(z, approximate=False)


FUNCTIONS = {
    **{
        name: (getattr(jnp, name), (-1.4, 1.4))
        for name in ("tanh", "sin", "cos", "tan", "sinh", "cosh", "exp", "expm1")
    },
    **{name: (getattr(jnp, name), (-0.9, 0.9)) for name in ("arcsin", "arccos", "arctanh", "log1p")},
    **{name: (getattr(jnp, name), (-2.0, 2.0)) for name in ("arctan", "arcsinh", "exp2", "square", "sinc", "abs")},
    **{name: (getattr(jnp, name), (0.2, 2.5)) for name in ("log", "log2", "sqrt", "cbrt", "reciprocal")},
    "arccosh": (jnp.arccosh, (1.2, 3.0)),
    "rsqrt": (lax.rsqrt, (0.2, 2.5)),
    "logistic": (lax.logistic, (-3.0, 3.0)),
    "erf": (lax.erf, (-2.0, 2.0)),
    "erfc": (lax.erfc, (-2.0, 2.0)),
    "erf_inv": (lax.erf_inv, (-0.7, 0.7)),
    "lgamma": (lax.lgamma, (0.3, 3.0)),
    "digamma": (lax.digamma, (0.5, 3.0)),
    "bessel_i0e": (lax.bessel_i0e, (0.2, 2.0)),
    "bessel_i1e": (lax.bessel_i1e, (0.2, 2.0)),
    "power 3": (lambda z: z**3, (-2.0, 2.0)),
    "power -2": (lambda z: z**-2, (0.5, 2.0)),
    "power 2.5": (lambda z: z**2.5, (0.2, 2.0)),
    "power of a constant": (lambda z: 2.5**z, (-1.0, 2.0)),
    "power of itself": (lambda z: z**z, (0.3, 2.0)),
    "quotient": (lambda z: jnp.sin(z) / (2 + z**2), (-2.0, 2.0)),
    "inverse": (lambda z: 1 / (1 + z), (-0.5, 2.0)),
    "max": (lambda z: jnp.maximum(z**2, jnp.sin(z)), (-2.0, 2.0)),
    "min": (lambda z: jnp.minimum(z**3, 0.5) ** 2, (-2.0, 2.0)),
    "clamp": (lambda z: jnp.clip(jnp.sin(z), -0.6, 0.8) ** 2, (-2.0, 2.0)),
    "select": (lambda z: jnp.where(z > 0.3, z**3, jnp.sin(z)), (-2.0, 2.0)),
    "steps": (lambda z: z**2 * (jnp.floor(2 * z) + jnp.sign(z) + jnp.round(3 * z) + jnp.ceil(z)), (-2.0, 2.0)),
    "integers": (lambda z: z**2 * (3 * z).astype(int), (-2.0, 2.0)),
    "stopped": (lambda z: lax.stop_gradient(z) * z**2, (-2.0, 2.0)),
    "remainder": (lambda z: jnp.mod(z, 0.7) ** 3, (-2.0, 2.0)),
    "rounded": (lambda z: lax.reduce_precision(z, 11, 52) ** 3, (-2.0, 2.0)),
    "entropy": (lambda z: jax.scipy.special.xlogy(z, z), (0.2, 2.0)),
    "gelu exact": (exact_gelu, (-3.0, 3.0)),
    **{f"nn.{name}": (getattr(jax.nn, name), NEGATIVE_ONLY.get(name, (-3.0, 3.0))) for name in ACTIVATIONS},
}


def test_the_list_of_activations_is_complete():
    assert {"gelu", "mish", "relu", "selu", "silu", "softplus", "squareplus", "tanh"} <= set(ACTIVATIONS)
    for name in ACTIVATIONS:
        assert getattr(jax.nn, name)(jnp.ones(3)).shape == (3,)


def bent(low, high):
    """A function of a coordinate in [0, 1] onto (low, high) with derivatives of all orders."""
    return lambda x: low + (high - low) * (0.5 * x + 0.5 * jnp.sin(1.5 * x) ** 2)


def on_interval(name):
    function, (low, high) = FUNCTIONS[name]
    inner = bent(low, high)
    return lambda x: function(inner(x))


NOT_SINGLE = ("rounded", "bessel_i0e", "bessel_i1e")
"""Eleven bits of exponent, and series cut for double precision."""


@pytest.mark.parametrize("names", chunks(FUNCTIONS, 9))
def test_functions_of_one_number(names):
    points = np.linspace(0.03, 0.97, 7)[:, None]
    with jax.enable_x64(True):
        agree_all({name: on_interval(name) for name in names}, jnp.asarray(points), LINE)
    single = {name: on_interval(name) for name in names if name not in NOT_SINGLE}
    agree_all(single, jnp.asarray(points, jnp.float32), LINE[:2])


SPECIAL = (0.0, -0.0, 1.0, -1.0, 3.0, -3.0, 6.0, -20.0, 20.0, 100.0, -100.0, 1e4, -1e4)


AT_SPECIAL = ["gelu exact", "sinc", "abs", "clamp", "max", *(f"nn.{name}" for name in ACTIVATIONS)]


@pytest.mark.parametrize("names", [*chunks(AT_SPECIAL, 7), ["sqrt"]])
def test_special_points(names):
    """Kinks follow JAX's convention, softplus and sinc have their derivatives at 0, nothing overflows to NaN."""
    # the sign of an infinite derivative at -0 is nobody's business
    points = np.asarray([z for z in SPECIAL if names != ["sqrt"] or not np.signbit(z)])[:, None]
    functions = {name: FUNCTIONS[name][0] for name in names}
    with jax.enable_x64(True):
        agree_all(functions, jnp.asarray(points), LINE)
    curved = {name: lambda x, f=f: f(x + 0.25 * x**2) for name, f in functions.items()}
    agree_all(curved, jnp.asarray(points, jnp.float32), LINE[:2])


def test_known_second_derivatives_at_zero(double):
    origin = jnp.zeros((1, 1))
    for function, expected in ((jax.nn.softplus, 0.25), (jnp.sinc, -(np.pi**2) / 3), (jax.nn.soft_sign, -2.0)):
        (_, second, *_), _ = one_pass(function, origin, LINE)
        np.testing.assert_allclose(second, expected, rtol=1e-12)


def test_ties_and_bounds(double):
    """Equal operands share the derivative; at a bound a clamp is flat."""
    points = jnp.asarray([[0.0], [0.5], [1.0]])
    for function in (
        lambda x: jnp.maximum(x, x * 1.0) ** 2 + jnp.maximum(x, 0.5) * x,
        lambda x: jnp.minimum(x, 1 - x) * x,
        lambda x: jnp.clip(x, 0.0, 0.5) * x,
        lambda x: jnp.max(jnp.concatenate([x, x, 1 - x], 1), axis=1) ** 2,
        jax.nn.relu6,
    ):
        agree(function, points, LINE)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: jnp.where(x > 0.5, x**3, jnp.log(x - 0.5)),
        lambda x: jnp.where(x > 0.5, jnp.sqrt(jnp.where(x > 0.5, x - 0.5, 1.0)), jnp.sin(x)),
        lambda x: jnp.linalg.norm(jnp.concatenate([x, x], 1), axis=1),
        lambda x: x * jnp.log(x),
        lambda x: jnp.where(x > 0, jnp.sqrt(x), 0),
        lambda x: lax.clamp(0.0, x, 0.5) * x,
        lambda x: lax.clamp(0.0, jnp.sqrt(x), 0.7),
        lambda x: jnp.sin(x) / 0.0,
        lambda x: jnp.where(x > 0.4, x**2, jnp.sin(x) / 0.0),
    ],
    ids=[
        *("unchosen", "double where", "norm", "x log x"),
        *("unchosen infinity", "bounds of a clamp", "infinity at a bound", "division by zero", "where to divide"),
    ],
)
def test_singular_points(double, function):
    agree(function, jnp.asarray([[0.0], [0.3], [0.5], [0.9]]), LINE[:2])


def test_what_is_not_chosen_may_be_infinite(double):
    """Operation by operation: XLA would turn a product with a mask into a choice."""
    points = jnp.asarray([[0.0], [0.25]])
    for function in (lambda x: jnp.where(x > 0, jnp.sqrt(x), 0.0), lambda x: lax.clamp(0.0, jnp.sqrt(x), 0.9)):
        (first, second), _ = one_pass(function, points, LINE[:2])
        np.testing.assert_array_equal(first, [[0.0], [1.0]])
        np.testing.assert_array_equal(second, [[0.0], [-2.0]])


# --- functions of arrays ------------------------------------------------------------------------------------------
def hidden(x):
    return jnp.tanh(x @ MATRIX)


def outer(a, b):
    return jnp.einsum("ni,nj->nij", a, b)


def spd(x):
    return 3 * jnp.eye(3) + outer(hidden(x), hidden(x))


@jax.custom_jvp
def two_outputs(x, y):
    return jnp.sin(x) * y, x * x


@two_outputs.defjvp
def _(primals, tangents):
    (x, y), (a, b) = primals, tangents
    return two_outputs(x, y), (jnp.cos(x) * y * a + jnp.sin(x) * b, 2 * x * a)


@jax.custom_jvp
def surrogate(x):
    """A step with the derivative of a smooth one."""
    return jnp.sign(x)


surrogate.defjvp(lambda primals, tangents: (surrogate(primals[0]), tangents[0] / (1 + primals[0] ** 2)))


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def with_exponent(x, power):
    return x**power


with_exponent.defjvp(lambda n, p, t: (with_exponent(p[0], n), n * p[0] ** (n - 1) * t[0]))


@jax.custom_jvp
def shares(x):
    """A rule of its own, the shape of its argument, and every entry depends on the others."""
    return x / x.sum(axis=1, keepdims=True)


@shares.defjvp
def _(primals, tangents):
    (x,), (a,) = primals, tangents
    total = x.sum(axis=1, keepdims=True)
    return shares(x), (a - shares(x) * a.sum(axis=1, keepdims=True)) / total


def loop(x, start, carry_late=False):
    def body(carry, w):
        first, second = carry
        return (second if carry_late else jnp.tanh(first * w + x), jnp.tanh(first * w + x)), first.sum(1)

    (first, second), rows = lax.scan(body, start, jnp.arange(3.0))
    return jnp.concatenate([first * second, rows.T], axis=1)


def flattened(values):
    leaves = jax.tree_util.tree_leaves(values)
    return jnp.concatenate([jnp.ravel(leaf) for leaf in leaves])


STRUCTURES = {
    "matrix on the right": lambda x: LEFT @ hidden(x),
    "both matrices": lambda x: jnp.einsum("ni,mi->nm", hidden(x), jnp.sin(x @ MATRIX)),
    "the same matrix": lambda x: hidden(x) @ hidden(x).T,
    "coordinates times function": lambda x: x.T @ jnp.sin(x),
    "batched products": lambda x: outer(hidden(x), jnp.sin(x)) @ outer(x, hidden(x)),
    "quadratic form": lambda x: jnp.einsum("ni,ij,nj->n", hidden(x), SQUARE, hidden(x)),
    "vmapped dot": lambda x: jax.vmap(jnp.dot)(hidden(x), jnp.sin(x @ MATRIX)),
    "convolution": lambda x: lax.conv_general_dilated(hidden(x)[:, None], jnp.asarray(KERNEL), (1,), "SAME"),
    "convolution of coordinates": lambda x: (
        lax.conv_general_dilated(x[:, None], jnp.asarray(KERNEL), (1,), "SAME") ** 2
    ),
    "convolution of both": lambda x: lax.conv_general_dilated(hidden(x)[:, None], jnp.sin(x)[:2, None], (1,), "VALID"),
    "transpose": lambda x: (hidden(x).T * jnp.sin(x[:, 0])).T,
    "reshape": lambda x: hidden(x).reshape(-1) * jnp.sin(x @ MATRIX).reshape(-1),
    "reshape coordinates": lambda x: jnp.sin(x.reshape(1, -1, 1, 2)) + x.reshape(-1).sum(),
    "expand and squeeze": lambda x: jnp.squeeze(jnp.expand_dims(jnp.sin(x), (0, 2)) * jnp.expand_dims(x, (0, 2)), 0),
    "broadcast": lambda x: jnp.sin(x)[:, :, None] * jnp.broadcast_to(x[:, None], (5, 4, 2))[:, :1],
    "concatenate": lambda x: jnp.sin(jnp.concatenate([x, jnp.ones((5, 2)), x[:, :1] ** 2], 1) @ jnp.ones((5, 2))),
    "concatenate points": lambda x: jnp.sin(jnp.concatenate([x, jnp.ones((2, 2)), hidden(x)[:, :2]])),
    "stack": lambda x: jnp.stack([x, hidden(x)[:, :2], jnp.zeros_like(x)], axis=1) ** 3,
    "split": lambda x: jnp.split(hidden(x), 3, 1)[0] * jnp.split(x, 2, 1)[1],
    "pad": lambda x: jnp.pad(jnp.sin(x), ((1, 2), (0, 1)), constant_values=2.0) ** 2,
    "pad with a function": lambda x: lax.pad(jnp.sin(x), x[0, 0] ** 3, ((1, 2, 1), (0, 1, 0))) ** 2,
    "pad by reflection": lambda x: jnp.pad(jnp.sin(x), ((1, 2), (1, 1)), mode="reflect") ** 2,
    "gather": lambda x: jnp.sin(x)[jnp.asarray([1, 0, 1, 3])] ** 2,
    "gather columns": lambda x: x[:, jnp.asarray([1, 0, 1])] ** 3 * x[:, :1],
    "gather along": lambda x: jnp.take_along_axis(hidden(x), jnp.argsort(hidden(x), 1), 1) ** 2,
    "slice with steps": lambda x: hidden(x)[::2, ::-2] ** 2,
    "dynamic slice": lambda x: lax.dynamic_slice(hidden(x), (1, jnp.argmax(x[0])), (2, 2)) ** 3,
    "dynamic update": lambda x: lax.dynamic_update_slice(hidden(x), jnp.sin(x)[:2], (1, 1)) ** 2,
    "dynamic update of constants": lambda x: lax.dynamic_update_slice(jnp.ones((5, 3)), jnp.sin(x)[:2], (1, 1)) ** 2,
    "scatter add": lambda x: jnp.zeros((5, 3)).at[jnp.asarray([0, 1, 1])].add(hidden(x)[:3]) * hidden(x),
    "scatter set": lambda x: hidden(x).at[:, 1].set(x[:, 0] ** 2) ** 2,
    "segment sum": lambda x: jax.ops.segment_sum(hidden(x), jnp.asarray([0, 1, 1, 0, 2]), 3) ** 2,
    "cumsum": lambda x: jnp.cumsum(hidden(x), 1) ** 2 + jnp.cumsum(x, 0)[:, :1] ** 2,
    "cumprod": lambda x: jnp.cumprod(hidden(x), 1),
    "cummax": lambda x: lax.cummax(hidden(x), 1) ** 2,
    "reverse": lambda x: jnp.roll(jnp.sin(x), 1, 1) * jnp.flip(x, 0),
    "sort": lambda x: jnp.sort(hidden(x), 1) ** 2,
    "sort by key": lambda x: lax.sort((hidden(x), jnp.sin(x @ MATRIX)), num_keys=1)[1] ** 2,
    "top k": lambda x: lax.top_k(hidden(x), 2)[0] ** 2,
    "maximum": lambda x: jnp.max(hidden(x), 1) ** 2,
    "sum": lambda x: jnp.sin(x.sum(1)) * jnp.sin(x.sum()),
    "mean and variance": lambda x: (hidden(x) - hidden(x).mean(1, keepdims=True)) / (0.1 + hidden(x).var(1))[:, None],
    "product": lambda x: jnp.prod(hidden(x), 1) + jnp.prod(x, 1),
    "logsumexp": lambda x: jax.nn.logsumexp(hidden(x), 1) * jax.nn.logmeanexp(hidden(x), 1),
    "softmax": lambda x: jax.nn.softmax(hidden(x)) * jax.nn.log_softmax(x @ MATRIX),
    "standardize": lambda x: jax.nn.standardize(hidden(x)),
    "gated linear unit": lambda x: jax.nn.glu(jnp.concatenate([x, hidden(x)[:, :2]], 1)),
    "norm": lambda x: jnp.linalg.norm(hidden(x), axis=1),
    "where scalar": lambda x: jnp.where(x[0, 0] > 0.1, x**3, jnp.sin(x)),
    "select of three": lambda x: lax.select_n(jnp.arange(10).reshape(5, 2) % 3, x**2, jnp.sin(x), x**3),
    "scalars": lambda x: x[0, 0] ** 3 / jnp.sin(x) - jnp.maximum(x[0, 0] ** 2, jnp.sin(x)) * x[0, 1] + x[1, 1] ** 2,
    "scalar output": lambda x: x[0, 0] ** 3 * jnp.sin(x[0, 1]),
    "two angles": lambda x: jnp.arctan2(x[:, :1], jnp.sin(x[:, 1:])),
    "power of both": lambda x: x[:, :1] ** x[:, 1:],
    "logaddexp": lambda x: jnp.logaddexp(x, -(x[:, ::-1] ** 2)),
    "constant": lambda x: jnp.ones((5, 1)) * 3,
    "coordinates": lambda x: x,
    "scan": lambda x: loop(x, (x, jnp.sin(x))),
    "scan with a constant carry": lambda x: loop(x, (jnp.ones_like(x), jnp.ones_like(x)), carry_late=True),
    "scan over rows": lambda x: flattened(
        lax.scan(lambda c, r: (c * r + 1, jnp.sin(c) * r), jnp.ones(2), hidden(x)[:, :2], reverse=True, unroll=2)
    ),
    "scan over coordinates": lambda x: flattened(lax.scan(lambda c, r: (c * r + 1, jnp.sin(c)), jnp.ones(2), x)),
    "scan with an integer": lambda x: lax.scan(
        lambda c, r: ((c[0] + 1, c[1] * x), c[1][0] * c[0]), (0, jnp.ones_like(x)), None, length=3
    )[0][1],
    "scan of no steps": lambda x: lax.scan(lambda c, r: (c * r, c), jnp.sin(x), jnp.zeros((0, 2)))[0],
    "map": lambda x: lax.map(lambda row: jnp.tanh(row @ MATRIX), x),
    "while": lambda x: lax.while_loop(
        lambda s: s[0] < 3, lambda s: (s[0] + 1, jnp.tanh(s[1] * x)), (0, jnp.ones_like(x))
    )[1],
    "fori": lambda x: lax.fori_loop(0, 3, lambda i, s: jnp.tanh(s * x + i), x),
    "cond": lambda x: lax.cond(x[0, 0] > 0.1, lambda a: jnp.sin(a) * a, lambda a: a**3, x),
    "cond of points": lambda x: jax.vmap(
        lambda row: lax.cond(row[0] > 0.5, lambda a: jnp.sin(a) * a, lambda a: a**3, row)
    )(x),
    "vmap": lambda x: jax.vmap(lambda row: jnp.tanh(row @ MATRIX) @ jnp.ones(3))(x),
    "jit": lambda x: jax.jit(lambda a: jnp.sin(a) * a)(x) + jax.jit(jnp.tanh)(x),
    "checkpoint": jax.checkpoint(lambda x: jnp.tanh(jnp.tanh(x @ MATRIX) @ SQUARE)),
    "checkpoint in a scan": lambda x: lax.scan(
        jax.checkpoint(lambda c, w: (jnp.tanh(c * w + x), None)), x, jnp.arange(3.0)
    )[0],
    "rule of two outputs": lambda x: two_outputs(x, hidden(x)[:, :2])[0] * two_outputs(x, hidden(x)[:, :2])[1],
    "surrogate": lambda x: surrogate(x - 0.5) * x,
    "rule with a parameter": lambda x: with_exponent(jnp.sin(x), 3),
    "solve": lambda x: jnp.linalg.solve(spd(x), hidden(x)[..., None]),
    "determinant": lambda x: jnp.linalg.det(spd(x)),
    "several moved to a device": lambda x: jax.device_put((jnp.sin(x), x**2))[0],
    "fourier": lambda x: jnp.fft.irfft(jnp.fft.rfft(hidden(x), axis=1) ** 2, n=3, axis=1),
    "power spectrum": lambda x: jnp.abs(jnp.fft.fft(hidden(x), axis=1)) ** 2,
    "complex": lambda x: (x[:, 0] + 1j * x[:, 1]) ** 3 * jnp.exp(1j * hidden(x)[:, 0]),
    "complex weights": lambda x: jnp.exp(x @ (MATRIX + 1j * SQUARE[:2])),
    "complex parts": lambda x: jnp.angle(x[:, 0] + 1j * jnp.sin(x[:, 1])) * jnp.conj(1j * x[:, 0]).imag,
    "from complex": lambda x: (x.astype(complex) * 2).real ** 2,
    "barrier": lambda x: lax.optimization_barrier(jnp.sin(x)) ** 2,
    "interpolation": lambda x: jnp.interp(x, jnp.linspace(0, 1, 5), jnp.linspace(0, 1, 5) ** 2) * x,
    "table": lambda x: jnp.take(jnp.arange(10.0) ** 2, (x * 9).astype(int)) * x,
}

FOURTH = ["both matrices", "batched products", "convolution of both", "softmax", "standardize", "scan", "while", "sort"]
FOURTH += ["product", "two angles", "power of both", "rule of two outputs", "scalars", "complex", "checkpoint", "solve"]
"""Compared up to order four, the others up to order three: the functions above all go to four."""

SINGLE = ["both matrices", "batched products", "convolution", "softmax", "standardize", "scan", "logsumexp", "norm"]
NOT_IN_BLOCKS = {"scan of no steps", "several moved to a device"}


@pytest.mark.parametrize("names", chunks([name for name in STRUCTURES if name not in FOURTH], 8))
def test_functions_of_arrays(double, names):
    agree_all({name: STRUCTURES[name] for name in names}, jnp.asarray(POINTS), PLANE[:4])


@pytest.mark.parametrize("names", chunks(FOURTH, 6))
def test_functions_of_arrays_up_to_order_four(double, names):
    agree_all({name: STRUCTURES[name] for name in names}, jnp.asarray(POINTS), PLANE)


def test_functions_of_arrays_in_single_precision():
    functions = {name: lambda x, f=STRUCTURES[name]: f(x).astype(x.dtype) for name in SINGLE}
    agree_all(functions, jnp.asarray(POINTS, jnp.float32), PLANE[:3])


@pytest.mark.parametrize("chunk", range(2))
def test_functions_of_arrays_in_ten_dimensions(double, chunk):
    """Many first derivatives in one array: half of the structures, in two programs."""
    names = [name for name in STRUCTURES if name not in NOT_IN_BLOCKS][chunk::4]  # both kinds of `inner`
    points = jnp.asarray(np.random.default_rng(1).uniform(0.1, 0.9, size=(5, 10)))
    mix = jnp.asarray(np.random.default_rng(2).uniform(0.05, 0.15, size=(10, 2)))

    def function(x):
        inner = x[:, 1:3] if chunk % 2 else x @ mix
        values = [STRUCTURES[name](inner) for name in names]
        return jnp.concatenate([jnp.ravel(v) / (1e-3 + jnp.abs(lax.stop_gradient(v)).max()) for v in values])

    block_agrees(function, points, 1e-10)


@pytest.mark.parametrize("subscripts", ["nij,njk->nik", "nij,nk->ijk"], ids=["batched", "over points"])
def test_products_with_constants_in_ten_dimensions(double, subscripts):
    """Rows and many first derivatives become rows of one product only where the points are a free axis."""
    constant = jnp.asarray(np.random.default_rng(3).normal(size=(5, 2, 3) if "njk" in subscripts else (5, 3)))
    points = jnp.asarray(np.random.default_rng(1).uniform(0.1, 0.9, size=(5, 10)))
    block_agrees(lambda x: jnp.sin(jnp.einsum(subscripts, outer(jnp.sin(x[:, 1:4]), x[:, 4:6]), constant)), points)


def test_a_rule_of_a_function_that_mixes_entries(double):
    agree(lambda x: shares(jnp.exp(x)) * x, jnp.asarray(POINTS), PLANE[:3])


def test_fall_back_is_reported(double):
    points = jnp.asarray(POINTS)
    for name, used in (("sort", {"sort"}), ("while", {"while"}), ("batched products", set()), ("scan", set())):
        assert one_pass(STRUCTURES[name], points, PLANE[:1])[1].fallen_back == used


def test_primitives_of_common_networks_have_rules():
    common = (
        "dot_general transpose broadcast_in_dim reshape squeeze slice add sub mul div neg tanh sin cos exp log log1p"
    )
    common += " expm1 logistic erf erfc sqrt rsqrt square abs integer_pow max min select_n convert_element_type copy"
    common += " concatenate split reduce_sum gather pad custom_jvp_call scan jit remat2"
    assert set(common.split()) <= set(_RULES) | {"remat2"}


# --- what cannot be differentiated forwards -----------------------------------------------------------------------
@jax.custom_vjp
def only_reverse(x):
    return x**3


only_reverse.defvjp(lambda x: (x**3, x), lambda x, g: (3 * x**2 * g,))


@pytest.mark.parametrize(
    "function",
    [
        only_reverse,
        jax.jit(only_reverse),
        jax.checkpoint(only_reverse),
        lambda x: lax.scan(lambda c, _: (only_reverse(c), None), x, None, length=2)[0],
        lambda x: lax.cond(x[0, 0] > 0, only_reverse, lambda z: z, x),
    ],
    ids=["directly", "jit", "checkpoint", "scan", "cond"],
)
def test_functions_with_a_reverse_rule_only(function):
    with pytest.raises(TypeError, match=r"custom_vjp.*scheme='automatic_differentiation:reverse'"):
        one_pass(function, jnp.asarray(POINTS, jnp.float32), PLANE[:1])


def test_a_reverse_rule_away_from_the_coordinates():
    points = jnp.asarray(POINTS, jnp.float32)
    agree(lambda x: only_reverse(jnp.ones(2)) * x**2 + only_reverse(lax.stop_gradient(x)), points, PLANE[:2])


def test_values_without_a_derivative():
    points = jnp.asarray(POINTS, jnp.float32)
    for function in (lambda x: x > 0.5, lambda x: (3 * x).astype(int)):
        (first, second), result = one_pass(function, points, PLANE[:2])
        assert first.dtype == jnp.float32
        np.testing.assert_array_equal(np.asarray(first), np.zeros((5, 2)))
        np.testing.assert_array_equal(np.asarray(second), np.zeros((5, 2)))
        np.testing.assert_array_equal(np.asarray(result.jets[0].value), np.asarray(function(points)))


# --- gradients with respect to weights, mapping and checkpoints ---------------------------------------------------
def weighted_networks():
    random = np.random.default_rng(4)
    weights = {
        name: jnp.asarray(random.normal(size=shape)) for name, shape in {"a": (2, 4), "b": (4, 4), "c": (4, 3)}.items()
    }

    def tanh(w, x):
        return jnp.tanh(jnp.tanh(x @ w["a"]) @ w["b"]) @ w["c"]

    def mixture(w, x):
        z = jax.nn.gelu(x @ w["a"]) / (2 + jnp.abs(jax.nn.softplus(x @ w["a"])))
        return jnp.sqrt(1 + jax.nn.softmax(z @ w["b"]) ** 2) @ w["c"]

    def looped(w, x):
        z = lax.scan(lambda z, k: (jnp.sin(z @ w["b"] + k), None), x @ w["a"], jnp.arange(2.0))[0]
        return jnp.prod(jax.checkpoint(jnp.cos)(z) @ w["c"] + 2, axis=1)

    return weights, {"tanh": tanh, "mixture": mixture, "looped": looped}


@pytest.mark.parametrize(("name", "mapped"), [("tanh", False), ("tanh", True), ("mixture", False), ("looped", True)])
def test_gradients_with_respect_to_weights(double, name, mapped):
    weights, networks = weighted_networks()
    network, points = networks[name], jnp.asarray(POINTS)
    wanted = [laplacian(2), partial(0, 0, 1)]

    def loss(derivatives):
        return lambda w: sum(jnp.sum(value**2) for value in derivatives(w))

    through_pass = jax.grad(loss(lambda w: one_pass(lambda x: network(w, x), points, wanted)[0]))
    through_nested = jax.grad(loss(lambda w: [nested(lambda x: network(w, x), points, op) for op in wanted]))
    if mapped:
        weights = jax.tree_util.tree_map(lambda w: jnp.stack([w, 0.5 * w]), weights)
        through_pass, through_nested = jax.vmap(through_pass), jax.vmap(through_nested)
    both = jax.jit(lambda w: (through_pass(w), through_nested(w)), compiler_options=QUICK)
    actual, expected = both(weights)
    for key in weights:
        same(actual[key], expected[key], 1e-10)


def test_gradients_in_ten_dimensions(double):
    """Gradients through the block."""
    random = np.random.default_rng(0)
    points, first, second = (jnp.asarray(random.normal(size=shape)) for shape in ((4, 10), (10, 5), (5, 1)))

    def network(w, x):
        return jnp.tanh(x @ w) @ second

    def gradients(w):
        passed = jax.grad(lambda w: jnp.sum(one_pass(lambda x: network(w, x), points, [laplacian(10)])[0][0] ** 2))(w)
        exact = jax.grad(lambda w: jnp.sum(nested(lambda x: network(w, x), points, laplacian(10)) ** 2))(w)
        return passed, exact

    passed, exact = jax.jit(gradients, compiler_options=QUICK)(first)
    same(passed, exact, 1e-10)


def test_further_derivatives_of_a_pass(double):
    """A pass may itself be differentiated and mapped: it is ordinary JAX code."""
    points = jnp.asarray(POINTS)

    def curvature(x):
        return one_pass(lambda z: jnp.tanh(z @ MATRIX), x, [laplacian(2)])[0][0]

    expected = nested(lambda z: jnp.tanh(z @ MATRIX), points, laplacian(2).then(partial(0)))
    same(nested(curvature, points, partial(0)), expected, 1e-10)
    rows = jax.vmap(lambda row: curvature(row[None])[0])(points)
    same(rows, curvature(points), 1e-12)
    jacobian = jax.jacrev(lambda row: curvature(row[None])[0])(points[0])
    same(jacobian[:, 0], expected[0], 1e-10)


def test_low_precision_stays_low():
    points = jnp.asarray(POINTS, jnp.bfloat16)
    network = eqx.nn.MLP(2, 1, 8, 2, activation=jax.nn.gelu, dtype=jnp.bfloat16, key=jax.random.key(0))
    first, second = jax.jit(lambda x: one_pass(jax.vmap(network), x, PLANE[:2])[0])(points)
    assert {first.dtype, second.dtype} == {jnp.dtype("bfloat16")}
    wide = jax.tree_util.tree_map(lambda a: a.astype(jnp.float32) if eqx.is_inexact_array(a) else a, network)
    exact = jax.jit(lambda x: nested(jax.vmap(wide), x, PLANE[1]))(points.astype(jnp.float32))
    assert np.abs(np.asarray(second, np.float32) - exact).max() < 0.05 * np.abs(exact).max()


def test_mixed_precision():
    """Coefficients follow the values through casts."""

    def function(x):
        return (jnp.tanh(x.astype(jnp.bfloat16)).astype(jnp.float32) * x) ** 2

    points = jnp.asarray(POINTS, jnp.float32)
    (first, second), _ = one_pass(function, points, PLANE[:2])
    assert {first.dtype, second.dtype} == {jnp.dtype("float32")}
    for value, op in ((first, PLANE[0]), (second, PLANE[1])):
        same(value, nested(lambda x: (jnp.tanh(x) * x) ** 2, points, op), 5e-3)
