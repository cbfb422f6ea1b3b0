"""Gradient norms, cosines and alignment, against gradients of the same losses written by hand."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import coordinates, mlp, unit_square
from jax.flatten_util import ravel_pytree

import jno

RATE = 1e-2


@pytest.fixture(scope="module")
def poisson():
    """A trained-for-nothing problem of two constraints, and its losses by hand."""
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("boundary")
    net = mlp(2, width=4, layers=1)
    u = net(x, y)
    pde = 3.0 * (u.d2(x) + u.d2(y) - x).mse
    boundary = (net(xb, yb) - yb).mse
    net.optimizer(optax.sgd(0.0))
    crux = jno.core([pde.name("pde"), boundary.name("boundary")])
    inside, edge = (
        jnp.asarray(np.stack(coordinates(domain, tag), -1), jnp.float32) for tag in ("interior", "boundary")
    )

    def losses(module):
        def laplacian(p):
            return jnp.trace(jax.hessian(lambda q: module(q[None])[0, 0])(p))

        residual = jax.vmap(laplacian)(inside) - inside[:, 0]
        return 3.0 * jnp.mean(residual**2), jnp.mean((module(edge)[:, 0] - edge[:, 1]) ** 2)

    return crux, net, losses


def by_hand(losses, module, filters=eqx.is_inexact_array):
    selected, rest = eqx.partition(module, filters)
    rows = jax.jit(jax.jacrev(lambda p: losses(eqx.combine(p, rest))))(selected)
    return np.stack([np.asarray(ravel_pytree(row)[0]) for row in rows])


@pytest.mark.slow
def test_of_two_constraints(poisson, tmp_path):
    crux, net, losses = poisson
    norms = jno.callbacks.gradient_norms(interval=2)
    cosines = jno.callbacks.cos_similarity(interval=2)
    alignment = jno.callbacks.gradient_alignment(interval=2)
    assert norms.value is cosines.value is alignment.value is None
    crux.solve(4, callbacks=[norms, cosines, alignment])
    rows = by_hand(losses, net.module)
    expected = np.linalg.norm(rows, axis=1)
    cosine = rows[0] @ rows[1] / expected.prod()
    np.testing.assert_allclose(norms.value["norms"], expected, rtol=1e-4)
    np.testing.assert_allclose(cosines.value["cos_sim_matrix"], [[1.0, cosine], [cosine, 1.0]], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(alignment.value["alignment"], cosine, rtol=1e-4, atol=1e-5)
    assert isinstance(alignment.value["alignment"], float)
    assert norms.result["norms"].shape == (2, 2)
    assert cosines.result["cos_sim_matrix"].shape == (2, 2, 2)
    assert alignment.result["alignment"].shape == (2,)
    for callback in (norms, cosines, alignment):
        np.testing.assert_array_equal(callback.result["epochs"] % 2, 0)
        path = tmp_path / "new" / f"{type(callback).__name__}.png"
        assert callback.plot(path) is callback
        assert path.stat().st_size > 5000


def test_of_masked_parameters(poisson):
    crux, net, losses = poisson
    nothing = jax.tree_util.tree_map(lambda _: False, crux.models)
    mask = eqx.tree_at(lambda m: m[net.layer_id].output_layer.weight, nothing, True)
    norms = jno.callbacks.gradient_norms(interval=1, mask=mask)
    crux.solve(1, callbacks=[norms])
    expected = np.linalg.norm(by_hand(losses, net.module, mask[net.layer_id]), axis=1)
    np.testing.assert_allclose(norms.value["norms"], expected, rtol=1e-4)


def test_masks_that_do_not_fit(poisson):
    crux, net, _ = poisson
    norms = jno.callbacks.gradient_norms
    nothing = jax.tree_util.tree_map(lambda _: False, net.module)
    with pytest.raises(TypeError, match=r"mask= is a dict like crux\.models, .* got list"):
        crux.solve(1, callbacks=[norms(mask=[True])])
    with pytest.raises(
        ValueError, match=rf"must match crux\.models, but it lacks {net.model_key} and has layers \[-7\]"
    ):
        crux.solve(1, callbacks=[norms(mask={-7: nothing})])
    with pytest.raises(ValueError, match=r"mask of .*must mirror the module's tree"):
        crux.solve(1, callbacks=[norms(mask={net.layer_id: (True, False)})])
    with pytest.raises(ValueError, match="selects no parameter that is trained"):
        crux.solve(1, callbacks=[norms(mask={net.layer_id: nothing})])


def parameters(*values):
    """Parameters trained by gradient descent, and a domain to put them on."""
    domain = jno.domain.line(mesh_size=0.5)
    x, _ = domain.variable("interior")
    made = [jno.np.parameter(()).initialize(value).optimizer(optax.sgd(0.1)) for value in values]
    return domain, x, made


def test_of_a_square():
    """After the update of epoch k the parameter is ``2 · 0.8^(k+1)``, the gradient twice that."""
    domain, _, (p,) = parameters(2.0)
    norms = jno.callbacks.gradient_norms(interval=3)
    jno.core([p**2], domain=domain).solve(7, callbacks=[norms])
    np.testing.assert_array_equal(norms.result["epochs"], [0, 3, 6])
    np.testing.assert_allclose(norms.result["norms"][:, 0], 4.0 * 0.8 ** np.array([1, 4, 7]), rtol=1e-5)


def test_of_a_constrained_parameter():
    """With respect to what is stored: ``d/ds softplus(s)² = 2 softplus(s) sigmoid(s)``."""
    domain, _, (p,) = parameters(0.3)
    p.constrain(jax.nn.softplus).optimizer(optax.sgd(0.0))
    norms = jno.callbacks.gradient_norms(interval=1)
    jno.core([p**2], domain=domain).solve(1, callbacks=[norms])
    expected = 2.0 * np.log1p(np.exp(0.3)) / (1.0 + np.exp(-0.3))
    np.testing.assert_allclose(norms.value["norms"], [expected], rtol=1e-5)


def test_of_frozen_parameters():
    """Only trained leaves count: here the gradient of the second is left out."""
    domain, _, (p, q) = parameters(1.0, 5.0)
    q.freeze()
    norms = jno.callbacks.gradient_norms(interval=1)
    jno.core([3.0 * p + q**2], domain=domain).solve(1, callbacks=[norms])
    np.testing.assert_allclose(norms.value["norms"], [3.0], rtol=1e-6)


def test_of_a_zero_gradient():
    domain, _, (p, q) = parameters(1.0, 0.0)
    q.optimizer(optax.sgd(0.0))
    p.optimizer(optax.sgd(0.0))
    cosines, alignment = jno.callbacks.cos_similarity(), jno.callbacks.gradient_alignment()
    jno.core([p**2, q**2, -1.0 * p], domain=domain).solve(1, callbacks=[cosines, alignment])
    np.testing.assert_allclose(
        cosines.value["cos_sim_matrix"], [[1.0, 0.0, -1.0], [0.0, 0.0, 0.0], [-1.0, 0.0, 1.0]], atol=1e-6
    )
    np.testing.assert_allclose(alignment.value["alignment"], -1.0, atol=1e-6)


def test_of_tiny_gradients():
    """Directions do not depend on the size of the losses."""
    domain, _, (p, q) = parameters(1.0, 1.0)
    p.optimizer(optax.sgd(0.0))
    q.optimizer(optax.sgd(0.0))
    cosines, alignment = jno.callbacks.cos_similarity(), jno.callbacks.gradient_alignment()
    losses = [1e-15 * (3.0 * p + 4.0 * q), 1e-25 * (4.0 * p + 3.0 * q), 1e-15 * (4.0 * p - 3.0 * q)]
    jno.core(losses, domain=domain).solve(1, callbacks=[cosines, alignment])
    expected = [[1.0, 0.96, 0.0], [0.96, 1.0, 0.28], [0.0, 0.28, 1.0]]
    np.testing.assert_allclose(cosines.value["cos_sim_matrix"], expected, atol=1e-6)


def test_of_three_constraints():
    """Unit gradients ``(1, 0)``, ``(0, 1)`` and ``(3, 4) / 5``: their mean has the square ``(1.6² + 1.8²) / 9``."""
    domain, _, (p, q) = parameters(1.0, 1.0)
    p.optimizer(optax.sgd(0.0))
    q.optimizer(optax.sgd(0.0))
    cosines, alignment = jno.callbacks.cos_similarity(), jno.callbacks.gradient_alignment()
    jno.core([2.0 * p, 7.0 * q, 3.0 * p + 4.0 * q], domain=domain).solve(1, callbacks=[cosines, alignment])
    np.testing.assert_allclose(
        cosines.value["cos_sim_matrix"], [[1.0, 0.0, 0.6], [0.0, 1.0, 0.8], [0.6, 0.8, 1.0]], atol=1e-6
    )
    np.testing.assert_allclose(alignment.value["alignment"], 2.0 * (1.6**2 + 1.8**2) / 9.0 - 1.0, rtol=1e-5)


def test_of_samples_and_time():
    """All samples and, with a window of all levels, all times count."""
    domain = 3 * jno.domain.line(mesh_size=0.5, time=(0.0, 1.0, 3))
    x, t = domain.variable("interior")
    f = domain.variable("f", np.array([[1.0], [2.0], [6.0]]))
    p = jno.np.parameter(()).optimizer(optax.sgd(0.0))
    norms = jno.callbacks.gradient_norms()
    jno.core([(p * f * t + 0.0 * x).mean]).solve(1, min_consecutive=None, batchsize=1, callbacks=[norms])
    np.testing.assert_allclose(norms.value["norms"], [3.0 * 0.5], rtol=1e-6)


def test_weights_balanced_by_gradient_norms():
    """Weights of adaptive losses count as one, so the rule sees the gradients of the bare losses."""
    domain, _, (p, q) = parameters(1.0, 1.0)
    norms = jno.callbacks.gradient_norms(interval=1)
    first, second = p**2, 3.0 * q**2
    w = jno.fn.adaptive.gradient_norm_balanced([first, second], norms)
    p.optimizer(optax.sgd(0.0))
    q.optimizer(optax.sgd(0.0))
    trackers = [weight.tracker() for weight in w]
    crux = jno.core([w[0] * first, w[1] * second, *trackers], domain=domain)
    log = crux.solve(4, callbacks=[norms]).training_logs[0]
    np.testing.assert_allclose(norms.result["norms"], [[2.0, 6.0]] * 4, rtol=1e-6)
    shown = np.stack([np.ravel(tracker["values"]) for tracker in log["track_stats"]], axis=1)
    np.testing.assert_allclose(shown[-1], [1.5, 0.5], rtol=1e-5)
