"""Boxes and balls of any dimension: points, faces, normals, measures, distances, integrals, training."""

import foundax
import jax
import numpy as np
import optax
import pytest
from scipy.special import gamma
from scipy.stats import beta, kstest, qmc

import jno
from jno.domain import device_draw

COUNT = 4096
SAMPLERS = ["uniform", "latin_hypercube", "sobol", "halton"]


def on_host(domain, tag, sampler):
    domain.variable(tag, (COUNT, sampler), normals=domain.geometry.is_boundary(tag))
    key = domain.samples.records[-1].tag
    normals = domain.context.get(f"n_{key}")
    return domain.context[key][0, 0], None if normals is None else normals[0, 0]


def on_device(domain, tag, sampler):
    domain.variable(tag, (COUNT, sampler))
    draw = device_draw(domain.geometry, domain.samples.records[-1], COUNT)
    points, normals = jax.jit(lambda draw, key: draw(key, np.dtype(np.float32)))(draw, jax.random.PRNGKey(7))
    return np.asarray(points, float), None if normals is None else np.asarray(normals, float)


@pytest.mark.parametrize("drawn", [on_host, on_device])
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("dimension", [1, 2, 3, 6])
def test_points_of_a_box_are_uniform(dimension, sampler, drawn):
    lower, upper = -np.arange(1.0, dimension + 1), np.arange(2.0, dimension + 2)
    points, normals = drawn(jno.domain.box(lower, upper), "interior", sampler)
    assert normals is None
    assert points.shape == (COUNT, dimension)
    unit = (points - lower) / (upper - lower)
    assert min(kstest(column, "uniform").pvalue for column in unit.T) > 1e-4
    assert np.all((unit > 0.0) & (unit < 1.0))
    if sampler == "sobol":  # mapped axis by axis, so they stay a net
        assert qmc.discrepancy(unit) < 0.2 * qmc.discrepancy(np.random.default_rng(0).random(unit.shape))


@pytest.mark.parametrize("drawn", [on_host, on_device])
def test_faces_of_a_box_by_their_areas(drawn):
    lower, upper = np.array([0.0, -1.0, 2.0, 0.0]), np.array([1.0, 1.0, 2.5, 3.0])
    domain = jno.domain.box(lower, upper)
    points, normals = drawn(domain, "boundary", "uniform")
    widths = upper - lower
    axes = np.argmax(np.abs(normals), axis=1)
    at_upper = normals[np.arange(COUNT), axes] > 0
    # exactly on the face that the normal belongs to, and elsewhere inside
    assert np.array_equal(points[np.arange(COUNT), axes], np.where(at_upper, upper[axes], lower[axes]))
    assert np.array_equal(np.abs(normals).sum(axis=1), np.ones(COUNT))
    areas = np.prod(widths) / widths
    shares = np.bincount(axes, minlength=4) / COUNT
    np.testing.assert_allclose(shares, areas / areas.sum(), atol=0.03)
    for axis in range(4):
        free = np.delete((points[axes == axis] - lower) / widths, axis, axis=1)
        assert min(kstest(column, "uniform").pvalue for column in free.T) > 1e-4
    assert domain.measure("boundary") == pytest.approx(2 * areas.sum())


def test_names_of_faces():
    assert set(jno.domain.box(0.0, 1.0).available_mesh_tags) >= {"left", "right", "lower_0", "upper_0"}
    solid = jno.domain.box([0, 0, 0], [1, 2, 3])
    for name, axis, value in [("front", 1, 0.0), ("top", 2, 3.0), ("lower_0", 0, 0.0), ("upper_1", 1, 2.0)]:
        solid.variable(name, (8, "sobol"))
        assert np.all(solid.context[name][..., axis] == value)
    four = jno.domain.box([0] * 4, [1] * 4)
    assert four.boundary_tags() == sorted(["boundary", *(f"{end}_{i}" for i in range(4) for end in ("lower", "upper"))])
    assert four.spatial == ["x0", "x1", "x2", "x3"]


@pytest.mark.parametrize("drawn", [on_host, on_device])
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("dimension", [1, 2, 3, 5])
def test_points_of_balls_and_spheres_are_uniform(dimension, sampler, drawn):
    center, radius = np.arange(1.0, dimension + 1), 2.0
    domain = jno.domain.ball(center, radius)
    points, _ = drawn(domain, "interior", sampler)
    away = np.linalg.norm(points - center, axis=1) / radius
    assert away.max() <= 1.0 + 1e-6
    assert kstest(away**dimension, "uniform").pvalue > 1e-4
    points, normals = drawn(domain, "boundary", sampler)
    np.testing.assert_allclose((points - center) / radius, normals, atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-6)
    if dimension > 1:  # a component of a direction has a beta distribution
        law = beta((dimension - 1) / 2, (dimension - 1) / 2)
        for component in normals.T:
            assert kstest((component + 1) / 2, law.cdf).pvalue > 1e-4
    volume = np.pi ** (dimension / 2) / gamma(dimension / 2 + 1) * radius**dimension
    assert domain.measure() == pytest.approx(volume)
    assert domain.measure("boundary") == pytest.approx(dimension * volume / radius)


