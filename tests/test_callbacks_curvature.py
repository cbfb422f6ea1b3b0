"""Hessian spectrum, loss landscape and neural tangent kernel, against dense matrices and analytic ones."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import coordinates, mlp, unit_square
from jax.flatten_util import ravel_pytree

import jno
from jno.callbacks._lanczos import ritz_values, tridiagonal


@pytest.fixture(scope="module")
def fit():
    """A small network, the loss by hand, its dense Hessian."""
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    net = mlp(2, width=3, layers=1)
    u = net(x, y)
    net.optimizer(optax.sgd(0.0))
    first, second = (u - x * y).mse, (u.d(x) - y).mse
    crux = jno.core([first, second])
    points = jnp.asarray(np.stack(coordinates(domain, "interior"), -1), jnp.float32)
    weights, unravel = ravel_pytree(eqx.filter(net.module, eqx.is_inexact_array))

    def losses(flat):
        module = eqx.combine(unravel(flat), net.module)
        value = jax.vmap(lambda p: module(p[None])[0, 0])
        slope = jax.vmap(jax.grad(lambda p: module(p[None])[0, 0]))(points)[:, 0]
        return (
            jnp.mean((value(points) - points[:, 0] * points[:, 1]) ** 2),
            jnp.mean((slope - points[:, 1]) ** 2),
        )

    return crux, net, u, (first, second), losses, weights, points


# --- Hessian ----------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_hessian_of_a_network(fit, tmp_path):
    crux, _, _, (first, _), losses, weights, _ = fit
    total, one = (
        jno.callbacks.hessian_spectrum(k=5, n_iter=30, interval=1),
        jno.callbacks.hessian_spectrum(k=3, n_iter=30, interval=1, constraints=[first]),
    )
    crux.solve(2, callbacks=[total, one])
    for callback, loss in ((total, lambda w: sum(losses(w)) / 2.0), (one, lambda w: losses(w)[0])):
        dense = np.linalg.eigvalsh(np.asarray(jax.jit(jax.hessian(loss))(weights), np.float64))
        largest = dense[np.argsort(-np.abs(dense))[: callback.k]]
        np.testing.assert_allclose(callback.value["eigvals"], np.sort(largest)[::-1], atol=2e-5 * np.abs(dense).max())
        np.testing.assert_allclose(callback.result["sharpness"], [dense.max()] * 2, rtol=1e-4)
        assert callback.result["eigvals"].shape == (2, callback.k)
    assert total.plot(tmp_path / "h.png") is total
    assert (tmp_path / "h.png").stat().st_size > 5000


def test_hessian_of_squares():
    domain = jno.domain.line(mesh_size=0.5)
    p = jno.np.parameter((3,)).optimizer(optax.sgd(0.0))
    q = jno.np.parameter(()).optimizer(optax.sgd(0.0))
    every, some = jno.callbacks.hessian_spectrum(k=4), jno.callbacks.hessian_spectrum(k=2)
    loss = (p**2 * np.array([[1.0], [2.0], [2.0]])).sum - 5.0 * q**2
    jno.core([loss], domain=domain).solve(1, callbacks=[every, some])
    np.testing.assert_allclose(every.value["eigvals"], [4.0, 4.0, 2.0, -10.0], rtol=1e-5)
    np.testing.assert_allclose(some.value["eigvals"], [4.0, -10.0], rtol=1e-5)  # the largest in magnitude
    assert every.result["sharpness"][0] == pytest.approx(4.0, rel=1e-5)


def test_hessian_of_some_constraints():
    """Of the mean of ``p²`` and ``3 q²`` and of the second alone."""
    domain = jno.domain.line(mesh_size=0.5)
    p, q = (jno.np.parameter(()).optimizer(optax.sgd(0.0)) for _ in range(2))
    first, second = p**2, 3.0 * q**2
    total, one = jno.callbacks.hessian_spectrum(k=2), jno.callbacks.hessian_spectrum(k=2, constraints=[second])
    jno.core([first, second], domain=domain).solve(1, callbacks=[total, one])
    np.testing.assert_allclose(total.value["eigvals"], [3.0, 1.0], rtol=1e-5)
    np.testing.assert_allclose(one.value["eigvals"], [6.0, 0.0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("steps", [30, 60])
def test_lanczos(steps):
    """The ends of a spectrum converge first; with all steps it is exact, zeros and multiplicities included."""
    values = np.concatenate([[-40.0, 30.0, 30.0, 90.0], np.zeros(26), np.linspace(-1.0, 1.0, 30)])
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(60, 60)))[0]
    matrix = jnp.asarray(rotation @ np.diag(values) @ rotation.T, jnp.float32)
    start = jax.random.normal(jax.random.key(1), (60,))
    parts = tridiagonal(lambda v: matrix @ v, start, steps, jax.random.key(2))
    found = ritz_values(*map(np.asarray, parts))
    if steps == 60:
        np.testing.assert_allclose(found, np.sort(values), atol=1e-4)
    np.testing.assert_allclose([found[0], found[-1]], [-40.0, 90.0], rtol=1e-5)


def test_lanczos_where_one_vector_spans_the_krylov_space():
    start = jax.random.normal(jax.random.key(1), (4,))
    for factor in (2.0, -3.0):
        parts = tridiagonal(lambda v, factor=factor: factor * v, start, 4, jax.random.key(2))
        np.testing.assert_allclose(ritz_values(*map(np.asarray, parts)), [factor] * 4, rtol=1e-5)


def test_hessian_options(fit):
    crux = fit[0]
    with pytest.raises(ValueError, match=r"k=5, n_iter=3\): n_iter steps give n_iter eigenvalues"):
        jno.callbacks.hessian_spectrum(k=5, n_iter=3)
    with pytest.raises(ValueError, match="k must be an integer of at least 1"):
        jno.callbacks.hessian_spectrum(k=0)
    foreign = jno.np.parameter(()) ** 2
    with pytest.raises(ValueError, match="was not found among the constraints of this core"):
        crux.solve(1, callbacks=[jno.callbacks.hessian_spectrum(constraints=[foreign])])


# --- landscape --------------------------------------------------------------------------------------------------
def test_landscape_of_a_square(tmp_path):
    """A scalar moves by its own size: the loss is ``(2 ± 2α ± 2β)²``, whatever the signs that were drawn."""
    domain = jno.domain.line(mesh_size=0.5)
    p = jno.np.parameter(()).initialize(2.0).optimizer(optax.sgd(0.0))
    landscape = jno.callbacks.loss_landscape(interval=1, n_grid=5, alpha_range=0.5)
    jno.core([p**2], domain=domain).solve(2, callbacks=[landscape])
    along = np.linspace(-0.5, 0.5, 5)
    candidates = [(2.0 + 2.0 * s * along[:, None] + 2.0 * r * along) ** 2 for s in (1, -1) for r in (1, -1)]
    assert (
        sum(np.allclose(landscape.value["landscapes"], candidate, rtol=1e-5, atol=1e-6) for candidate in candidates)
        == 1
    )
    assert landscape.result["landscapes"].shape == (2, 5, 5)
    np.testing.assert_array_equal(landscape.result["landscapes"][0], landscape.result["landscapes"][1])
    assert landscape.plot(tmp_path / "l.png") is landscape
    assert (tmp_path / "l.png").stat().st_size > 5000


def test_landscape_along_two_directions():
    """Of a linear loss it is a plane whose slopes differ."""
    domain = jno.domain.line(mesh_size=0.5)
    p = jno.np.parameter((3,)).initialize(jnp.array([1.0, 2.0, 3.0])).optimizer(optax.sgd(0.0))
    landscape = jno.callbacks.loss_landscape(n_grid=3)
    jno.core([(p * np.array([[1.0], [-2.0], [4.0]])).sum], domain=domain).solve(1, callbacks=[landscape])
    along_first, along_second = (
        np.diff(landscape.value["landscapes"], axis=0),
        np.diff(landscape.value["landscapes"], axis=1),
    )
    assert landscape.value["landscapes"][1, 1] == pytest.approx(9.0)
    np.testing.assert_allclose(along_first, along_first[0, 0], rtol=1e-4)
    np.testing.assert_allclose(along_second, along_second[0, 0], rtol=1e-4)
    assert abs(along_first[0, 0] - along_second[0, 0]) > 0.1


def test_landscape_of_a_network(fit):
    """The centre is the loss; moving one bias alone is moving the output by its size, one way or the other."""
    crux, net, _, _, losses, weights, points = fit
    bias = jax.tree_util.tree_map(lambda _: False, net.module)
    bias = eqx.tree_at(lambda m: m.output_layer.bias, bias, True)
    one = jno.callbacks.loss_landscape(interval=1, n_grid=3, mask={net.layer_id: bias})
    crux.solve(1, callbacks=[one])
    fitted, slope = (float(loss) for loss in losses(weights))
    mean = float(jnp.mean(net.module(points)[:, 0] - points[:, 0] * points[:, 1]))
    size = abs(float(net.module.output_layer.bias[0]))
    along = np.array([-1.0, 0.0, 1.0]) * size
    moves = [s * along[:, None] + r * along for s in (1, -1) for r in (1, -1)]
    candidates = [(fitted + 2.0 * mean * move + move**2 + slope) / 2.0 for move in moves]
    assert sum(np.allclose(one.value["landscapes"], candidate, rtol=1e-5) for candidate in candidates) == 1


def test_directions_are_normalised_by_filter():
    from jno.callbacks._loss_landscape import _direction

    weights = {1: [jnp.array([[3.0, 4.0], [0.0, 0.0], [5.0, 12.0]]), jnp.array([1.0, 2.0, 2.0]), jnp.array(-7.0)]}
    matrix, vector, scalar = _direction(weights, jax.random.key(0))[1]
    np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), [5.0, 0.0, 13.0], rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vector), 3.0, rtol=1e-6)
    np.testing.assert_allclose(abs(scalar), 7.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"n_grid": 1}, "n_grid must be an integer of at least 2"), ({"alpha_range": 0}, "alpha_range must be above 0")],
)
def test_landscape_options(options, message):
    with pytest.raises(ValueError, match=message):
        jno.callbacks.loss_landscape(**options)


# --- neural tangent kernel ----------------------------------------------------------------------------------------
FIELDS = {"trace", "eigvals_topk", "lambda_min", "lambda_max", "condition_number", "all_eigvals"}


def test_kernel_of_a_linear_model(tmp_path):
    """``u = a + b x`` has the Jacobian rows ``(1, x)`` at any weights."""
    domain = jno.domain.line(mesh_size=0.1)
    x, _ = domain.variable("interior")
    net = jno.nn(eqx.nn.Linear(1, 1, key=jax.random.PRNGKey(0))).optimizer(optax.sgd(0.1))
    u = net(x)
    spectrum = jno.callbacks.ntk_spectrum(u.grad(net), top_k=3, interval=1)
    jno.core([(u - x).mse]).solve(2, callbacks=[spectrum])
    points = np.asarray(domain.context["interior"])[0, 0, :, 0]
    rows = np.stack([np.ones_like(points), points], axis=1)
    expected = np.linalg.eigvalsh(rows @ rows.T)[::-1]
    value = spectrum.value
    assert set(value) == FIELDS
    assert value["trace"] == pytest.approx(np.sum(1.0 + points**2), rel=1e-5)
    np.testing.assert_allclose(value["all_eigvals"], expected, atol=1e-5 * expected[0])
    np.testing.assert_allclose(value["eigvals_topk"], expected[:3], atol=1e-5 * expected[0])
    assert (value["lambda_min"], value["condition_number"]) == (0.0, np.inf)
    assert value["lambda_max"] == pytest.approx(expected[0], rel=1e-5)
    assert spectrum.latest_epoch == 1
    assert spectrum.result["all_eigvals"].shape == (2, len(points))
    assert spectrum.result["trace"].shape == (2,)
    assert spectrum.plot(tmp_path / "k.png") is spectrum
    assert (tmp_path / "k.png").stat().st_size > 5000


def test_kernel_at_both_ends():
    """At two points a and b the rows ``(1, a)`` and ``(1, b)`` of a linear model make a kernel that is not singular."""
    domain = jno.domain.line((0.5, 2.0), mesh_size=0.5)
    x, _ = domain.variable("interior")
    net = jno.nn(eqx.nn.Linear(1, 1, key=jax.random.PRNGKey(0))).optimizer(optax.sgd(0.1))
    spectrum = jno.callbacks.ntk_spectrum(net(x).grad(net), n_points=2, top_k=1, interval=1)
    jno.core([net(x).mse]).solve(1, callbacks=[spectrum])
    a, b = np.asarray(domain.context["interior"])[0, 0, [0, -1], 0]
    small, large = np.linalg.eigvalsh([[1.0 + a * a, 1.0 + a * b], [1.0 + a * b, 1.0 + b * b]])
    value = spectrum.value
    np.testing.assert_allclose([value["lambda_min"], value["lambda_max"]], [small, large], rtol=1e-4)
    assert value["condition_number"] == pytest.approx(large / small, rel=1e-4)
    np.testing.assert_allclose(value["eigvals_topk"], [large], rtol=1e-4)


def test_kernel_of_a_residual(fit):
    """Of a residual with a derivative, at all points and at some, against `jax.jacrev`."""
    crux, net, u, _, _, weights, points = fit
    x, y = u.args
    some, few = (jno.callbacks.ntk_spectrum((u.d(x) * y).grad(net), n_points=n, interval=1) for n in (256, 4))
    crux.solve(1, callbacks=[some, few])
    _, unravel = ravel_pytree(eqx.filter(net.module, eqx.is_inexact_array))

    def residual(flat):
        module = eqx.combine(unravel(flat), net.module)
        return jax.vmap(jax.grad(lambda p: module(p[None])[0, 0]))(points)[:, 0] * points[:, 1]

    jacobian = np.asarray(jax.jit(jax.jacrev(residual))(weights), np.float64)
    for callback, rows in (
        (some, jacobian),
        (few, jacobian[np.linspace(0, len(points) - 1, 4).round().astype(int)]),
    ):
        expected = np.linalg.eigvalsh(rows @ rows.T)[::-1]
        np.testing.assert_allclose(callback.value["all_eigvals"], expected, atol=1e-5 * expected[0])
        np.testing.assert_allclose(callback.value["trace"], np.trace(rows @ rows.T), rtol=1e-5)


def test_kernel_at_some_points_computes_no_others(fit):
    """With few points the compiled program has no array over all of them."""
    _, net, u, _, _, _, points = fit
    counts = []

    def watched(value):
        counts.append(value.shape[0])
        return value

    v = jno.trace.FunctionCall(watched, [u], align="broadcast")
    spectrum = jno.callbacks.ntk_spectrum(v.grad(net), n_points=3, interval=1)
    crux = jno.core([u.mse])
    crux.solve(1, callbacks=[spectrum])
    assert spectrum.value["all_eigvals"].shape == (3,)
    assert len(points) in counts  # asked whether the points depend on each other
    assert counts[-1] < len(points)


def test_kernel_where_points_depend_on_each_other(fit):
    """Minus the mean over all points: the mean must not become that of the chosen ones."""
    crux, net, u, _, _, weights, points = fit
    spectrum = jno.callbacks.ntk_spectrum((u - u.mean).grad(net), n_points=4, interval=1)
    crux.solve(1, callbacks=[spectrum])
    _, unravel = ravel_pytree(eqx.filter(net.module, eqx.is_inexact_array))

    def centred(flat):
        values = eqx.combine(unravel(flat), net.module)(points)[:, 0]
        return values - jnp.mean(values)

    rows = np.asarray(jax.jit(jax.jacrev(centred))(weights))[np.linspace(0, len(points) - 1, 4).round().astype(int)]
    np.testing.assert_allclose(spectrum.value["trace"], np.sum(rows**2), rtol=1e-4)


def test_kernel_refuses(fit):
    crux, net, u, (first, _), _, _, _ = fit
    x, y = u.args
    with pytest.raises(TypeError, match=r"takes a gradient with respect to a network, u\.grad\(net\), got ModelCall"):
        jno.callbacks.ntk_spectrum(u)
    with pytest.raises(ValueError, match="n_points must be an integer of at least 1"):
        jno.callbacks.ntk_spectrum(u.grad(net), n_points=0)
    vector = u.grad(x, y).grad(net)
    with pytest.raises(ValueError, match=r"vector with \(2,\) components; take one"):
        crux.solve(1, callbacks=[jno.callbacks.ntk_spectrum(vector)])
    with pytest.raises(ValueError, match="reduced to one number"):
        crux.solve(1, callbacks=[jno.callbacks.ntk_spectrum(first.grad(net))])
    other = mlp(2, name="other")
    with pytest.raises(ValueError, match="this core does not contain 'other'"):
        crux.solve(1, callbacks=[jno.callbacks.ntk_spectrum(other(x, y).grad(other))])


def test_weights_balanced_by_kernels():
    """Traces 1·n and 4·n at any weights: shares of 5/1 and 5/4, with the sum 2."""
    domain = jno.domain.line(mesh_size=0.5)
    x, _ = domain.variable("interior")
    p = jno.np.parameter(()).optimizer(optax.sgd(0.0))
    first, second = p + 0.0 * x, 2.0 * p + 0.0 * x
    spectra = [jno.callbacks.ntk_spectrum(u.grad(p), interval=1) for u in (first, second)]
    w = jno.fn.adaptive.ntk_balanced([first.mse, second.mse], spectra)
    crux = jno.core([w[0] * first.mse, w[1] * second.mse, w[0].tracker(), w[1].tracker()])
    log = crux.solve(3, callbacks=spectra).training_logs[0]
    shown = np.stack([np.ravel(tracker["values"]) for tracker in log["track_stats"]], axis=1)
    np.testing.assert_allclose(shown, [[1.0, 1.0], [1.0, 1.0], [1.6, 0.4]], rtol=1e-5)
