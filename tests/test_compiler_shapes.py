"""Shapes of evaluated expressions, and how samples, time levels and data tables are peeled off."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import coordinates, evaluate, mlp, unit_square

import jno

N = 5
TIME = (0.0, 1.5, 4)


def rows(samples, time=None):
    """``samples`` rows of ``N`` points of the unit square, drawn differently for each row if there are several."""
    domain = unit_square(0.25, samples=samples, time=time)
    return domain, domain.variable("interior", sample=(N, None))


def size(net):
    return sum(leaf.size for leaf in jax.tree_util.tree_leaves(eqx.filter(net.module, eqx.is_inexact_array)))


@pytest.mark.parametrize(
    ("samples", "window", "lead"),
    [(1, 1, (1,)), (3, 1, (3,)), (1, 2, (1, 2)), (2, 3, (2, 3)), (2, None, (2, 4))],
    ids=["B1", "B3", "B1-W2", "B2-W3", "B2-all"],
)
def test_table_of_shapes(samples, window, lead):
    domain, (x, y, t) = rows(samples, None if window == 1 else TIME)
    inputs = (x, y) if window == 1 else (x, y, t)
    net, vector = mlp(len(inputs)), mlp(len(inputs), 3)
    u, v = net(*inputs), vector(*inputs)
    parameter = jno.np.parameter((3,))
    mask = jax.tree_util.tree_map(lambda leaf: bool(eqx.is_inexact_array(leaf) and leaf.ndim == 1), net.module)
    chosen = sum(leaf.size for leaf in jax.tree_util.tree_leaves(net.module) if eqx.is_array(leaf) and leaf.ndim == 1)
    expected = {
        x: (*lead, N, 1),
        u: (*lead, N, 1),
        v: (*lead, N, 3),
        v[..., 0]: (*lead, N),
        u.mse: lead,
        v.mean: lead,
        jno.fn.mse(u, x): lead,
        u.d(x): (*lead, N, 1),
        v.d(x): (*lead, N, 3),
        u.grad(x, y): (*lead, N, 2),
        v.grad(x, y): (*lead, N, 3, 2),
        u.laplacian(x, y): (*lead, N, 1),
        v.laplacian(x, y): (*lead, N, 3),
        u.hessian(x, y): (*lead, N, 2, 2),
        v.hessian(x, y): (*lead, N, 3, 2, 2),
        u.grad(net): (*lead, N, size(net)),
        v.grad(vector): (*lead, N, 3, size(vector)),
        u.mse.grad(net): (*lead, size(net)),
        u.grad(net.mask(mask)): (*lead, N, chosen),
        parameter * 2: (3, 1),
        parameter.mse: (),
        parameter * x[:3]: (*lead, 3, 1),
        u > 0: (*lead, N, 1),
        jno.np.concat([u, v]): (*lead, N, 4),
    }
    core = jno.core(list(expected), domain=domain)
    values = core.eval(list(expected), min_consecutive=window)
    assert [value.shape for value in values] == list(expected.values())


@pytest.mark.parametrize(("samples", "window", "shape"), [(1, 1, (1,)), (3, 1, (3,)), (1, 2, (1, 2))])
def test_shape_of_an_integral(samples, window, shape):
    _, (x, y, _) = rows(samples, None if window == 1 else TIME)
    u = mlp(2)(x, y)
    assert evaluate([u.integrate(), u], min_consecutive=window)[0].shape == shape


def test_integral_of_data_and_time_has_both_axes():
    _, (x, y, t) = rows(2, TIME)
    scale = x.domain.variable("scale", np.asarray([[1.0], [3.0]]))
    value = evaluate((scale[0] * (x + y) * t).integrate(), min_consecutive=None)
    np.testing.assert_allclose(value, np.outer([1.0, 3.0], np.linspace(0, 1.5, 4)), rtol=1e-5)


def test_one_expression_and_a_list_of_one_give_the_bare_array():
    _, (x, y, _) = rows(1)
    core = jno.core([x.mse])
    assert core.eval(x).shape == core.eval([x]).shape == (1, N, 1)
    both = core.eval([x, y])
    assert isinstance(both, list)
    assert [value.shape for value in both] == [(1, N, 1)] * 2


def test_default_evaluation_of_a_time_dependent_problem_is_the_first_level():
    domain = jno.domain.line(mesh_size=0.25, time=(0.5, 1.0, 3))
    x, t = domain.variable("interior")
    (xn,) = coordinates(domain, "interior")
    value, time = evaluate([x * t, t])
    assert value.shape == (1, 5, 1)
    assert time.shape == (1, 1, 1)
    np.testing.assert_allclose(value[0, :, 0], 0.5 * xn)


def test_samples_that_share_their_points():
    domain = unit_square(0.5, samples=3)
    x, _, _ = domain.variable("interior")
    assert evaluate(x).shape == (3, 9, 1)
    assert evaluate(x.mse).shape == (3,)


# --- rows -----------------------------------------------------------------------------------------------------
def test_rows_are_evaluated_independently():
    domain, (x, y, _) = rows(3)
    points = np.asarray(domain.context[x.tag])[:, 0]
    value, mean, slope = evaluate([x * y, x.mean, (x**2 * y).d(x)])
    np.testing.assert_allclose(value[..., 0], points[..., 0] * points[..., 1], rtol=1e-6)
    np.testing.assert_allclose(mean, points[..., 0].mean(1), rtol=1e-6)
    np.testing.assert_allclose(slope[..., 0], 2 * points[..., 0] * points[..., 1], rtol=1e-6)


def test_rows_with_whole_tags():
    """Some tags sampled per row, one shared by all rows."""
    domain = unit_square(0.25, samples=2)
    x, _, _ = domain.variable("interior", sample=(N, None))
    xb, _, _ = domain.variable("boundary")
    points = np.asarray(domain.context[x.tag])[:, 0, :, 0]
    value = evaluate(x * xb.mean)
    np.testing.assert_allclose(value[..., 0], points * np.asarray(domain.context["boundary"])[0, 0, :, 0].mean())


# --- data tables ----------------------------------------------------------------------------------------------
def attach(samples, array, name="data"):
    domain, (x, _, _) = rows(samples)
    return domain, x, domain.variable(name, np.asarray(array, dtype=np.float64))


def test_one_row_of_parameters_per_sample():
    table = np.arange(6.0).reshape(3, 2) + 1
    domain, x, k = attach(3, table)
    points = np.asarray(domain.context[x.tag])[:, 0, :, 0]
    row, product, first, slope = evaluate([k, k * x, k[0] * x, (k[1] * x**2).d(x)])
    np.testing.assert_allclose(row, table)
    np.testing.assert_allclose(product, table[:, None, :] * points[..., None], rtol=1e-6)
    np.testing.assert_allclose(first[..., 0], table[:, :1] * points, rtol=1e-6)
    np.testing.assert_allclose(slope[..., 0], 2 * table[:, 1:] * points, rtol=1e-6)


def test_columns_of_a_table():
    table = np.arange(6.0).reshape(3, 2) + 1
    domain, (x, _, _) = rows(3)
    a, b = domain.variable("pair", table, split=True)
    points = np.asarray(domain.context[x.tag])[:, 0, :, 0]
    column, product = evaluate([b, a * x])
    np.testing.assert_allclose(column, table[:, 1:])
    np.testing.assert_allclose(product[..., 0], table[:, :1] * points, rtol=1e-6)


def test_one_number_per_sample():
    domain, x, k = attach(3, [[1.0], [2.0], [3.0]])
    points = np.asarray(domain.context[x.tag])[:, 0, :, 0]
    np.testing.assert_allclose(evaluate(k * x)[..., 0], np.asarray([[1.0], [2.0], [3.0]]) * points, rtol=1e-6)


def test_a_row_shared_by_all_samples():
    domain, x, k = attach(3, [[2.0, 3.0]])
    points = np.asarray(domain.context[x.tag])[:, 0]
    np.testing.assert_allclose(evaluate(k * x), points[..., :1] * [2.0, 3.0], rtol=1e-6)


def test_a_one_dimensional_array_is_one_shared_row():
    domain, x, k = attach(3, [2.0, 3.0])
    points = np.asarray(domain.context[x.tag])[:, 0]
    np.testing.assert_allclose(evaluate(k * x), points[..., :1] * [2.0, 3.0], rtol=1e-6)
    domain, x, k = attach(3, 4.0)
    np.testing.assert_allclose(evaluate(k * x)[..., 0], 4 * np.asarray(domain.context[x.tag])[:, 0, :, 0], rtol=1e-6)


def test_a_field_per_sample():
    values = np.random.default_rng(0).random((3, 1, N, 1))
    domain, x, f = attach(3, values)
    points = np.asarray(domain.context[x.tag])[:, 0]
    field, difference, slope = evaluate([f, f - x, (f.stop_gradient * x**2).d(x)])
    np.testing.assert_allclose(field, values[:, 0], rtol=1e-6)
    np.testing.assert_allclose(difference, values[:, 0] - points[..., :1], atol=1e-6)
    np.testing.assert_allclose(slope, 2 * values[:, 0] * points[..., :1], rtol=1e-5)


def test_a_field_shared_by_all_samples():
    values = np.random.default_rng(0).random((1, 1, N, 1))
    domain, x, f = attach(2, values)
    points = np.asarray(domain.context[x.tag])[:, 0]
    np.testing.assert_allclose(evaluate(f * x), values[:, 0] * points[..., :1], rtol=1e-6)


def test_an_image_per_sample():
    images = np.random.default_rng(0).random((2, 1, 4, 3, 2))
    _, x, image = attach(2, images)
    whole, mean = evaluate([image, x * image.mean])
    np.testing.assert_allclose(whole, images[:, 0], rtol=1e-6)
    assert mean.shape == (2, N, 1)


def test_an_array_of_rank_three_has_no_time_axis():
    """``(B, M, D)`` keeps all its rows."""
    table = np.random.default_rng(0).random((3, 4, 2))
    _, x, k = attach(3, table)
    np.testing.assert_allclose(evaluate(k), table, rtol=1e-6)
    assert evaluate([k, x])[0].shape == (3, 4, 2)
    _, _, single = attach(3, table[:, :1])
    np.testing.assert_allclose(evaluate(single), table[:, :1], rtol=1e-6)


def test_leading_dimension_that_fits_no_number_of_samples():
    _, x, k = attach(3, np.ones((6, 2)))
    with pytest.raises(ValueError, match=r"'data' has shape \(6, 2\).*neither the number of samples B=3 nor 1"):
        evaluate(k * x)
    _, x, k = attach(1, np.ones((4, 1)))
    with pytest.raises(ValueError, match=r"point_data=True.*array\[None\]"):
        evaluate(k * x)


def test_leading_dimension_between_one_and_the_number_of_samples():
    """Anything but B and 1 is a table that all samples see whole, or refused; rows are never cut off."""
    _, x, k = attach(3, np.arange(4.0).reshape(2, 2))
    try:
        value = evaluate([k, x])[0]
    except ValueError as error:
        if "leading dimension 2" not in str(error):
            raise
        return
    np.testing.assert_array_equal(value, np.broadcast_to(np.arange(4.0).reshape(2, 2), value.shape))


def test_a_field_of_another_length_than_the_points_is_refused():
    _, x, f = attach(2, np.ones((2, 1, N + 2, 1)))
    with pytest.raises(ValueError, match=rf"'\*'.*data.*\({N + 2}, 1\).*\({N}, 1\)"):
        evaluate(f * x)


# --- windows --------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def moving():
    domain = jno.domain.line(mesh_size=0.25, time=(0.0, 5.0, 6))
    return domain, domain.variable("interior")


def test_window_starts_at_the_first_level_without_a_key(moving):
    _, (x, t) = moving
    for window, levels in ((1, [0]), (2, [0, 1]), (4, [0, 1, 2, 3]), (6, range(6)), (9, range(6)), (None, range(6))):
        value = evaluate(t + 0 * x, min_consecutive=window)
        assert value.shape == ((1, len(levels), 5, 1) if len(levels) > 1 else (1, 5, 1))
        np.testing.assert_allclose(value.reshape(len(levels), 5)[:, 0], list(levels))


def test_window_starts_anywhere_with_a_key(moving):
    _, (x, t) = moving
    node = t + 0 * x
    core = jno.core([node])
    starts = []
    for seed in range(40):
        value = np.asarray(core.eval(node, min_consecutive=3, key=jax.random.key(seed)))[0, :, 0, 0]
        np.testing.assert_allclose(np.diff(value), 1.0)
        starts.append(int(value[0]))
    assert set(starts) == {0, 1, 2, 3}
    again = np.asarray(core.eval(node, min_consecutive=3, key=jax.random.key(0)))[0, 0, 0, 0]
    assert again == starts[0]
    single = [float(np.asarray(core.eval(node, key=jax.random.key(s)))[0, 0, 0]) for s in range(40)]
    assert set(single) == set(range(6))


def test_every_sample_has_a_window_of_its_own():
    _, (x, _, t) = rows(8, (0.0, 5.0, 6))
    value = evaluate(t + 0 * x, min_consecutive=2, key=jax.random.key(1))
    starts = value[:, 0, 0, 0]
    np.testing.assert_allclose(value[:, 1, 0, 0] - starts, 1.0)
    assert len(set(starts.tolist())) > 1


def test_fields_with_time_levels_follow_the_window(moving):
    domain, (x, t) = moving
    values = np.arange(30.0).reshape(1, 6, 5, 1)
    data = domain.variable("history", values)
    level, time = evaluate([data + 0 * x, t + 0 * x], min_consecutive=2, key=jax.random.key(3))
    start = int(time[0, 0, 0, 0])
    np.testing.assert_allclose(level[0], values[0, start : start + 2])


def test_initial_points_next_to_interior_points():
    domain = unit_square(0.25, time=(0.5, 1.0, 3))
    x, y, t = domain.variable("interior", sample=(6, None))
    x0, y0, t0 = domain.variable("initial", sample=(4, None))
    net = mlp(3)
    inside, start, time0 = net(x, y, t), net(x0, y0, t0), t0 + 0 * x0
    single = evaluate([inside, start, time0])
    assert [value.shape for value in single] == [(1, 6, 1), (1, 4, 1), (1, 4, 1)]
    np.testing.assert_allclose(single[2], 0.5)
    window = evaluate([inside, start, time0, (start - x0).mse], min_consecutive=None)
    assert [value.shape for value in window] == [(1, 3, 6, 1), (1, 3, 4, 1), (1, 3, 4, 1), (1, 3)]
    np.testing.assert_allclose(window[2], 0.5)
    np.testing.assert_allclose(window[1], np.broadcast_to(single[1][:, None], (1, 3, 4, 1)), rtol=1e-6)


def test_time_is_a_value_over_one_point(moving):
    _, (x, t) = moving
    net = mlp(2)
    shapes = {node: node.shape for node in (t, t * x, net(x, t), jno.np.concat([x, t]), jno.np.sin(t))}
    assert list(shapes.values()) == [(1, 1), (5, 1), (5, 1), (5, 2), (1, 1)]


# --- other domains --------------------------------------------------------------------------------------------
def test_evaluation_on_another_domain():
    domain, (x, y, _) = rows(1)
    net = mlp(2)
    u = net(x, y)
    core = jno.core([u.mse])
    before = {name: array.copy() for name, array in domain.context.items()}
    finer = unit_square(0.125)
    a, b, _ = finer.variable("interior")
    value, points = core.eval([u, x], domain=finer)
    assert value.shape == (1, 81, 1)
    np.testing.assert_allclose(points[0, :, 0], coordinates(finer, "interior")[0], rtol=1e-6)
    np.testing.assert_allclose(
        value[0], net.module(jnp.asarray(finer.context["interior"][0, 0], jnp.float32)), rtol=1e-5
    )
    assert {name: array.tolist() for name, array in domain.context.items()} == {
        name: array.tolist() for name, array in before.items()
    }
    derivative = core.eval(u.d(x), domain=finer)
    np.testing.assert_allclose(derivative, evaluate(net(a, b).d(a)), rtol=1e-4, atol=1e-6)


def test_evaluation_on_another_domain_leaves_it_unchanged():
    _, (x, y, _) = rows(1)
    core = jno.core([(x * y).mse])
    other = unit_square(0.125)
    core.eval(x, domain=other)
    assert set(other.context) == {"__time__"}


def test_networks_must_occur_in_a_constraint():
    _, (x, y, _) = rows(1)
    known, unknown = mlp(2, name="known"), mlp(2, name="unknown")
    core = jno.core([known(x, y).mse])
    with pytest.raises(ValueError, match=r"No model for 'unknown'.*knows \['known'\]"):
        core.eval(unknown(x, y))
    with pytest.raises(ValueError, match="No model for"):
        jno.core([]).eval(known(x, y))
    with pytest.raises(ValueError, match="samples='all'"):
        core.eval(x, samples="all")
    with pytest.raises(ValueError, match="samples='chain'"):
        core.eval(x, samples="chain")