def test_integrals_have_the_measure_of_the_region():
    domain = jno.domain.box([0.0] * 6, [1.0] * 5 + [2.0])
    *xs, _ = domain.variable("interior", (2**13, "sobol"))
    squares = sum(x**2 for x in xs)
    assert squares.integrate().eval().item() == pytest.approx(2 * (5 / 3 + 4 / 3), rel=1e-3)
    *xb, _, normal = domain.variable("boundary", (2**13, "sobol"), normals="vector")
    flux = sum(x**2 for x in xb).d(normal).integrate()
    volume = squares.laplacian(*xs).integrate()
    assert flux.eval().item() == pytest.approx(volume.eval().item(), rel=1e-2)
    ball = jno.domain.ball([1.0, 2.0, 3.0], 2.0)
    x, y, z, _ = ball.variable("interior", (2**13, "halton"))
    moment = (x - 1) ** 2 + (y - 2) ** 2 + (z - 3) ** 2
    assert moment.integrate().eval().item() == pytest.approx(4 * np.pi * 2**5 / 5, rel=1e-3)
    with pytest.raises(ValueError, match=r"one number per point, it has shape \(8192, 3\)"):
        moment.grad(x, y, z).integrate().eval()


def test_an_integral_takes_the_points_of_the_step():
    domain = jno.domain.box([0.0, 0.0], [1.0, 1.0])
    fresh = jno.sampler.random(resample_every=1, resample_fraction=1.0, start_epoch=0)
    x, y, _ = domain.variable("interior", (64, "uniform"), fresh)
    crux = jno.core(
        [((x * y).integrate() - 0.25) ** 2 + 0.0 * jno.np.parameter((), name="k").optimizer(optax.sgd(0.0))]
    )
    losses = crux.solve(4).training_logs[-1]["total_loss"]
    assert len(set(np.asarray(losses).tolist())) == 4


@pytest.mark.parametrize("smooth", [False, True])
def test_distance_to_faces(smooth):
    domain = jno.domain.box([0.0] * 5, [2.0] * 5)
    domain.variable("interior", (200, "sobol"))
    everything = domain.distance_function(smooth=smooth)
    floor = domain.distance_function(boundary_tags=["lower_0", "upper_3"], smooth=smooth, name="some")
    points = domain.context["interior"][0, 0]
    heights = np.concatenate([points, 2.0 - points], axis=1)
    some = np.stack([points[:, 0], 2.0 - points[:, 3]], axis=1)
    for function, distances in ((everything, heights), (floor, some)):
        expected = 1 / np.sum(1 / distances, axis=1) if smooth else distances.min(axis=1)
        np.testing.assert_allclose(np.asarray(function.eval()).ravel(), expected, rtol=1e-4)
    *xb, _, normal = domain.variable("boundary", (200, "sobol"), normals="vector")
    on_faces = everything(*xb)
    np.testing.assert_allclose(np.asarray(on_faces.eval()).ravel(), 0.0, atol=1e-6)
    if smooth:
        np.testing.assert_allclose(np.asarray(on_faces.d(normal).eval()).ravel(), -1.0, atol=1e-3)


@pytest.mark.parametrize("smooth", [False, True])
def test_distance_to_a_sphere(smooth):
    domain = jno.domain.ball([0.0] * 4, 1.5)
    domain.variable("interior", (200, "sobol"))
    away = np.linalg.norm(domain.context["interior"][0, 0], axis=1)
    values = np.asarray(domain.distance_function(smooth=smooth).eval()).ravel()
    np.testing.assert_allclose(values, (1.5**2 - away**2) / 3.0 if smooth else 1.5 - away, atol=1e-5)


