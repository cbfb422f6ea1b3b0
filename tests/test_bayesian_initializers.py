"""Pathfinder, Laplace's approximation and SVGD on densities with known mean and covariance."""

import sys

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jno.bayesian import LogDensityInitializer, kernel_of, laplace, pathfinder, svgd
from jno.trace import Sampling

KEY = jax.random.PRNGKey(0)
MEAN = np.array([1.0, -2.0, 0.5, 3.0])
COVARIANCE = np.array([[1.0, 0.5, 0.0, 0.0], [0.5, 2.0, 0.3, 0.0], [0.0, 0.3, 0.2, 0.0], [0.0, 0.0, 0.0, 4.0]])
PRECISION = np.linalg.inv(COVARIANCE)
SPREAD = np.sqrt(np.outer(COVARIANCE.diagonal(), COVARIANCE.diagonal()))


def gaussian(position):
    deviation = jnp.concatenate([position["bias"], position["weight"].ravel()]) - MEAN
    return -deviation @ jnp.asarray(PRECISION, deviation.dtype) @ deviation / 2


def around(start):
    """A position of several leaves, in the order in which they are raveled."""
    start = jnp.asarray(start) * jnp.ones(4)
    return {"bias": start[:2], "skipped": None, "weight": start[2:].reshape(1, 2)}


def rows(positions):
    assert positions["skipped"] is None
    count = len(positions["bias"])
    assert positions["bias"].shape == (count, 2)
    assert positions["weight"].shape == (count, 1, 2)
    return np.concatenate([positions["bias"], positions["weight"].reshape(count, 2)], axis=1)


def standardised(chains):
    """Errors of the mean, in standard deviations."""
    return (chains.mean(axis=0) - MEAN) / np.sqrt(COVARIANCE.diagonal())


def test_laplace_is_exact_for_gaussians():
    with jax.enable_x64(True):
        start = laplace(map_steps=30, map_optimizer=optax.lbfgs(), hessian_strategy="full", ridge=0.0)
        positions, options = start(KEY, gaussian, around(0.0), 5000)
        chains, matrix = rows(positions), options["inverse_mass_matrix"]
        assert matrix.dtype == chains.dtype == jnp.float64
    np.testing.assert_allclose(matrix, COVARIANCE, atol=1e-10)
    np.testing.assert_allclose(standardised(chains), 0, atol=0.05)
    np.testing.assert_allclose((np.cov(chains.T) - COVARIANCE) / SPREAD, 0, atol=0.05)


def test_laplace_finds_the_mode():
    # as narrow as to show where the mode is; Adam has half the way to go that it can
    with jax.enable_x64(True):
        positions, options = laplace()(KEY, lambda x: -1e8 * jnp.sum((x - 0.5) ** 2), jnp.zeros(3), 2)
        np.testing.assert_allclose(positions, 0.5, atol=1e-3)
        np.testing.assert_allclose(options["inverse_mass_matrix"], 0.5e-8, rtol=1e-6)


def test_laplace_diagonal_gives_conditional_variances():
    positions, options = laplace(map_steps=0, ridge=0.5)(KEY, gaussian, around(MEAN), 2000)
    variances = 1 / (PRECISION.diagonal() + 0.5)
    np.testing.assert_allclose(options["inverse_mass_matrix"], variances, rtol=1e-4)
    np.testing.assert_allclose((rows(positions).mean(axis=0) - MEAN) / np.sqrt(variances), 0, atol=0.07)
    np.testing.assert_allclose(rows(positions).var(axis=0), variances, rtol=0.1)


def test_laplace_says_where_it_is_at_no_mode(capsys):
    saddle = lambda x: x[0] ** 2 - 2 * x[1] ** 2  # noqa: E731
    _, options = laplace(map_steps=0, hessian_strategy="full")(KEY, saddle, jnp.zeros(2), 1)
    np.testing.assert_allclose(options["inverse_mass_matrix"], np.diag([0.5, 0.25]), rtol=1e-4)
    assert "1 of 2 curvatures are not those of a mode" in capsys.readouterr().out


