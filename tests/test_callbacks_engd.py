"""Natural gradients as a callback: least squares, the optimizer of the same name, other models, errors."""

import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno
from jno.callbacks import engd

KEY = jax.random.PRNGKey(3)


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


def line():
    x, _ = jno.domain.line(mesh_size=0.1).variable("interior")
    return x, np.linspace(0.0, 1.0, 11)


@pytest.mark.parametrize("terms", ["expression", "constraint", "position", "gradient"])
def test_one_step_solves_a_least_squares_problem(terms):
    x, points = line()
    p = jno.np.parameter((3,), name="p").optimizer(optax.sgd(1.0))
    residual = p[0] + p[1] * x + p[2] * x**2 - jno.np.exp(x)
    loss = 2 * residual.mse
    term = {"expression": residual, "constraint": loss, "position": 0, "gradient": residual.grad(p)}[terms]
    jno.core([loss]).solve(1, callbacks=[engd([term])])
    exact = np.linalg.lstsq(np.vander(points, 3, increasing=True), np.exp(points), rcond=None)[0]
    np.testing.assert_allclose(np.ravel(p.module.value), exact, rtol=1e-9)


@pytest.mark.parametrize("options", [{"line_search": True}, {"line_search": True, "gram_interval": 2}])
def test_as_the_optimizer(options):
    def losses(natural):
        x, _ = line()
        net = jno.nn(foundax.mlp(1, hidden_dims=5, num_layers=1, key=KEY)).dtype(jnp.float64)
        residual, boundary = net(x).d2(x) + jno.np.sin(x), net(x) * (1 - x)
        net.optimizer(jno.optimizers.engd([residual, boundary], **options) if natural is None else optax.sgd(1.0))
        callbacks = [] if natural is None else [natural([residual, boundary], **options)]
        return jno.core([residual.mse, 2 * boundary.mse]).solve(4, callbacks=callbacks).total_loss_history

    by_callback, by_optimizer = losses(engd), losses(None)
    np.testing.assert_allclose(by_callback, by_optimizer, rtol=1e-6)
    assert np.all(np.diff(by_callback) < 0)


def test_other_models_keep_their_gradients():
    x, points = line()
    a = jno.np.parameter((), name="a").optimizer(optax.sgd(1.0))
    b = jno.np.parameter((), name="b").initialize(1.0).optimizer(optax.sgd(0.1))
    residual = a * x + b - 2 * x
    jno.core([residual.mse]).solve(1, callbacks=[engd([residual.grad(a)])])
    r = 1.0 - 2.0 * points  # at a = 0, b = 1
    np.testing.assert_allclose(float(a.module.value), -np.sum(points * r) / np.sum(points**2), rtol=1e-9)
    np.testing.assert_allclose(float(b.module.value), 1.0 - 0.1 * 2 * np.mean(r), rtol=1e-9)


def test_every_solve_begins_with_a_metric_of_its_own():
    x, _ = line()
    p = jno.np.parameter((), name="p").initialize(1.0).optimizer(optax.sgd(1.0))
    residual = p**2 * x - 3 * x
    natural = engd([residual], gram_interval=100)
    crux = jno.core([residual.mse])
    for _ in range(2):  # Newton's method for the square root, as the metric is that of the newest p
        before = float(p.module.value)
        crux.solve(1, callbacks=[natural])
        assert float(p.module.value) == pytest.approx(before - (before**2 - 3) / (2 * before), rel=1e-9)


def test_terms_that_cannot_be():
    x, _ = line()
    a = jno.np.parameter((), name="a").optimizer(optax.sgd(1.0))
    b = jno.np.parameter((), name="b").optimizer(optax.sgd(1.0))
    residual = a * x + b
    with pytest.raises(ValueError, match="name at least one constraint"):
        engd([])
    for wrong in (3, "all", [1.5]):
        with pytest.raises(TypeError, match="gram_terms"):
            engd(wrong)
    with pytest.raises(ValueError, match="is masked; give the gradient by the whole network"):
        engd([residual.grad(a.mask(jax.tree_util.tree_map(lambda _: True, a.model.module)))])
    with pytest.raises(ValueError, match="gram_interval=0"):
        engd([residual], gram_interval=0)
    crux = jno.core([residual.mse, x.mse])
    for terms, message in (
        ([residual], "they depend on 'a', 'b'. Name one by residual.grad"),
        ([1], "they depend on none"),
        ([2], "there is no constraint 2; positions are 0 to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            crux.solve(1, callbacks=[engd(terms)])
    with pytest.raises(
        ValueError, match="neither a constraint of this core nor an expression whose mean square is one"
    ):
        crux.solve(1, callbacks=[engd([(residual + 1).grad(a)])])
    with pytest.raises(ValueError, match="inner_steps"):
        crux.solve(2, inner_steps=2, callbacks=[engd([residual.grad(a)])])


def test_callbacks_see_the_loss_of_the_step():
    """On the mini-batch and with the noise of the step itself: its gradient is that of the step."""

    class Seen(jno.Callback):
        def on_before_update(self, **kw):
            gradients = jax.grad(lambda p: kw["value_fn"](p))(kw["trainable"])
            for own, given in zip(*map(jax.tree_util.tree_leaves, (gradients, kw["grads"])), strict=True):
                np.testing.assert_allclose(own, given, rtol=1e-9)
            self.residuals = kw["value_fn"].residuals(kw["trainable"])
            self.loss = kw["value_fn"](kw["trainable"])

    domain = 4 * jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior", (3, None))
    p = jno.np.parameter((), name="p").optimizer(optax.sgd(0.1))
    seen = Seen()
    jno.core([(p * x + 1 + jno.noise.uniform()).mse]).solve(3, batchsize=2, callbacks=[seen])
    assert float(jnp.sum(seen.residuals**2)) == pytest.approx(float(seen.loss), rel=1e-12)