def test_tags_by_predicates():
    domain = jno.domain.box([0.0] * 4, [1.0] * 4)
    domain.tag("hot", lambda a, b, c, d: (a == 0.0) & (d < 0.5))
    domain.tag("core", lambda a, b, c, d: (abs(a - 0.5) < 0.25) & (b > 0.5))
    domain.variable("hot", (100, None), normals=True)
    domain.variable("core", (100, None))
    hot, core = domain.context["hot"][0, 0], domain.context["core"][0, 0]
    assert np.all((hot[:, 0] == 0.0) & (hot[:, 3] < 0.5))
    assert np.ptp(hot[:, 1]) > 0.8
    assert np.all(domain.context["n_hot"][0, 0] == [-1.0, 0.0, 0.0, 0.0])
    assert np.all((abs(core[:, 0] - 0.5) < 0.25) & (core[:, 1] > 0.5))
    assert np.all((core > 0.0) & (core < 1.0))  # the inside comes before the faces, which the predicate names too
    solid = jno.domain.box([0, 0, 0], [1, 1, 1]).tag("sides", lambda x, n, name: abs(n[:, 2]) < 0.5)
    solid.variable("sides", (100, None), normals=True)
    assert np.all(solid.context["n_sides"][0, 0, :, 2] == 0.0)
    assert len(np.unique(solid.context["n_sides"][0, 0], axis=0)) == 4


def test_rows_of_different_boxes():
    rows = 2 * jno.domain.box([0.0] * 4, [1.0] * 4) + jno.domain.box([5.0] * 4, [6.0] * 4)
    rows.variable("interior", (50, "sobol"))
    points = rows.context["interior"]
    assert points.shape == (3, 1, 50, 4)
    assert np.all(points[:2] < 1.0)
    assert np.all(points[2] > 5.0)
    assert rows.measure() == 1.0
    mixed = jno.domain.box([0.0] * 4, [1.0] * 4) + jno.domain.box([0.0] * 4, [2.0] * 4)
    with pytest.raises(ValueError, match=r"differ in it, \[1.0, 16.0\]"):
        mixed.measure()


def test_other_samplers_and_times():
    domain = jno.domain.box([0.0] * 4, [1.0] * 4, time=(0.0, 1.0, 3))
    domain.variable("interior", (10, lambda shape, n: np.full((n, 4), shape.upper / 2)))
    assert domain.context["interior"].shape == (1, 3, 10, 4)
    assert np.all(domain.context["interior"] == 0.5)
    domain.variable("initial", (7, "sobol"))
    assert domain.context["initial"].shape == (1, 1, 7, 4)
    with pytest.raises(ValueError, match=r"must return finite points of shape \(10, 4\)"):
        domain.variable("interior", (10, lambda shape, n: np.zeros((n, 3))))
    with pytest.raises(ValueError, match="in the interior of a box a callable"):
        domain.variable("boundary", (10, lambda shape, n: np.zeros((n, 4))))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jno.domain.box([0, 0], [1, 1, 1]), "one dimension; got 2 and 3 numbers"),
        (lambda: jno.domain.box([0, 2], [1, 1]), "lower < upper along every axis; along axis 1 got 2 and 1"),
        (lambda: jno.domain.box([0, np.nan], [1, 1]), r"box\(lower\) must be a list of finite numbers"),
        (lambda: jno.domain.box("a", [1]), r"box\(lower\) must be a list of finite numbers"),
        (lambda: jno.domain.box([], []), r"box\(lower\) must be a list of finite numbers"),
        (lambda: jno.domain.ball([0, 0], 0.0), r"ball\(radius\) must be a positive finite number; got 0.0"),
        (lambda: jno.domain.ball([[0, 0]], 1.0), r"ball\(center\) must be a list of finite numbers"),
        (lambda: jno.domain.box([0] * 4, [1] * 4).built_mesh, "A box has no mesh"),
        (lambda: jno.domain.box(0, 1).quadrature("interior"), "no mesh to integrate on .* A box has no mesh"),
        (lambda: jno.domain.ball([0, 0], 1).point_region("pin", (0, 0)), "names a node of a mesh"),
        (lambda: jno.domain.ball([0, 0], 1).tag("up", lambda x, n, name: n[:, 1] > 0), "is round and has no facets"),
        (lambda: jno.domain.box(0, 1) + jno.domain.line(), "without a mesh .* and one of nodes"),
        (lambda: jno.domain.box([0, 0], [1, 1]) + jno.domain([(0, 0), (1, 0), (0, 1)]), "A polygon domain and another"),
        (lambda: jno.domain.stack(jno.domain.box([0, 0], [1, 1])), "takes polygon domains"),
        (
            lambda: jno.domain.box([0] * 4, [1] * 4).tag("a", lambda *x: x[0] < 0.5).measure("a"),
            "given by a predicate, so its measure is not known",
        ),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises((ValueError, TypeError, RuntimeError), match=message):
        call()