# far away, and where L-BFGS has next to nothing to do
@pytest.mark.parametrize(("start", "double"), [(30.0, False), pytest.param(MEAN + 0.01, True, marks=pytest.mark.slow)])
def test_pathfinder_finds_mean_and_covariance(start, double):
    with jax.enable_x64(double):
        positions, options = pathfinder(imm_estimator_samples=4000)(KEY, gaussian, around(start), 4000)
        chains, variances = rows(positions), np.asarray(options["inverse_mass_matrix"])
        assert variances.dtype == chains.dtype == (jnp.float64 if double else jnp.float32)
    np.testing.assert_allclose(standardised(chains), 0, atol=0.05)
    np.testing.assert_allclose((np.cov(chains.T) - COVARIANCE) / SPREAD, 0, atol=0.1)
    np.testing.assert_allclose(variances / COVARIANCE.diagonal(), 1, atol=0.06)


def test_pathfinder_ends_with_a_step_of_newton():
    """One step of L-BFGS in one dimension leaves the right curvature at the wrong place."""
    start = pathfinder(maxiter=1, imm_estimator_samples=4000)
    chains, options = start(KEY, lambda x: -8.0 * jnp.sum((x - 1.0) ** 2), jnp.array([3.0]), 2000)
    np.testing.assert_allclose(chains.mean(), 1.0, atol=0.02)  # three standard deviations and a half
    np.testing.assert_allclose([np.var(chains), options["inverse_mass_matrix"][0]], 1 / 16, rtol=0.06)


@pytest.mark.slow
def test_pathfinder_says_when_there_is_no_path(capsys):
    density = lambda x: -jnp.sum((x - 1.0) ** 2)  # noqa: E731
    chains, options = pathfinder(maxiter=2, num_samples=5)(KEY, density, jnp.ones(3), 2)
    assert chains.shape == (2, 3)
    np.testing.assert_allclose(options["inverse_mass_matrix"], 1, atol=0.15)
    assert "pathfinder starts where the log density has no slope" in capsys.readouterr().out


def test_svgd_spreads_over_a_gaussian():
    positions, options = svgd(300, num_particles=60, optimizer=optax.adam(0.1))(KEY, gaussian, around(0.0), 50)
    chains = rows(positions)
    assert options == {}
    np.testing.assert_allclose(standardised(chains), 0, atol=0.1)
    # particles are known to spread less than the density does
    np.testing.assert_allclose(chains.var(axis=0) / COVARIANCE.diagonal(), 0.75, atol=0.2)
    assert np.corrcoef(chains.T)[0, 1] == pytest.approx(0.5 / np.sqrt(2), abs=0.08)


def test_svgd_with_one_particle_climbs_to_the_mode():
    with jax.enable_x64(True):
        chains, _ = svgd(200, optimizer=optax.adam(0.05))(KEY, lambda x: -jnp.sum((x - 0.5) ** 2), jnp.zeros(2), 1)
        np.testing.assert_allclose(chains, [[0.5, 0.5]], atol=1e-3)


def test_svgd_takes_other_kernels():
    def inverse_multiquadric(x, y, length_scale):
        return 1 / jnp.sqrt(1 + jnp.sum((x - y) ** 2) / length_scale)

    start = svgd(200, optimizer=optax.adam(0.1), kernel=inverse_multiquadric, init_jitter=1.0)
    chains, _ = start(KEY, lambda x: -jnp.sum((x - 1) ** 2) / 2, jnp.zeros(2), 20)
    np.testing.assert_allclose(chains.mean(axis=0), 1, atol=0.02)
    np.testing.assert_allclose(chains.var(axis=0), 0.9, atol=0.08)


@pytest.mark.parametrize("start", [pathfinder(maxiter=1), laplace(map_steps=1), svgd(num_iters=1)])
def test_refuses_what_it_cannot_start_from(start):
    name = {"Pathfinder": "pathfinder", "Laplace": "laplace"}.get(type(start).__name__, "svgd")
    assert isinstance(start, LogDensityInitializer)
    assert start.requires_logdensity
    with pytest.raises(ValueError, match=f"{name}: the log density at the starting position is nan; give initial"):
        start(KEY, lambda x: jnp.sum(jnp.log(x)), -jnp.ones(2), 2)
    with pytest.raises(ValueError, match=rf"{name}\(num_chains=0\): num_chains must be an integer of at least 1"):
        start(KEY, gaussian, around(0.0), 0)
    with pytest.raises(ValueError, match=f"{name}: the position has no numbers to sample"):
        start(KEY, gaussian, {"skipped": None}, 1)
    with pytest.raises(TypeError, match=rf"{name}: parameters are real.*the leaf \['n'\] is int32; put None"):
        start(KEY, gaussian, {"n": jnp.arange(3)}, 1)


