"""Points with times of their own, `time=(t0, t1)`, and levels that are not equidistant."""

import foundax
import jax
import numpy as np
import optax
import pytest
from scipy.stats import kstest, qmc
from shapely.geometry import Point, box

import jno
from jno.domain import device_draw
from jno.domain._time import TimeInterval
from jno.domain.drawable._space_time import space_time_region

COUNT = 2048
TIMES = (1.0, 3.0)


def holed():
    return jno.domain(box(0, 0, 2, 1) - Point(0.5, 0.5).buffer(0.25), time=TIMES)


def selected():
    return jno.domain.box([0.0] * 3, [1.0] * 3, time=TIMES).tag("part", lambda x, y, z: x + y < 1.0)


def sensors():
    cloud = jno.domain.from_array({"sensors": np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])})
    return jno.domain(cloud, time=TIMES)


REGIONS = {
    "line": (lambda: jno.domain.line((0, 2), time=TIMES), "interior", 1),
    "end": (lambda: jno.domain.line((0, 2), time=TIMES), "right", 1),
    "mesh": (lambda: jno.domain.rect(mesh_size=0.25, time=TIMES), "interior", 2),
    "edges": (lambda: jno.domain.rect(mesh_size=0.25, time=TIMES), "boundary", 2),
    "polygon": (holed, "interior", 2),
    "curve": (holed, "boundary", 2),
    "box": (lambda: jno.domain.box([0.0] * 4, [1.0] * 4, time=TIMES), "interior", 4),
    "faces": (lambda: jno.domain.box([0.0] * 4, [1.0] * 4, time=TIMES), "boundary", 4),
    "sphere": (lambda: jno.domain.ball([0.0] * 3, 1.0, time=TIMES), "boundary", 3),
    "part": (selected, "part", 3),
    "cloud": (sensors, "sensors", 2),
}


@pytest.mark.parametrize("sampler", [None, "latin_hypercube", "sobol", "halton"])
@pytest.mark.parametrize("name", REGIONS)
def test_times_are_uniform_and_independent_of_places(name, sampler):
    build, tag, dimension = REGIONS[name]
    if name == "part" and sampler is not None:
        return  # drawn by rejection, as without times
    domain = build()
    normals = domain.geometry.is_boundary(tag)
    *xs, t = domain.variable(tag, (COUNT, sampler), normals="vector" if normals else False)[: dimension + 1]
    assert (len(xs), t.axis, t.tag, t.dim) == (dimension, "temporal", tag, (dimension, dimension + 1))
    points = domain.context[tag]
    assert points.shape == (1, 1, COUNT, dimension + 1)
    times = (points[0, 0, :, -1] - 1.0) / 2.0
    assert np.all((times > 0.0) & (times <= 1.0))
    assert kstest(times, "uniform").pvalue > 1e-4
    for column in points[0, 0, :, :-1].T:
        if np.ptp(column) > 0.0:
            assert abs(np.corrcoef(column, times)[0, 1]) < 0.08
    if normals:
        assert domain.context[f"n_{tag}"].shape == (1, 1, COUNT, dimension)
        np.testing.assert_allclose(np.linalg.norm(domain.context[f"n_{tag}"], axis=-1), 1.0, atol=1e-9)


@pytest.mark.parametrize("sampler", ["uniform", "sobol"])
@pytest.mark.parametrize("name", [name for name in REGIONS if name != "part"])
def test_compiled_code_draws_them_too(name, sampler):
    build, tag, dimension = REGIONS[name]
    domain = build()
    domain.variable(tag, (COUNT, sampler), normals=domain.geometry.is_boundary(tag))
    draw = device_draw(domain.geometry, domain.samples.records[-1], COUNT)
    points, normals = jax.jit(lambda draw, key: draw(key, np.dtype(np.float32)))(draw, jax.random.PRNGKey(3))
    times = (np.asarray(points, float)[:, -1] - 1.0) / 2.0
    assert points.shape == (COUNT, dimension + 1)
    assert kstest(times, "uniform").pvalue > 1e-4
    in_space = np.asarray(points, float)[:, :-1]
    for column in in_space.T:
        if np.ptp(column) > 0.0:
            assert abs(np.corrcoef(column, times)[0, 1]) < 0.08
    on_host = domain.context[tag][0, 0, :, :-1]
    for drawn, expected in zip(in_space.T, on_host.T, strict=True):
        np.testing.assert_allclose([drawn.mean(), drawn.std()], [expected.mean(), expected.std()], atol=0.06)
    if normals is not None:
        np.testing.assert_allclose(
            np.asarray(normals).mean(axis=0), domain.context[f"n_{tag}"][0, 0].mean(axis=0), atol=0.08
        )