@pytest.mark.slow
@pytest.mark.parametrize(("dimension", "accuracy"), [(5, 5e-4), (10, 4e-3)])
def test_poisson_in_many_dimensions(dimension, accuracy):
    """-Δu = π²/4 Σ sin(π xᵢ/2) with u = Σ sin(π xᵢ/2) on the boundary of the unit cube: relative L2 error."""
    domain = jno.domain.box([0.0] * dimension, [1.0] * dimension)
    *xs, _ = domain.variable("interior", (1000, "sobol"))
    *xb, _ = domain.variable("boundary", (1000, "sobol"))
    net = jno.nn(foundax.mlp(dimension, hidden_dims=20, num_layers=2, key=jax.random.key(0)))
    net.optimizer(jno.optimizers.ssbroyden())

    def exact(*columns):
        return sum(jno.np.sin(np.pi * x / 2) for x in columns)

    residual = net(*xs).laplacian(*xs) + np.pi**2 / 4 * exact(*xs)
    crux = jno.core([residual.mse, 100.0 * (net(*xb) - exact(*xb)).mse])
    crux.solve(400)
    points = np.random.default_rng(1).random((4000, dimension))
    values = np.asarray(crux.eval(net(*xs), domain=points)).ravel()
    truth = np.sin(np.pi * points / 2).sum(axis=1)
    assert np.linalg.norm(values - truth) / np.linalg.norm(truth) < accuracy


def test_normals_of_a_point_cloud():
    angles = np.linspace(0.0, 2 * np.pi, 12, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    cloud = jno.domain.from_array({"wall": 2 * circle, "inside": circle}, normals={"wall": 3 * circle})
    assert cloud.boundary_tags() == ["wall"]
    x, y, _, n = cloud.variable("wall", normals="vector")
    slope = np.asarray((x * y).d(n).eval()).ravel()
    np.testing.assert_allclose(slope, 4 * circle[:, 0] * circle[:, 1], rtol=1e-5, atol=1e-6)
    cloud.variable("wall", (5, "sobol"), normals=True)
    np.testing.assert_allclose(2 * cloud.context["n_wall@1"], cloud.context["wall@1"], atol=1e-12)
    with pytest.raises(ValueError, match="no outward normals"):
        cloud.variable("inside", normals=True)
    for normals, message in [
        ({"other": circle}, "there is no tag 'other'"),
        ({"wall": circle[:3]}, r"for each of its points, \(12, 2\); got shape \(3, 2\)"),
        ({"wall": 0 * circle}, "one vector other than zero"),
    ]:
        with pytest.raises(ValueError, match=message):
            jno.domain.from_array({"wall": circle}, normals=normals)


def test_many_tags_with_new_points_in_every_step():
    """More than ten tables go into the compiled step; every region gets its own."""
    domain = jno.domain.box([0.0, 0.0, 0.0], [1.0, 1.0, 4.0])
    fresh = jno.sampler.random(resample_every=1, resample_fraction=1.0, start_epoch=0)
    x, y, z, _ = domain.variable("interior", (64, "sobol"), fresh)
    xb, yb, zb, _ = domain.variable("boundary", (64, "sobol"), fresh)
    xt, yt, zt, _ = domain.variable("top", (64, "sobol"), fresh)
    factor = jno.np.parameter((), name="k").optimizer(optax.sgd(0.0))
    losses = [(factor * total).mse for total in (x + y + z, xb + yb + zb, xt + yt + zt)]
    jno.core(losses).solve(3)
    inside, boundary, top = (domain.context[tag][0, 0] for tag in ("interior", "boundary", "top"))
    assert np.all((inside > 0.0) & (inside < [1.0, 1.0, 4.0]))
    assert np.all(np.min(np.minimum(boundary, np.array([1.0, 1.0, 4.0]) - boundary), axis=1) == 0.0)
    assert np.all(top[:, 2] == 4.0)


@pytest.mark.parametrize(
    "build",
    [
        lambda: jno.domain.box(0.0, 1.0),
        lambda: jno.domain.box([0.0, 0.0], [1.0, 2.0]).tag("part", lambda x, y: x + y < 1.0),
        lambda: jno.domain.ball([0.0, 0.0], 1.0, time=np.array([0.0, 0.1, 1.0])),
        lambda: jno.domain.ball([0.0] * 3, 1.0),
        lambda: jno.domain.box([0.0] * 5, [1.0] * 5),
    ],
)
def test_pictures(build, tmp_path):
    domain = build()
    assert "interior" in domain._repr_html_()
    if domain.dimension <= 3:
        *xs, _ = domain.variable("interior", (20, "uniform"))
        u = sum(x**2 for x in xs)
        jno.core([u.mse]).plot(u, tmp_path / "u.png")
        assert (tmp_path / "u.png").stat().st_size > 3000
