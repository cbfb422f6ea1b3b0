"""No value and no gradient changes where what is fixed is computed beforehand."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import mlp, unit_square
from precomputing import assert_same, pair, titles

import jno
from jno.compiler import PRECOMPUTED

# --- values and gradients -----------------------------------------------------------------------------------------
SIN, EXP, CAT = jno.np.sin, jno.np.exp, jno.np.concat


def wave(x, y):
    return SIN(2 * x + y) * EXP(x * y)


def hidden(x, y, net, domain):
    """What is differentiated once, and contains a derivative of something fixed."""
    exact = wave(x, y)
    return (net(x, y) * exact).laplacian(x, y) - exact.laplacian(x, y)


CASES = {
    "source": lambda x, y, net, d: net(x, y).laplacian(x, y) + wave(x, y),
    "envelope": lambda x, y, net, d: (net(x, y) * d.distance_function(smooth=True)).laplacian(x, y),
    "first order": lambda x, y, net, d: (net(x, y) * wave(x, y)).d(x) + net(x, y).d(y),
    "exact solution": hidden,
    "mixed": lambda x, y, net, d: (net(x, y) * wave(x, y) + EXP(y)).d(x).d(y),
    "hessian": lambda x, y, net, d: (net(x, y) * wave(x, y)).hessian(x, y),
    "third order": lambda x, y, net, d: (net(x, y) * wave(x, y)).d(x).d(x).d(y),
    "biharmonic": lambda x, y, net, d: (net(x, y) * wave(x, y)).laplacian(x, y).laplacian(x, y),
    "coefficient": lambda x, y, net, d: (wave(x, y) * net(x, y).d(x)).d(x) + (EXP(x) * net(x, y).d(y)).d(y),
    "derivative as coefficient": lambda x, y, net, d: (wave(x, y).d(x) * net(x, y)).d(y),
    "two components": lambda x, y, net, d: (CAT([net(x, y), net(y, x)]) * CAT([wave(x, y), EXP(x)])).laplacian(x, y),
    "other scheme": lambda x, y, net, d: (
        (net(x, y) * wave(x, y)).d(x, scheme="automatic_differentiation:reverse") * wave(x, y)
    ),
    "no gradient": lambda x, y, net, d: (net(x, y) * wave(x, y).stop_gradient).d(x),
    "mask": lambda x, y, net, d: jno.np.where(wave(x, y) > 0.8, net(x, y).d(x), 0.0) * EXP(SIN(x)),
    "norm": lambda x, y, net, d: net(x, y).d(x) / wave(x, y).mse,
    "step function": lambda x, y, net, d: (jno.np.floor(3 * SIN(x)) * net(x, y)).laplacian(x, y),
    "evaluated elsewhere": lambda x, y, net, d: net(x, y).d(x) - wave(x, y).d(x)(x, 0.0),
    "integral": lambda x, y, net, d: net(x, y).d(x) * jno.np.integrate(wave(x, y)),
}


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_do_not_change(case):
    domain = unit_square(0.4)
    x, y, _ = domain.variable("interior")
    plain, adopted = pair([CASES[case](x, y, mlp(2), domain)], domain)
    assert adopted.precomputed.expressions
    assert_same(plain, adopted)


def test_values_in_double_precision():
    with jax.enable_x64(True):
        domain = unit_square(0.4)
        x, y, _ = domain.variable("interior")
        net = mlp(2)
        u = net(x, y) * domain.distance_function(smooth=True) * wave(x, y)
        plain, adopted = pair([u.laplacian(x, y).laplacian(x, y), u.d(x).d(y)], domain)
        assert all(array.dtype == jnp.float64 for name, array in adopted.data.items() if name[0] == PRECOMPUTED)
        assert_same(plain, adopted, tolerance=1e-12)


def test_normal_derivatives():
    domain = unit_square(0.4)
    x, y, _ = domain.variable("boundary")
    normal = domain.variable("boundary", normals=True)
    u = mlp(2)(x, y) * wave(x, y)
    plain, adopted = pair([u.d(normal), u * EXP(normal[..., 0:1])], domain)
    assert titles(adopted)["*"] == "value, ∂n"
    assert_same(plain, adopted)


@pytest.mark.parametrize("window", [1, 2, None])
@pytest.mark.parametrize("samples", [1, 3])
def test_time_levels_and_samples(window, samples):
    domain = samples * jno.domain.line((-1, 1), mesh_size=0.4, time=(0, 1, 4))
    x, t = domain.variable("interior", (5, None))
    net = mlp(2)
    u = SIN(3 * x) + EXP(-t) * SIN(t * x) * net(x, t) * EXP(x)
    residuals = [u.d(t) + u * u.d(x) - 0.01 * u.d2(x) - EXP(-t * x), u * SIN(t), (u * EXP(x)).mean]
    plain, adopted = pair(residuals, domain, window)
    layouts = {(array.shape[0], array.shape[1]) for name, array in adopted.data.items() if name[0] == PRECOMPUTED}
    assert layouts >= {(samples, 4)} if samples > 1 else layouts == {(1, 1), (1, 4)}
    assert_same(plain, adopted, key=jax.random.PRNGKey(1))


def test_data_of_samples():
    domain = 3 * unit_square(0.4)
    x, y, _ = domain.variable("interior")
    a = domain.variable("a", np.linspace(0.5, 1.5, 3, dtype=np.float32).reshape(3, 1, 1))
    plain, adopted = pair([(mlp(2)(x, y) * EXP(a * x)).laplacian(x, y) + SIN(a)], domain)
    assert_same(plain, adopted)
    batched = [name for name in adopted.layout.batched if name[0] == PRECOMPUTED]
    assert batched
    assert all(adopted.data[name].shape[0] == 3 for name in batched)


def test_merged_domains_with_meshes_of_their_own():
    domain = jno.domain.rect(mesh_size=0.5) + jno.domain.rect((0.0, 2.0), (0.0, 1.0), mesh_size=0.5)
    x, y, _ = domain.variable("interior", sample=(6, None))
    plain, adopted = pair([(mlp(2)(x, y) * wave(x, y)).laplacian(x, y)], domain)
    assert_same(plain, adopted)
