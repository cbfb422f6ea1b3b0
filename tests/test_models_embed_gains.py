"""What each part of `jno.nn.embed` gains on a problem made for it: plain and embedded, same seed and epochs."""

import foundax
import jax
import numpy as np
import optax

import jno

KEY = jax.random.PRNGKey(1)


def build(size):
    return foundax.mlp(size, hidden_dims=20, num_layers=2, key=jax.random.PRNGKey(0))


def trained(net, constraints, expression, epochs, rate=1e-2):
    """The largest value of an expression after training."""
    net.optimizer(optax.adam(optax.cosine_decay_schedule(rate, epochs)))
    crux = jno.core(constraints)
    crux.solve(epochs)
    return float(np.abs(crux.eval(expression)).max())


# --- units --------------------------------------------------------------------------------------------------------
def plate(length, difference, conductivity, scaled):
    """A heated plate between two temperatures; the error over their difference."""
    domain = jno.domain.line((0.0, length), mesh_size=length / 30)
    (x, _), (edge, _) = domain.variable("interior"), domain.variable("boundary")
    source = 8 * conductivity * difference / length**2
    embedded = jno.nn.embed(build, domain, magnitude=difference, offset=300.0)
    net = embedded if scaled else jno.nn(build(1))
    heat = conductivity * net(x).d2(x) + source
    ends = net(edge) - 300.0 - difference * edge / length
    if scaled:
        w = jno.fn.adaptive.first_magnitude([heat.mse, ends.mse])
        heat, ends = w[0] ** 0.5 * heat, w[1] ** 0.5 * ends
    z = x / length
    exact = 300.0 + difference * z + 4 * difference * z * (1 - z)
    return trained(net, [heat.mse, 10 * ends.mse], (net(x) - exact) / difference, 500)


def test_micrometres_and_kilokelvins_train_like_ones():
    copper = {length: plate(length, 300.0, 400.0, True) for length in (1e-6, 1e-3)}
    glass = plate(1e-3, 1000.0, 1.38, True)
    ones = plate(1.0, 1.0, 1.0, True)
    assert max(ones, glass, *copper.values()) < 0.01
    assert plate(1e-3, 300.0, 400.0, False) > 0.5


# --- fast oscillations --------------------------------------------------------------------------------------------
def oscillations(**options):
    x, _ = jno.domain.line(mesh_size=1 / 120).variable("interior")
    net = jno.nn.embed(build, [(0, 1)], **options)
    error = net(x) - jno.np.sin(2 * np.pi * x) - 0.5 * jno.np.sin(30 * np.pi * x)
    return trained(net, [error.mse], error, 400)


def test_fourier_features_learn_fast_oscillations():
    plain, features = oscillations(), oscillations(fourier=16, scales=(1.0, 8.0), key=KEY)
    assert features < 0.02
    assert plain > 0.4


# --- periodic solutions -------------------------------------------------------------------------------------------
def circle(embedded):
    domain = jno.domain.line((0.0, 2.0), mesh_size=0.05)
    (x, _), (left, _), (right, _) = (domain.variable(tag) for tag in ("interior", "left", "right"))
    net = jno.nn.embed(build, domain, periodic={0: 2.0} if embedded else None)
    u, ends = net(x), [(net(left) - net(right)).mse, (net(left).d(left) - net(right).d(right)).mse]
    exact = jno.np.exp(jno.np.sin(np.pi * x + 0.4))
    equation = (u.d2(x) - u - exact.d2(x) + exact) / 10
    return trained(net, [equation.mse, *([] if embedded else ends)], u - exact, 500)


def test_periodic_inputs_need_no_conditions():
    plain, periodic = circle(False), circle(True)
    assert periodic < 0.002
    assert plain > 10 * periodic


# --- factorised weights -------------------------------------------------------------------------------------------
def front(factorize):
    x, _ = jno.domain.line((-1.0, 1.0), mesh_size=1 / 40).variable("interior")
    net = jno.nn.embed(build, [(-1, 1)], factorize=factorize, key=KEY)
    error = net(x) - jno.np.tanh(20 * x) - 0.3 * jno.np.sin(9 * x)
    return trained(net, [error.mse], error, 400, 5e-3)


def test_factorised_weights_learn_steep_fronts():
    plain, factorized = front(False), front(True)
    assert factorized < 0.3
    assert plain > 2 * factorized
