"""Many problems at once: vmapped parameters, and a row of data for every sample, equal the loop of single solves."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from weak_forms import as_function, double_precision  # noqa: F401

import jno

PARAMETERS = [0.3, 1.0, 2.5, 4.0]


class Bar:
    """A bar that is held on its left and may be pulled on its right."""

    def __init__(self, time=None, samples=1):
        self.domain = samples * jno.domain.line(mesh_size=0.2, time=time)
        self.at = self.domain.variable("interior")
        self.left, self.right = (self.domain.variable(tag)[:1] for tag in ("left", "right"))
        self.u, self.v = self.domain.fem_symbols((), ("u", "v"), order=2)
        self.ui, self.vi = self.u(*self.at), self.v(self.at[0])

    def energy(self, conductivity):
        return conductivity * self.ui.x * self.vi.x - 2 * self.vi


def conductivity(bar, k):
    return [bar.energy(k), bar.u(*bar.left) - 0.0]


def law(bar, k):
    return [bar.energy(k + bar.ui**2), bar.u(*bar.left) - 0.0]


def flux_and_value(bar, k):
    return [bar.energy(1 + bar.at[0]), -k * bar.v(*bar.right), bar.u(*bar.left) - jno.np.exp(k)]


STEADY = [conductivity, law, flux_and_value]


def with_gradient(solution):
    """The value of a solution and the gradient of a loss that weighs every entry differently, of one row."""
    value, _ = as_function(solution)

    def of(row):
        solved, back = jax.vjp(value, row)
        weights = np.random.default_rng(0).normal(size=solved.shape)
        return solved, back(2 * weights * solved)[0]

    return of


def in_a_loop(function):
    single = jax.jit(function)
    return [np.stack(rows) for rows in zip(*[single(jnp.array([value])) for value in PARAMETERS], strict=True)]


def same_together(function, apart):
    together = jax.jit(jax.vmap(function))(jnp.array(PARAMETERS)[:, None])
    for rows, expected in zip(together, apart, strict=True):
        np.testing.assert_allclose(rows, expected, rtol=1e-12, atol=1e-13)
        assert np.ptp(expected, axis=0).max() > 1e-2


@functools.cache
def steady(form):
    """A problem with one parameter, and its values and gradients in a loop."""
    bar, k = Bar(), jno.np.parameter((1,), name="k").initialize(1.0)
    function = with_gradient(jno.fem(form(bar, k)).solve(rtol=1e-12, atol=1e-12))
    return function, in_a_loop(function)


@pytest.mark.parametrize("form", STEADY, ids=lambda form: form.__name__)
def test_vmapped_parameters_equal_the_loop(form):
    same_together(*steady(form))


def test_vmapped_trajectories_equal_the_loop():
    bar, k = Bar(time=(0.0, 0.5, 4)), jno.np.parameter((1,), name="k").initialize(1.0)
    function = with_gradient(jno.fem([bar.ui.t * bar.vi + bar.energy(k), bar.u(*bar.left) - 0.0]).solve())
    same_together(function, in_a_loop(function))


@pytest.mark.parametrize("form", STEADY, ids=lambda form: form.__name__)
def test_every_sample_with_its_row_of_data_is_a_problem_of_its_own(form):
    bar = Bar(samples=len(PARAMETERS))
    row = bar.domain.variable("a", np.array(PARAMETERS)[:, None])
    together = np.asarray(jno.fem(form(bar, row)).solve(rtol=1e-12, atol=1e-12).eval())
    _, (apart, _) = steady(form)
    np.testing.assert_allclose(together, apart, rtol=1e-12, atol=1e-13)


def test_a_source_at_every_node_for_every_sample():
    """The nodal values of a function are data; linear between the nodes."""
    samples = np.random.default_rng(1).normal(size=(2, 6))
    bar = Bar(samples=2)
    source = bar.domain.interpolate(bar.domain.variable("f", samples))
    together = np.asarray(jno.fem([bar.energy(1.0) - source * bar.vi, bar.u(*bar.left) - 0.0]).solve().eval())
    single = Bar()
    for values, solution in zip(samples, together, strict=True):
        term = single.domain.interpolate(values) * single.vi
        expected = jno.fem([single.energy(1.0) - term, single.u(*single.left) - 0.0]).solve()
        np.testing.assert_allclose(solution, expected, atol=1e-12)


def test_one_parameter_is_found_from_all_samples():
    """Readings of four bars that share a conductivity and are pulled differently; their loss is the mean."""
    bar = Bar(samples=len(PARAMETERS))
    pull = bar.domain.variable("a", np.array(PARAMETERS)[:, None])
    k = jno.np.parameter((1,), name="k").initialize(1.0)

    def problem(conductivity):
        return jno.fem([bar.energy(conductivity), -pull * bar.v(*bar.right), bar.u(*bar.left) - 0.0])

    readings = np.asarray(problem(0.6).solve().eval())
    bar.domain.variable("readings", readings)
    loss = (problem(k).solve() - bar.domain.variable("readings")).mse
    core = jno.core([loss])
    per_row = np.mean((np.asarray(problem(1.0).solve().eval()) - readings) ** 2)
    np.testing.assert_allclose(np.mean(core.eval(loss)), per_row, rtol=1e-10)
    k.optimizer(optax.adam(0.05))
    core.solve(200)
    assert float(np.asarray(k.module.value)[0]) == pytest.approx(0.6, abs=1e-3)