def test_refuses_results_that_are_not_finite():
    def steep(x):
        return -jnp.sum(jnp.exp(x**2))

    with pytest.raises(ValueError, match="laplace ended at positions that are not finite: use a smaller learning rate"):
        laplace(3, optax.sgd(1e3))(KEY, steep, jnp.ones(2), 1)
    with pytest.raises(ValueError, match="svgd ended at positions that are not finite: use a smaller learning rate"):
        svgd(3, optimizer=optax.sgd(1e3))(KEY, steep, jnp.ones(2), 2)
    with pytest.raises(ValueError, match=r"laplace ended at .* a direction has no curvature; use ridge > 0"):
        laplace(1, ridge=0.0)(KEY, lambda x: -(x[0] ** 2), jnp.ones(2), 1)


def test_refuses_options_out_of_range():
    for option in ("maxiter", "num_samples", "maxcor"):
        with pytest.raises(ValueError, match=rf"pathfinder\({option}=0\): {option} must be an integer of at least 1"):
            pathfinder(**{option: 0})
    with pytest.raises(ValueError, match=r"imm_estimator_samples must be an integer of at least 2"):
        pathfinder(imm_estimator_samples=1)
    with pytest.raises(ValueError, match=r"laplace\(hessian_strategy='kfac'\): choose one of 'diagonal', 'full'"):
        laplace(hessian_strategy="kfac")
    with pytest.raises(ValueError, match=r"laplace\(map_steps=-1\): map_steps must be an integer of at least 0"):
        laplace(map_steps=-1)
    with pytest.raises(ValueError, match=r"laplace\(ridge=-0.1\): ridge must be a number of at least 0"):
        laplace(ridge=-0.1)
    with pytest.raises(TypeError, match=r"laplace\(map_optimizer=.*expected an optax transform with its learning rate"):
        laplace(map_optimizer=optax.adam)
    with pytest.raises(ValueError, match=r"svgd\(num_iters=0\): num_iters must be an integer of at least 1"):
        svgd(num_iters=0)
    with pytest.raises(ValueError, match=r"svgd\(init_jitter=0\): init_jitter must be a positive number"):
        svgd(init_jitter=0)
    with pytest.raises(TypeError, match=r"svgd\(optimizer=.*expected an optax transform"):
        svgd(optimizer="adam")
    with pytest.raises(ValueError, match=r"svgd\(num_particles=0\): num_particles must be an integer of at least 1"):
        svgd(num_particles=0)
    with pytest.raises(ValueError, match=r"svgd\(num_particles=3\) is less than num_chains=4: .*use at least 4"):
        svgd(num_particles=3)(KEY, gaussian, around(0.0), 4)


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "blackjax", None)
    for start in (pathfinder(), svgd()):
        with pytest.raises(ImportError, match=r"pip install 'jno-jax\[bayes\]'"):
            start(KEY, gaussian, around(0.0), 1)


@pytest.mark.parametrize(("suggested", "options"), [([4.0, 0.25], {}), (None, {"is_mass_matrix_diagonal": False})])
def test_adaptation_begins_with_the_matrix_that_was_suggested(suggested, options):
    """Four transitions adapt the step size only, so the matrix stays what it was."""
    record = Sampling(blackjax.nuts, None, 4, 10, 1, True, 1, 0.0, 1.0, options)
    kernel = kernel_of(record, "k")
    position = jnp.zeros(2)
    start = kernel.tuning(position) | ({} if suggested is None else {"inverse_mass_matrix": jnp.array(suggested)})
    _, tuned = kernel.adapted(jax.random.PRNGKey(0), lambda x: -jnp.sum(x**2) / 2, position, start, 4)
    expected = np.eye(2) if suggested is None else suggested
    np.testing.assert_allclose(tuned["inverse_mass_matrix"], expected)
    assert tuned["step_size"] != start["step_size"]