def test_the_last_time_is_drawn_and_the_first_is_not():
    geometry = jno.domain.box([0.0] * 2, [1.0] * 2).geometry
    region = space_time_region(geometry, "interior", TimeInterval(*TIMES))
    points, _ = region.place(np.array([[0.5, 0.25, 0.0], [0.5, 0.25, 1.0 - 2.0**-53]]))
    np.testing.assert_array_equal(points[:, :2], [[0.5, 0.25]] * 2)
    assert points[0, 2] == 3.0
    assert 1.0 < points[1, 2] < 1.0 + 1e-12


def test_times_are_spread_evenly_where_places_are_drawn_by_rejection():
    """One in every of as many equal parts of the interval as there are points."""
    domain = selected()
    domain.variable("part", (64, None))
    times = domain.context["part"][0, 0, :, -1]
    assert sorted(np.ceil((times - 1.0) / 2.0 * 64)) == list(range(1, 65))


def test_a_sobol_sequence_fills_space_and_time_together():
    domain = jno.domain.box([0.0, 0.0], [1.0, 1.0], time=(0.0, 1.0))
    domain.variable("interior", (256, "sobol"))
    random = np.random.default_rng(0).random((256, 3))
    assert qmc.discrepancy(domain.context["interior"][0, 0]) < 0.1 * qmc.discrepancy(random)


def test_points_that_are_denser_near_places_have_times_too():
    domain = jno.domain.rect(mesh_size=0.25, time=TIMES)
    domain.variable("interior", (COUNT, jno.sampler.graded("left")))
    host = domain.context["interior"][0, 0]
    draw = device_draw(domain.geometry, domain.samples.records[-1], COUNT)
    points, _ = jax.jit(lambda draw, key: draw(key, np.dtype(np.float32)))(draw, jax.random.PRNGKey(3))
    for drawn in (host, np.asarray(points, float)):
        assert drawn.shape == (COUNT, 3)
        assert kstest((drawn[:, 2] - 1.0) / 2.0, "uniform").pvalue > 1e-4
        assert drawn[:, 0].mean() < 0.4


def test_the_initial_slice_a_window_and_one_time():
    domain = holed()
    *_, t0 = domain.variable("initial", (20, "sobol"))
    assert (t0.tag, domain.context["initial"].shape, domain.context[t0.tag].tolist()) == (
        "__time_initial__",
        (1, 1, 20, 2),
        [[1.0]],
    )
    domain.variable("boundary", (500, None), time_value=(1.5, 1.75))
    times = domain.context["boundary"][0, 0, :, -1]
    assert 1.5 < times.min() < 1.51
    assert 1.74 < times.max() <= 1.75
    *_, later = domain.variable("interior", (20, None), time_value=1.7)
    assert domain.context[later.tag].tolist() == [[1.7]]
    mesh = jno.domain.rect(mesh_size=0.5, time=TIMES)
    assert mesh.variable("interior", time_value=2.0)[0].tag == "interior"
    assert mesh.context["interior"].shape == (1, 1, 9, 2)


def test_derivatives_and_calls():
    domain = jno.domain.rect(mesh_size=0.5, time=TIMES)
    x, y, t = domain.variable("interior", (50, "sobol"))
    xb, yb, tb, n = domain.variable("right", (50, "sobol"), normals="vector")
    xi, yi, ti = domain.variable("initial", (50, "sobol"))
    u = x**2 * y * t**3
    p, b, i = (domain.context[tag][0, 0].T for tag in ("interior", "right", "initial"))
    bound = u.bind(x=x, y=y, t=t)
    cases = {
        "u_t": (u.d(t), 3 * p[0] ** 2 * p[1] * p[2] ** 2),
        "u_tt": (u.d2(t), 6 * p[0] ** 2 * p[1] * p[2]),
        "u_xt": (u.d(x).d(t), 6 * p[0] * p[1] * p[2] ** 2),
        "laplacian": (u.laplacian(x, y), 2 * p[1] * p[2] ** 3),
        "named": (bound.laplacian() + bound.t, 2 * p[1] * p[2] ** 3 + 3 * p[0] ** 2 * p[1] * p[2] ** 2),
        "normal": (u(xb, yb, tb).d(n), 2 * b[0] * b[1] * b[2] ** 3),
        "initial": (u(xi, yi, ti), i[0] ** 2 * i[1]),
        "velocity at the start": (u.d(t)(xi, yi, ti), 3 * i[0] ** 2 * i[1]),
        "number": (u.d(t)(x, y, 2.0), 12 * p[0] ** 2 * p[1]),
        "moved": (u(x, y, t / 2), p[0] ** 2 * p[1] * p[2] ** 3 / 8),
    }
    crux = jno.core([expression.mse for expression, _ in cases.values()])
    for name, (expression, expected) in cases.items():
        value = np.asarray(crux.eval(expression)).ravel()
        np.testing.assert_allclose(value, expected, rtol=2e-5, atol=1e-5, err_msg=name)
    placed = crux.eval(u, domain=np.array([[1.0, 2.0, 3.0], [0.5, 1.0, 1.0]]))
    np.testing.assert_allclose(np.asarray(placed).ravel(), [54.0, 0.25])


