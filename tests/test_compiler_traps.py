"""Places where a plausible program would silently compute something else: right, or refused."""

import foundax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import close

import jno


def _mlp(inputs, outputs, seed):
    module = foundax.mlp(inputs, output_dim=outputs, hidden_dims=8, num_layers=2, key=jax.random.PRNGKey(seed))
    return jno.nn(module)


@pytest.fixture
def line():
    domain = jno.domain.line(mesh_size=0.25)  # five points
    x, _ = domain.variable("interior")
    return domain, x, jno.core([x.mse])


def test_slices_of_points_align_with_each_other(line):
    _, x, crux = line
    u = jno.np.sin(x)[..., 0]
    slope = crux.eval((u[1:] - u[:-1]) / (x[1:] - x[:-1]))
    nodes = np.linspace(0, 1, 5)
    close(slope, (np.diff(np.sin(nodes)) / 0.25)[None, :, None], 1e-5)


@pytest.mark.parametrize("part", [slice(1, None), slice(None, None, -1), [2, 1, 0, 3, 4]])
def test_some_or_other_points_cannot_be_differentiated(line, part):
    _, x, _ = line
    with pytest.raises(ValueError, match="differentiate first and reduce afterwards"):
        jno.core([(x**2)[part].d(x).mse])


def test_indices_may_be_arrays_or_empty():
    domain = 2 * jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior", (4, None))
    u = _mlp(1, 1, 0)(x)
    crux = jno.core([u.mse, u[np.array([0, 2])].mse, u[()].mse])
    whole = np.asarray(crux.eval(u))
    close(crux.eval(u[np.array([0, 2])]), whole[:, [0, 2]], 1e-6)
    close(crux.eval(u[()]), whole, 1e-6)


@pytest.mark.parametrize("count", [None, 4])
def test_finite_differences_keep_the_sample_axis(count):
    domain = 3 * jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior", (count, None))
    slope = jno.core([x.mse]).eval((3.0 * x).d(x, "finite_difference"))
    close(slope, np.full((3, count or 5, 1), 3.0), 1e-5)


def test_second_time_difference_is_not_drowned_in_rounding():
    domain = jno.domain.line(mesh_size=0.25, time=(0, 2, 5))
    x, t = domain.variable("interior")
    value = jno.core([x.mse]).eval((jno.np.sin(t) * (1 + x)).d2(t, "finite_difference"), min_consecutive=None)
    expected = -np.sin(np.linspace(0, 2, 5))[:, None] * (1 + np.linspace(0, 1, 5))
    np.testing.assert_allclose(value[0, :, :, 0], expected, atol=5e-3)


def test_branch_column_is_not_taken_for_points():
    """Five basis functions, five points: the product pairs components or is refused."""
    domain = 3 * jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    data = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    branch, trunk = _mlp(2, 5, 1), _mlp(1, 5, 2)
    b = branch(domain.variable("data", data))
    with pytest.raises(ValueError, match="a column of 5 entries that are no points meets 5 points"):
        jno.core([(b * trunk(x)).mse])
    u = jno.np.sum(b.T * trunk(x), axis=-1)
    points = jnp.asarray(domain.context["interior"][0, 0])
    expected = np.einsum("bd,nd->bn", branch.module(jnp.asarray(data)), trunk.module(points))
    close(jno.core([u.mse]).eval(u), expected, 1e-5)


def test_parameter_column_is_not_taken_for_points(line):
    _, x, _ = line
    k = jno.np.parameter((5,))
    with pytest.raises(ValueError, match="no points meets 5 points"):
        jno.core([(k * _mlp(1, 5, 0)(x)).mse])
    assert jno.core([(k * x).mse]).eval(k * x).shape == (1, 5, 1)


@pytest.mark.parametrize("scheme", ["automatic_differentiation:forward", "automatic_differentiation:reverse"])
def test_derivative_of_integers_and_booleans_is_a_floating_zero(line, scheme):
    _, x, crux = line
    k = jno.np.where(x > 0.5, 2, 1)
    value = crux.eval(k.d(x, scheme) * x + (x > 0.5).d(x, scheme))
    assert jnp.issubdtype(value.dtype, jnp.floating)
    close(value, np.zeros((1, 5, 1)))


def test_row_as_long_as_the_point_set_is_refused_by_concat(line):
    domain, x, crux = line
    row = domain.variable("row", np.arange(5.0)[None])
    with pytest.raises(ValueError, match="a row of 5 entries meets 5 points"):
        crux.eval(jno.np.concat([x, row]))
    assert crux.eval(jno.np.concat([x, row[None, :]])).shape == (1, 5, 6)


def test_noise_differs_between_samples_that_share_their_points():
    domain = 4 * jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    crux = jno.core([x.mse])
    noise = jno.noise.gaussian(1.0)
    draws = crux.eval(x * 0 + noise, key=jax.random.PRNGKey(0))
    assert draws.shape == (4, 5, 1)
    assert len(np.unique(draws)) == 20
    assert crux.eval(x * 0 + noise).shape == (4, 5, 1)


def test_table_with_fewer_rows_than_samples_is_announced(capsys):
    domain = 10 * jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    table = domain.variable("table", np.arange(4.0)[:, None])
    jno.core([x.mse]).eval(table.mean + x)
    assert "tensor tag 'table' has 4 rows for 10 samples" in capsys.readouterr().out