def test_new_points_in_every_step():
    domain = jno.domain.line(time=(0.0, 1.0))
    fresh = jno.sampler.random(resample_every=1, resample_fraction=1.0, start_epoch=0)
    x, t = domain.variable("interior", (64, "sobol"), fresh)
    before = domain.context["interior"].copy()
    net = jno.nn(foundax.mlp(2, hidden_dims=8, num_layers=1, key=jax.random.key(0))).optimizer(optax.sgd(0.0))
    crux = jno.core([(net(x, t).d(t) - t).mse])
    losses = np.asarray(crux.solve(5).training_logs[-1]["total_loss"])
    assert len(set(losses.tolist())) == 5
    after = domain.context["interior"]
    assert after.shape == before.shape
    assert not np.isin(after[..., -1], before[..., -1]).any()


def test_mini_batches_and_files(tmp_path):
    domain = jno.domain.rect(mesh_size=0.5, time=(0.0, 1.0))
    x, y, t, n = domain.variable("right", (64, "sobol"), normals="vector")
    net = jno.nn(foundax.mlp(3, hidden_dims=8, num_layers=1, key=jax.random.key(0)), name="u")
    net.optimizer(optax.adam(1e-3))
    u = net(x, y, t)
    crux = jno.core([(u.d(n) - t).mse, (u.d(t) - 1.0).mse])
    assert np.isfinite(crux.solve(4, point_batch=16).total_loss_history).all()
    crux.save(str(tmp_path / "core.pkl"))
    loaded = jno.load(str(tmp_path / "core.pkl"))
    np.testing.assert_allclose(np.asarray(loaded.eval(u.d(n))), np.asarray(crux.eval(u.d(n))), rtol=1e-6)


@pytest.mark.parametrize("strategy", ["rad", "rard", "r3", "cr3", "ha"])
def test_points_that_follow_residuals(strategy):
    """Where the residual is large at late times, points gather there; a causal gate keeps them early."""
    domain = jno.domain.line(time=(0.0, 1.0))
    make = getattr(jno.sampler, strategy)
    x, t = domain.variable("interior", (200, "uniform"), make(resample_every=2, resample_fraction=0.5, start_epoch=1))
    factor = jno.np.parameter((), name="k").optimizer(optax.sgd(0.0))
    crux = jno.core([((t**6 + 0 * x) * (1.0 + 0.0 * factor)).mse])
    crux.solve(12)
    late = domain.context["interior"][0, 0, :, 1].mean()
    if strategy == "cr3":
        assert late < 0.75
    else:
        assert late > 0.6


def test_heat_in_a_plate_with_a_hole():
    """u = exp(-t) (x² + y²) / 4 + ... trained with points of space and time, of the boundary and of the start."""
    domain = jno.domain(box(0, 0, 1, 1) - Point(0.5, 0.5).buffer(0.2), time=(0.0, 1.0))
    x, y, t = domain.variable("interior", (200, "sobol"))
    xb, yb, tb = domain.variable("boundary", (100, "sobol"))
    xi, yi, ti = domain.variable("initial", (100, "sobol"))
    net = jno.nn(foundax.mlp(3, hidden_dims=16, num_layers=2, key=jax.random.key(0)))
    net.optimizer(jno.optimizers.engd())

    def exact(x, y, t):
        return jno.np.exp(-2 * t) * jno.np.sin(x) * jno.np.cos(y)

    u = net(x, y, t)
    crux = jno.core(
        [
            (u.d(t) - u.laplacian(x, y)).mse,
            (net(xb, yb, tb) - exact(xb, yb, tb)).mse,
            (net(xi, yi, ti) - exact(xi, yi, ti)).mse,
        ]
    )
    crux.solve(25)
    difference = np.asarray(crux.eval(net(x, y, t) - exact(x, y, t)))
    assert np.sqrt(np.mean(difference**2)) < 5e-3


def test_matching_points_of_periodic_boundaries_have_the_same_times():
    domain = jno.domain.rect((0, 2), (0, 1), time=TIMES)
    xl, *_ = domain.variable("left", (50, "sobol"))
    domain.variable("right", like=xl)
    left, right = domain.context["left"][0, 0], domain.context["right"][0, 0]
    np.testing.assert_allclose(right - left, np.tile([2.0, 0.0, 0.0], (50, 1)), atol=1e-12)
    with pytest.raises(ValueError, match="matched points have the same times"):
        domain.variable("right", like=xl, time_value=2.0)


def test_rows_and_other_domains():
    domain = 3 * jno.domain.line(time=(0.0, 1.0))
    x, t = domain.variable("interior", (40, "uniform"))
    points = domain.context["interior"]
    assert points.shape == (3, 1, 40, 2)
    assert not np.isin(points[0, ..., -1], points[1, ..., -1]).any()
    fine = jno.domain.line(mesh_size=0.01, time=(0.0, 2.0))
    assert fine.context_for(domain)["interior"].shape == (1, 1, 40, 2)
    assert "interior" not in jno.domain.line(time=(0.0, 1.0, 3)).context_for(domain)
    clone = jno.domain(jno.domain.line(), time=domain.time)
    assert clone.time == (0.0, 1.0)
    assert jno.core([(x * t).mse]).eval(x * t, domain=fine).shape == (1, 40, 1)
    with pytest.raises(ValueError, match="different time axes"):
        jno.domain.line(time=(0.0, 1.0)) + jno.domain.line(time=(0.0, 1.0, 3))


def test_pictures_and_exported_functions(tmp_path):
    domain = jno.domain.line(time=(0.0, 2.0))
    x, t = domain.variable("interior", (40, "uniform"))
    u = x * t
    crux = jno.core([u.mse])
    crux.plot(u, tmp_path / "u.png")  # a map over line and time, on a grid
    assert (tmp_path / "u.png").stat().st_size > 5000
    file = crux.export([u, u.d(t)], str(tmp_path / "u.stablehlo"))
    assert [name.split()[0] for name in file.inputs] == ["x", "t"]


def test_levels_that_are_not_equidistant():
    levels = np.array([0.0, 0.1, 0.4, 1.0])
    domain = jno.domain.line(time=levels)
    x, t = domain.variable("interior")
    np.testing.assert_array_equal(domain.context["__time__"][:, 0], levels)
    np.testing.assert_array_equal(domain.time, levels)
    np.testing.assert_array_equal(jno.domain(jno.domain.line(), time=domain.time).time, levels)
    integral = (t**2 + 0 * x).integrate(t)
    value = np.asarray(jno.core([x.mse + 0 * t.mse]).eval(integral, min_consecutive=None)).ravel()
    np.testing.assert_allclose(value, np.trapezoid(levels**2, levels), rtol=1e-6)
    *_, late = domain.variable("interior", time_value=0.5)
    assert domain.context[late.tag].tolist() == [[0.4]]


def _level(**options):
    domain = jno.domain.line(mesh_size=0.25, time=(0.0, 1.0))
    return domain, *domain.variable("interior", (10, "sobol"), **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jno.domain.line(time=(1.0, 0.0)), r"\(t0, t1\) for points with times of their own; got \(1.0, 0.0\)"),
        (lambda: jno.domain.line(time=(0.0,)), "time must be"),
        (lambda: jno.domain.line(time=[0.0, 0.5, 0.7, 1.0]), "an increasing array of levels"),
        (lambda: jno.domain.line(time=np.array([0.0, 1.0, 1.0])), "an increasing array of levels"),
        (lambda: jno.domain.line(time=np.array([0.0])), "an increasing array of levels"),
        (lambda: _level()[0].variable("interior"), "say how many to draw"),
        (lambda: _level()[0].variable("interior", (2, lambda p, n: np.arange(n))), "nodes have none"),
        (lambda: _level(time_value=(0.5, 0.2)), "with a < b"),
        (lambda: _level(time_value=(0.5, 2.0)), "lies outside the domain's time interval"),
        (lambda: _level(time_value=(0.1, 0.2, 0.3)), r"must be a time, or \(a, b\)"),
        (lambda: _level(time_value="a"), "time_value must be a number"),
        (lambda: (v := _level())[1].integrate(v[2]), "an integral over time needs levels"),
        (lambda: (v := _level()) and (v[1] * v[2]).integrate(), "an integral over space is taken at one time"),
        (lambda: (v := _level()) and (v[1] * v[2]).d(v[2], scheme="finite_difference").eval(), "are for time levels"),
        (lambda: (v := _level()) and (v[1] * v[2]).d(v[1], scheme="finite_difference").eval(), "reads the values at"),
        (
            lambda: (v := _level()) and jno.core([v[1].mse]).eval(v[1] * v[2], domain=(np.zeros((3, 2)), [0.5])),
            "give them as the last column",
        ),
        (
            lambda: jno.domain.rect(time=(0.0, 1.0)).variable("left", (4, None), view_factor=True),
            "view factors are between points at the same times",
        ),
        (lambda: jno.domain.line(time=(0.0, 1.0, 3)).variable("interior", time_value=(0.1, 0.2)), "must be a number"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
